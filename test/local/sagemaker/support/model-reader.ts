/** A reader of XGBoost's UBJSON models, written from the format's documentation and apart from the product's own. */
export interface ReadModel {
  readonly learner: {
    readonly learner_model_param: Readonly<Record<string, string>>;
    readonly objective: { readonly name: string };
    readonly gradient_booster: {
      readonly name: string;
      readonly model: {
        readonly gbtree_model_param: Readonly<Record<string, string>>;
        readonly iteration_indptr: number[];
        readonly tree_info: number[];
        readonly trees: readonly ReadTree[];
      };
    };
  };
  readonly version: number[];
}

export interface ReadTree {
  readonly left_children: number[];
  readonly right_children: number[];
  readonly parents: number[];
  readonly split_indices: number[];
  readonly split_conditions: number[];
  readonly default_left: number[];
  readonly sum_hessian: number[];
  readonly tree_param: Readonly<Record<string, string>>;
}

export function readModel(bytes: Buffer): ReadModel {
  let at = 0;
  const marker = (): string => String.fromCharCode(bytes[at++]!);
  const scalar = (type: string): unknown => {
    const from = at;
    switch (type) {
      case 'i':
        return bytes.readInt8((at += 1) - 1);
      case 'U':
        return bytes.readUInt8((at += 1) - 1);
      case 'I':
        return ((at += 2), bytes.readInt16BE(from));
      case 'l':
        return ((at += 4), bytes.readInt32BE(from));
      case 'L':
        return ((at += 8), Number(bytes.readBigInt64BE(from)));
      case 'd':
        return ((at += 4), bytes.readFloatBE(from));
      case 'S':
        return text();
      case '{':
        return object();
      case '[':
        return array();
      default:
        throw new Error(`marker ${type} at ${at}`);
    }
  };
  const text = (): string => {
    const length = scalar(marker()) as number;
    return bytes.toString('utf8', at, (at += length));
  };
  const object = (): unknown => {
    const members: [string, unknown][] = [];
    while (bytes[at] !== 0x7d) members.push([text(), scalar(marker())]);
    at++;
    return Object.fromEntries(members);
  };
  const array = (): unknown[] => {
    let type: string | undefined;
    if (bytes[at] === 0x24) {
      at++;
      type = marker();
    }
    if (marker() !== '#') throw new Error(`array without count at ${at}`);
    const count = scalar(marker()) as number;
    return Array.from({ length: count }, () => scalar(type ?? marker()));
  };
  const model = scalar(marker()) as ReadModel;
  if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes are left`);
  return model;
}

/** Sum of the leaves that a row reaches, per group; without the base score. */
export function sumOfLeaves(model: ReadModel, row: readonly number[], groups = 1): number[] {
  const sums = new Array<number>(groups).fill(0);
  const { trees, tree_info } = model.learner.gradient_booster.model;
  for (const [index, tree] of trees.entries()) {
    let node = 0;
    while (tree.left_children[node] !== -1) {
      const value = Math.fround(row[tree.split_indices[node]!]!);
      const left = Number.isNaN(value) ? tree.default_left[node] === 1 : value < tree.split_conditions[node]!;
      node = (left ? tree.left_children : tree.right_children)[node]!;
    }
    sums[tree_info[index]!]! += tree.split_conditions[node]!;
  }
  return sums;
}
