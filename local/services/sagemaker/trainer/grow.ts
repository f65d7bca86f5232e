/**
 * One tree by histograms, depth first (Chen & Guestrin 2016; the histogram of the larger child is its parent's minus its
 * sibling's, as in LightGBM and XGBoost's `hist`). At most two histograms per level are alive at a time.
 */
import type { BinnedMatrix } from './bins';
import type { TrainingParameters } from './parameters';
import { type Bounds, type Split, SplitFinder, UNBOUNDED } from './split';
import { ROOT_PARENT, type Tree, TreeBuilder } from './tree';

interface OpenNode {
  readonly node: number;
  /** Its rows: `order[begin … end)`. */
  readonly begin: number;
  readonly end: number;
  readonly depth: number;
  readonly gradient: number;
  readonly hessian: number;
  readonly weight: number;
  readonly bounds: Bounds;
  readonly histogram?: Float64Array;
  readonly split?: Split;
}

export class TreeGrower {
  private readonly finder: SplitFinder;
  private readonly histogramSize: number;
  private readonly spare: Float64Array[] = [];
  private readonly scratch: Int32Array;

  constructor(
    private readonly matrix: BinnedMatrix,
    private readonly parameters: TrainingParameters,
  ) {
    this.finder = new SplitFinder(matrix, parameters);
    this.histogramSize = matrix.columns * (matrix.missingBin + 1) * 2;
    this.scratch = new Int32Array(matrix.rows);
  }

  /**
   * @param gradients gradient and hessian of row r at 2r and 2r + 1
   * @param order the rows to grow from; reordered so that each leaf's rows stand together
   * @param features the features that may split, ascending
   * @param onLeaf called with each leaf's value and its rows, `order[begin … end)`
   */
  grow(
    gradients: Float64Array,
    order: Int32Array,
    features: Int32Array,
    onLeaf: (value: number, begin: number, end: number) => void,
  ): Tree {
    const builder = new TreeBuilder();
    let gradient = 0;
    let hessian = 0;
    for (const row of order) {
      gradient += gradients[row * 2]!;
      hessian += gradients[row * 2 + 1]!;
    }
    const weight = this.finder.weight(gradient, hessian, UNBOUNDED);
    const node = builder.addNode(ROOT_PARENT, hessian, weight);
    const bounds = this.parameters.monotone?.some((direction) => direction !== 0)
      ? { lower: -Infinity, upper: Infinity }
      : UNBOUNDED;
    const histogram = this.fill(gradients, order, 0, order.length);
    const split = this.finder.best(histogram, features, gradient, hessian, bounds);
    const stack: OpenNode[] = [
      { node, begin: 0, end: order.length, depth: 0, gradient, hessian, weight, bounds, histogram, split },
    ];
    for (let open = stack.pop(); open; open = stack.pop()) {
      if (open.split) {
        this.expand(open, open.split, builder, gradients, order, features, stack);
        continue;
      }
      const value = Math.fround(this.parameters.eta * open.weight);
      builder.leaf(open.node, value);
      onLeaf(value, open.begin, open.end);
      if (open.histogram) this.spare.push(open.histogram);
    }
    return builder.build();
  }

  private expand(
    open: OpenNode,
    split: Split,
    builder: TreeBuilder,
    gradients: Float64Array,
    order: Int32Array,
    features: Int32Array,
    stack: OpenNode[],
  ): void {
    const { begin, end, bounds } = open;
    const middle = this.partition(order, begin, end, split);
    const rightGradient = open.gradient - split.leftGradient;
    const rightHessian = open.hessian - split.leftHessian;
    const leftWeight = this.finder.weight(split.leftGradient, split.leftHessian, bounds);
    const rightWeight = this.finder.weight(rightGradient, rightHessian, bounds);
    const child = this.finder.childBounds(split, leftWeight, rightWeight, bounds);
    const left = builder.addNode(open.node, split.leftHessian, leftWeight);
    const right = builder.addNode(open.node, rightHessian, rightWeight);
    builder.split(open.node, left, right, split.feature, split.threshold, split.defaultLeft, split.gain);

    const depth = open.depth + 1;
    const deepest = this.parameters.maxDepth > 0 && depth >= this.parameters.maxDepth;
    let leftHistogram: Float64Array | undefined;
    let rightHistogram: Float64Array | undefined;
    if (deepest) {
      this.spare.push(open.histogram!);
    } else if (middle - begin <= end - middle) {
      leftHistogram = this.fill(gradients, order, begin, middle);
      rightHistogram = subtract(open.histogram!, leftHistogram);
    } else {
      rightHistogram = this.fill(gradients, order, middle, end);
      leftHistogram = subtract(open.histogram!, rightHistogram);
    }
    stack.push(
      this.open(
        right,
        middle,
        end,
        depth,
        rightGradient,
        rightHessian,
        rightWeight,
        child.right,
        rightHistogram,
        features,
      ),
      this.open(
        left,
        begin,
        middle,
        depth,
        split.leftGradient,
        split.leftHessian,
        leftWeight,
        child.left,
        leftHistogram,
        features,
      ),
    );
  }

  private open(
    node: number,
    begin: number,
    end: number,
    depth: number,
    gradient: number,
    hessian: number,
    weight: number,
    bounds: Bounds,
    histogram: Float64Array | undefined,
    features: Int32Array,
  ): OpenNode {
    const split = histogram && this.finder.best(histogram, features, gradient, hessian, bounds);
    return { node, begin, end, depth, gradient, hessian, weight, bounds, histogram, split };
  }

  private fill(gradients: Float64Array, order: Int32Array, begin: number, end: number): Float64Array {
    const histogram = this.spare.pop()?.fill(0) ?? new Float64Array(this.histogramSize);
    const { bins, columns } = this.matrix;
    const stride = (this.matrix.missingBin + 1) * 2;
    for (let index = begin; index < end; index++) {
      const row = order[index]!;
      const gradient = gradients[row * 2]!;
      const hessian = gradients[row * 2 + 1]!;
      const from = row * columns;
      for (let column = 0, base = 0; column < columns; column++, base += stride) {
        const at = base + bins[from + column]! * 2;
        histogram[at]! += gradient;
        histogram[at + 1]! += hessian;
      }
    }
    return histogram;
  }

  /** Stable: rows that go left first, each side in its former order. Returns where the right side begins. */
  private partition(order: Int32Array, begin: number, end: number, split: Split): number {
    const { bins, columns, missingBin } = this.matrix;
    let left = begin;
    let right = 0;
    for (let index = begin; index < end; index++) {
      const row = order[index]!;
      const bin = bins[row * columns + split.feature]!;
      if (bin === missingBin ? split.defaultLeft : bin <= split.bin) order[left++] = row;
      else this.scratch[right++] = row;
    }
    order.set(this.scratch.subarray(0, right), left);
    return left;
  }
}

function subtract(parent: Float64Array, child: Float64Array): Float64Array {
  for (let index = 0; index < parent.length; index++) parent[index]! -= child[index]!;
  return parent;
}
