/** A regression tree in XGBoost's own terms: parallel arrays by node, node 0 the root. */
export interface Tree {
  readonly nodes: number;
  /** −1 for a leaf. */
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** 2147483647 for the root. */
  readonly parent: Int32Array;
  readonly splitIndex: Int32Array;
  /** Threshold (left is `value < threshold`), or the leaf's value, shrunk by eta. */
  readonly splitCondition: Float32Array;
  /** 1 where a missing value goes left. */
  readonly defaultLeft: Uint8Array;
  readonly lossChange: Float32Array;
  readonly sumHessian: Float32Array;
  /** Weight of the node before shrinkage. */
  readonly baseWeight: Float32Array;
}

export const ROOT_PARENT = 2147483647;

/** The value of the leaf that a row of raw features ends in. */
export function predictTree(tree: Tree, values: Float32Array, offset: number): number {
  let node = 0;
  while (tree.left[node]! !== -1) {
    const value = values[offset + tree.splitIndex[node]!]!;
    // NaN, the missing value, is the one number that differs from itself.
    const goesLeft = value !== value ? tree.defaultLeft[node]! === 1 : value < tree.splitCondition[node]!;
    node = goesLeft ? tree.left[node]! : tree.right[node]!;
  }
  return tree.splitCondition[node]!;
}

/** Collects nodes while a tree grows. */
export class TreeBuilder {
  private readonly left: number[] = [];
  private readonly right: number[] = [];
  private readonly parent: number[] = [];
  private readonly splitIndex: number[] = [];
  private readonly splitCondition: number[] = [];
  private readonly defaultLeft: number[] = [];
  private readonly lossChange: number[] = [];
  private readonly sumHessian: number[] = [];
  private readonly baseWeight: number[] = [];

  addNode(parent: number, sumHessian: number, weight: number): number {
    this.left.push(-1);
    this.right.push(-1);
    this.parent.push(parent);
    this.splitIndex.push(0);
    this.splitCondition.push(0);
    this.defaultLeft.push(0);
    this.lossChange.push(0);
    this.sumHessian.push(sumHessian);
    this.baseWeight.push(weight);
    return this.left.length - 1;
  }

  split(
    node: number,
    left: number,
    right: number,
    feature: number,
    threshold: number,
    defaultLeft: boolean,
    gain: number,
  ): void {
    this.left[node] = left;
    this.right[node] = right;
    this.splitIndex[node] = feature;
    this.splitCondition[node] = threshold;
    this.defaultLeft[node] = defaultLeft ? 1 : 0;
    this.lossChange[node] = gain;
  }

  leaf(node: number, value: number): void {
    this.splitCondition[node] = value;
  }

  build(): Tree {
    return {
      nodes: this.left.length,
      left: Int32Array.from(this.left),
      right: Int32Array.from(this.right),
      parent: Int32Array.from(this.parent),
      splitIndex: Int32Array.from(this.splitIndex),
      splitCondition: Float32Array.from(this.splitCondition),
      defaultLeft: Uint8Array.from(this.defaultLeft),
      lossChange: Float32Array.from(this.lossChange),
      sumHessian: Float32Array.from(this.sumHessian),
      baseWeight: Float32Array.from(this.baseWeight),
    };
  }
}
