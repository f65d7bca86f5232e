/** The choice of a node's split from its histogram, by XGBoost's regularised gain and its monotone bounds. */
import type { BinnedMatrix } from './bins';
import type { TrainingParameters } from './parameters';

/** Gains below this are rounding. */
const LEAST_GAIN = 1e-6;
const FORBIDDEN = -Infinity;

export interface Split {
  readonly feature: number;
  /** Bins up to this one go left; −1 = only missing values do. */
  readonly bin: number;
  readonly threshold: number;
  readonly defaultLeft: boolean;
  readonly gain: number;
  readonly leftGradient: number;
  readonly leftHessian: number;
}

/** What a node's weight must stay within, so that the tree is monotone. */
export interface Bounds {
  readonly lower: number;
  readonly upper: number;
}

export const UNBOUNDED: Bounds = { lower: -Infinity, upper: Infinity };

export class SplitFinder {
  private readonly lambda: number;
  private readonly alpha: number;
  private readonly leastHessian: number;

  constructor(
    private readonly matrix: BinnedMatrix,
    private readonly parameters: TrainingParameters,
  ) {
    this.lambda = parameters.lambda;
    this.alpha = parameters.alpha;
    this.leastHessian = Math.max(parameters.minChildWeight, 1e-12);
  }

  /** The weight that minimises the node's loss, within its bounds. */
  weight(gradient: number, hessian: number, bounds: Bounds): number {
    const reduced = this.shrink(gradient);
    const weight = hessian + this.lambda > 0 ? -reduced / (hessian + this.lambda) : 0;
    if (weight < bounds.lower) return bounds.lower;
    return weight > bounds.upper ? bounds.upper : weight;
  }

  /**
   * The split with the greatest gain, the first in feature and bin order among equals, or undefined where none is
   * allowed. `histogram` holds gradient and hessian per bin: feature × (missingBin + 1) × 2.
   */
  best(
    histogram: Float64Array,
    features: Int32Array,
    gradient: number,
    hessian: number,
    bounds: Bounds,
  ): Split | undefined {
    const stride = (this.matrix.missingBin + 1) * 2;
    const parentGain = this.gain(gradient, hessian, bounds);
    let found: Split | undefined;
    let most = Math.max(LEAST_GAIN, this.parameters.gamma);
    for (const feature of features) {
      const cuts = this.matrix.cuts[feature]!;
      const direction = this.parameters.monotone?.[feature] ?? 0;
      const from = feature * stride;
      const missingAt = from + this.matrix.missingBin * 2;
      const missing = this.matrix.hasMissing[feature] === 1;
      let leftGradient = 0;
      let leftHessian = 0;
      for (let bin = missing ? -1 : 0; bin < cuts.length; bin++) {
        if (bin >= 0) {
          leftGradient += histogram[from + bin * 2]!;
          leftHessian += histogram[from + bin * 2 + 1]!;
          const gain = this.splitGain(leftGradient, leftHessian, gradient, hessian, direction, bounds) - parentGain;
          if (gain > most) {
            most = gain;
            found = { feature, bin, threshold: cuts[bin]!, defaultLeft: false, gain, leftGradient, leftHessian };
          }
        }
        if (!missing) continue;
        const withGradient = leftGradient + histogram[missingAt]!;
        const withHessian = leftHessian + histogram[missingAt + 1]!;
        const gain = this.splitGain(withGradient, withHessian, gradient, hessian, direction, bounds) - parentGain;
        if (gain > most) {
          most = gain;
          const threshold = bin < 0 ? this.matrix.minima[feature]! : cuts[bin]!;
          found = {
            feature,
            bin,
            threshold,
            defaultLeft: true,
            gain,
            leftGradient: withGradient,
            leftHessian: withHessian,
          };
        }
      }
    }
    return found;
  }

  /** Bounds of the two children: under a monotone split they meet in the middle of the children's weights. */
  childBounds(split: Split, leftWeight: number, rightWeight: number, bounds: Bounds): { left: Bounds; right: Bounds } {
    const direction = this.parameters.monotone?.[split.feature] ?? 0;
    if (direction === 0) return { left: bounds, right: bounds };
    const middle = (leftWeight + rightWeight) / 2;
    return direction > 0
      ? { left: { lower: bounds.lower, upper: middle }, right: { lower: middle, upper: bounds.upper } }
      : { left: { lower: middle, upper: bounds.upper }, right: { lower: bounds.lower, upper: middle } };
  }

  private splitGain(
    leftGradient: number,
    leftHessian: number,
    gradient: number,
    hessian: number,
    direction: number,
    bounds: Bounds,
  ): number {
    const rightGradient = gradient - leftGradient;
    const rightHessian = hessian - leftHessian;
    if (leftHessian < this.leastHessian || rightHessian < this.leastHessian) return FORBIDDEN;
    if (direction !== 0) {
      const left = this.weight(leftGradient, leftHessian, bounds);
      const right = this.weight(rightGradient, rightHessian, bounds);
      if (direction > 0 ? left > right : left < right) return FORBIDDEN;
    }
    return this.gain(leftGradient, leftHessian, bounds) + this.gain(rightGradient, rightHessian, bounds);
  }

  /** Twice the loss reduction of the best weight: T(G)² ÷ (H + λ) where no bound holds it back. */
  private gain(gradient: number, hessian: number, bounds: Bounds): number {
    if (bounds === UNBOUNDED) {
      const reduced = this.shrink(gradient);
      return hessian + this.lambda > 0 ? (reduced * reduced) / (hessian + this.lambda) : 0;
    }
    const weight = this.weight(gradient, hessian, bounds);
    return -(2 * gradient * weight + (hessian + this.lambda) * weight * weight + 2 * this.alpha * Math.abs(weight));
  }

  private shrink(gradient: number): number {
    if (gradient > this.alpha) return gradient - this.alpha;
    if (gradient < -this.alpha) return gradient + this.alpha;
    return 0;
  }
}
