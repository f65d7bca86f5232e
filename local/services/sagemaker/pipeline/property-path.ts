/** Paths of `Get` and `Std:JsonGet`: `ModelArtifacts.S3ModelArtifacts`, `Outputs['train'].S3Output`, `a.b[0]`. */

export type PathPart = { readonly name: string } | { readonly index: number } | { readonly key: string };

/** The parts, or undefined where the text is not a path. A leading `$.` is allowed. */
export function parsePath(text: string): PathPart[] | undefined {
  const parts: PathPart[] = [];
  let rest = text.replace(/^\$\.?/, '');
  while (rest !== '') {
    const match = /^(?:\.?([^.[\]'"]+)|\[(\d+)\]|\['([^']*)'\]|\["([^"]*)"\])/.exec(rest);
    if (!match) return undefined;
    const [whole, name, index, single, double] = match;
    if (name !== undefined) parts.push({ name });
    else if (index !== undefined) parts.push({ index: Number(index) });
    else parts.push({ key: (single ?? double)! });
    rest = rest.slice(whole.length);
  }
  return parts.length > 0 ? parts : undefined;
}

/** Members by which a list's elements are told apart: `Outputs['train']` is the output whose OutputName is train. */
const KEY_MEMBERS = ['OutputName', 'InputName', 'MetricName', 'ChannelName', 'Name'];

/** The value at the path, or undefined where there is none. */
export function valueAt(root: unknown, parts: readonly PathPart[]): unknown {
  let value = root;
  for (const part of parts) {
    if (typeof value !== 'object' || value === null) return undefined;
    if ('index' in part) {
      value = Array.isArray(value) ? (value as unknown[])[part.index] : undefined;
    } else if ('key' in part && Array.isArray(value)) {
      value = (value as Record<string, unknown>[]).find((element) =>
        KEY_MEMBERS.some((member) => element[member] === part.key),
      );
    } else {
      const name = 'key' in part ? part.key : part.name;
      value = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
    }
  }
  return value;
}
