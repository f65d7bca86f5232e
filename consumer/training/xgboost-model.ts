/**
 * An XGBoost tree model as SageMaker's container leaves it, read and scored in this process. Scores follow XGBoost's:
 * values, conditions and sums are 32-bit floats, `value < condition` goes left, a missing value goes its node's
 * default way.
 * @see https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html (JSON and UBJSON, schema)
 */
import { parseUbjson } from './ubjson';

/** File name of the model inside `model.tar.gz`. */
export const MODEL_FILE = 'xgboost-model';

type Json = Readonly<Record<string, unknown>>;

function member(object: unknown, path: string): unknown {
  let value: unknown = object;
  for (const key of path.split('.')) {
    value = typeof value === 'object' && value !== null ? (value as Json)[key] : undefined;
    if (value === undefined) throw new Error(`the model has no ${path}`);
  }
  return value;
}

function numbers(object: unknown, path: string): readonly number[] {
  const value = member(object, path);
  const valid = Array.isArray(value) && value.every((entry) => typeof entry === 'number' || typeof entry === 'boolean');
  if (!valid) throw new Error(`the model's ${path} is not an array of numbers`);
  return value.map(Number);
}

/** A number that XGBoost writes as text; from 3.1 on in brackets, one entry per target. */
function parameter(object: unknown, path: string): number {
  const raw = member(object, path);
  const text = Array.isArray(raw) ? raw.map(String).join(',') : String(raw);
  const value = Number(text.replace(/^\[(.*)\]$/, '$1'));
  if (text.trim() === '' || !Number.isFinite(value)) throw new Error(`the model's ${path} is not one number`);
  return value;
}

/** All trees' nodes, one after the other; node numbers are positions in these arrays. */
interface Nodes {
  /** First node of each tree. */
  readonly roots: Int32Array;
  /** −1 at a leaf. */
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly feature: Int32Array;
  /** Condition of a split, value of a leaf. */
  readonly value: Float32Array;
  readonly defaultLeft: Uint8Array;
}

function readTree(tree: unknown, number: number, features: number): Omit<Nodes, 'roots'> {
  const left = Int32Array.from(numbers(tree, 'left_children'));
  const right = Int32Array.from(numbers(tree, 'right_children'));
  const feature = Int32Array.from(numbers(tree, 'split_indices'));
  const value = Float32Array.from(numbers(tree, 'split_conditions'));
  const defaultLeft = Uint8Array.from(numbers(tree, 'default_left'));
  const count = left.length;
  if (count === 0 || [right, feature, value, defaultLeft].some((array) => array.length !== count)) {
    throw new Error(`the model's tree ${number} has arrays of different lengths`);
  }
  if (((tree as Json).split_type as unknown[] | undefined)?.some((type) => Number(type) !== 0)) {
    throw new Error(`the model's tree ${number} splits by category; only numeric features are known here`);
  }
  const parents = new Uint8Array(count);
  for (let node = 0; node < count; node++) {
    if (left[node] === -1) continue;
    for (const child of [left[node]!, right[node]!]) {
      // Each node but the root is the child of one other: so a walk from the root always ends.
      if (child <= 0 || child >= count || parents[child]! > 0)
        throw new Error(`the model's tree ${number} is not a tree`);
      parents[child] = 1;
    }
    if (feature[node]! < 0 || feature[node]! >= features) {
      throw new Error(`the model's tree ${number} splits by feature ${feature[node]} of ${features}`);
    }
  }
  return { left, right, feature, value, defaultLeft };
}

function concatenate(trees: readonly Omit<Nodes, 'roots'>[]): Nodes {
  const roots = new Int32Array(trees.length);
  let total = 0;
  trees.forEach((tree, index) => {
    roots[index] = total;
    total += tree.left.length;
  });
  const nodes = {
    roots,
    left: new Int32Array(total),
    right: new Int32Array(total),
    feature: new Int32Array(total),
    value: new Float32Array(total),
    defaultLeft: new Uint8Array(total),
  };
  trees.forEach((tree, index) => {
    const start = roots[index]!;
    nodes.left.set(
      tree.left.map((child) => (child === -1 ? -1 : child + start)),
      start,
    );
    nodes.right.set(
      tree.right.map((child) => (child === -1 ? -1 : child + start)),
      start,
    );
    nodes.feature.set(tree.feature, start);
    nodes.value.set(tree.value, start);
    nodes.defaultLeft.set(tree.defaultLeft, start);
  });
  return nodes;
}

