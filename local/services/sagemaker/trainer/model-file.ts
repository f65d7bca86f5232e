/**
 * The model as XGBoost's container writes it: the schema of "Introduction to Model IO" in XGBoost's documentation,
 * UBJSON, in the file `xgboost-model`.
 */
import type { Model } from './booster';
import type { Tree } from './tree';
import { type UbjValue, writeUbjson } from './ubjson';

/** XGBoost of the container 3.0-5, whose schema this is. */
const VERSION = [3, 0, 5];

export const MODEL_FILE = 'xgboost-model';

export function modelFile(model: Model): Buffer {
  return writeUbjson({
    learner: {
      attributes: attributes(model),
      feature_names: [],
      feature_types: [],
      gradient_booster: {
        model: {
          gbtree_model_param: { num_parallel_tree: '1', num_trees: String(model.trees.length) },
          iteration_indptr: iterationStarts(model),
          tree_info: model.trees.map((_, index) => index % model.treesPerRound),
          trees: model.trees.map((tree, id) => treeDocument(tree, id, model.features)),
        },
        name: 'gbtree',
      },
      learner_model_param: {
        base_score: exponential(model.baseScore),
        boost_from_average: '1',
        num_class: String(model.classes),
        num_feature: String(model.features),
        num_target: '1',
      },
      objective: objectiveDocument(model),
    },
    version: VERSION,
  });
}

function attributes(model: Model): Record<string, string> {
  if (!model.best) return {};
  return { best_iteration: String(model.best.iteration), best_score: String(model.best.score) };
}

function iterationStarts(model: Model): number[] {
  const rounds = model.trees.length / model.treesPerRound;
  return Array.from({ length: rounds + 1 }, (_, round) => round * model.treesPerRound);
}

function objectiveDocument(model: Model): UbjValue {
  return model.objective === 'multi:softprob'
    ? { name: model.objective, softmax_multiclass_param: { num_class: String(model.classes) } }
    : { name: model.objective, reg_loss_param: { scale_pos_weight: String(model.scalePosWeight) } };
}

function treeDocument(tree: Tree, id: number, features: number): UbjValue {
  return {
    base_weights: tree.baseWeight,
    categories: new Int32Array(0),
    categories_nodes: new Int32Array(0),
    categories_segments: new BigInt64Array(0),
    categories_sizes: new BigInt64Array(0),
    default_left: tree.defaultLeft,
    id,
    left_children: tree.left,
    loss_changes: tree.lossChange,
    parents: tree.parent,
    right_children: tree.right,
    split_conditions: tree.splitCondition,
    split_indices: tree.splitIndex,
    split_type: new Uint8Array(tree.nodes),
    sum_hessian: tree.sumHessian,
    tree_param: {
      num_deleted: '0',
      num_feature: String(features),
      num_nodes: String(tree.nodes),
      size_leaf_vector: '1',
    },
  };
}

/** A float32 in XGBoost's notation, such as 4.8E-1: nine digits give back the same float32. */
function exponential(value: number): string {
  return value.toExponential(8).replace('e', 'E').replace('E+', 'E');
}
