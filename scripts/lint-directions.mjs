/** ESLint rule: imports between the project's folders run one way. Options: [{ folder, mayNotImport: [folder | 'lib/!(contracts)'] }]. */
import path from 'node:path';

/** `lib/!(a|b)` means anything below lib/ but lib/a and lib/b. */
function isIn(file, pattern) {
  const except = /^(.*)\/!\((.*)\)$/.exec(pattern);
  if (!except) return file === pattern || file.startsWith(`${pattern}/`);
  const [, parent, kept] = except;
  return file.startsWith(`${parent}/`) && !kept.split('|').some((each) => file.startsWith(`${parent}/${each}/`));
}

export default {
  meta: {
    type: 'problem',
    schema: [{ type: 'array' }],
    messages: { direction: '{{from}} may not import {{to}}: arrows run one way (docs/architecture.md).' },
  },
  create(context) {
    const root = context.cwd;
    const from = path.relative(root, context.filename).split(path.sep).join('/');
    const rows = context.options[0].filter((row) => from.startsWith(`${row.folder}/`));
    if (rows.length === 0) return {};
    const check = (node) => {
      const source = node.source?.value ?? node.arguments?.[0]?.value;
      if (typeof source !== 'string' || !source.startsWith('.')) return;
      const to = path
        .relative(root, path.resolve(path.dirname(context.filename), source))
        .split(path.sep)
        .join('/');
      for (const row of rows) {
        if (row.mayNotImport.some((pattern) => isIn(to, pattern))) {
          context.report({ node, messageId: 'direction', data: { from, to } });
          return;
        }
      }
    };
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: (node) => node.source && check(node),
      ExportAllDeclaration: check,
      ImportExpression: check,
      TSImportType: (node) => check({ ...node, source: node.source ?? node.argument?.literal }),
      'CallExpression[callee.name="require"]': check,
    };
  },
};