export class XGBoostModel {
  /**
   * @param bytes The file `xgboost-model`, JSON or UBJSON.
   * @throws Error naming what is missing, inconsistent or of a kind that is not known here.
   */
  static parse(bytes: Uint8Array): XGBoostModel {
    return new XGBoostModel(parseDocument(bytes));
  }

  readonly objective: 'reg:squarederror' | 'reg:pseudohubererror' | 'binary:logistic';
  /** Columns that a row has. */
  readonly features: number;
  readonly trees: number;
  private readonly nodes: Nodes;
  private readonly baseMargin: number;

  private constructor(document: unknown) {
    const booster = String(member(document, 'learner.gradient_booster.name'));
    if (booster !== 'gbtree') throw new Error(`the model's booster is ${booster}; only gbtree is known here`);
    const objective = String(member(document, 'learner.objective.name'));
    if (objective !== 'reg:squarederror' && objective !== 'reg:pseudohubererror' && objective !== 'binary:logistic') {
      throw new Error(
        `the model's objective ${objective} is none of reg:squarederror, reg:pseudohubererror, binary:logistic`,
      );
    }
    this.objective = objective;
    this.features = parameter(document, 'learner.learner_model_param.num_feature');
    const base = Math.fround(parameter(document, 'learner.learner_model_param.base_score'));
    // The file holds the score as the objective gives it: a probability for a logistic one.
    this.baseMargin = objective === 'binary:logistic' ? Math.fround(-Math.log(1 / base - 1)) : base;
    const trees = member(document, 'learner.gradient_booster.model.trees');
    if (!Array.isArray(trees)) throw new Error("the model's trees are not an array");
    this.nodes = concatenate(trees.map((tree, index) => readTree(tree, index, this.features)));
    this.trees = trees.length;
  }

  /** The prediction for one row: a value, or the probability of class 1. NaN in a row is a missing value. */
  predict(row: Float32Array): number {
    if (row.length !== this.features) {
      throw new RangeError(`the row has ${row.length} values, the model was trained on ${this.features}`);
    }
    const { roots, left, right, feature, value, defaultLeft } = this.nodes;
    let sum = this.baseMargin;
    for (let tree = 0; tree < roots.length; tree++) {
      let node = roots[tree]!;
      while (left[node] !== -1) {
        const input = row[feature[node]!]!;
        const goesLeft = Number.isNaN(input) ? defaultLeft[node] !== 0 : input < value[node]!;
        node = goesLeft ? left[node]! : right[node]!;
      }
      sum = Math.fround(sum + value[node]!);
    }
    return this.objective === 'binary:logistic' ? Math.fround(1 / (1 + Math.exp(-sum))) : sum;
  }

  /** Predictions for rows given as columns, in the order of the model's features. */
  predictColumns(columns: readonly Float64Array[]): Float64Array {
    const row = new Float32Array(columns.length);
    const predictions = new Float64Array(columns[0]?.length ?? 0);
    for (let index = 0; index < predictions.length; index++) {
      columns.forEach((column, position) => (row[position] = column[index]!));
      predictions[index] = this.predict(row);
    }
    return predictions;
  }
}

function parseDocument(bytes: Uint8Array): unknown {
  // Both formats begin with a brace; in JSON a quote or white space follows, in UBJSON a type marker.
  if (bytes[0] !== 0x7b) {
    throw new Error(
      'the model is neither JSON nor UBJSON. XGBoost before 2.1 writes a binary format of its own: train with the ' +
        'container 3.0-5 or newer',
    );
  }
  const isJson = bytes[1] === 0x22 || bytes[1] === 0x20 || bytes[1] === 0x0a || bytes[1] === 0x0d || bytes[1] === 0x09;
  if (!isJson) return parseUbjson(bytes);
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    throw new Error('the model is not complete JSON');
  }
}
