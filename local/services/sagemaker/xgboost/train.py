"""Trains with real XGBoost as the SageMaker container does; the rules on data were checked before. One argument: a task file."""

import json
import os
import sys

import pyarrow.parquet as pq
import xgboost as xgb

MAXIMISED = {"auc", "aucpr", "map", "ndcg"}


def load(directory, task):
    if task["format"] == "parquet":
        data = pq.read_table(directory).to_pandas().to_numpy()
        return xgb.DMatrix(data[:, 1:], label=data[:, 0])
    files = sorted(os.listdir(directory))
    sample = next(f for f in files if os.path.getsize(os.path.join(directory, f)) > 0)
    with open(os.path.join(directory, sample)) as file:
        line = file.readline()
    delimiter = next((d for d in ",;\t| :" if d in line), ",")
    weights = "&weight_column=1" if task["hyperparameters"].get("csv_weights") == "1" else ""
    return xgb.DMatrix(f"{directory}?format=csv&label_column=0&delimiter={delimiter}{weights}")


def main():
    with open(sys.argv[1]) as file:
        task = json.load(file)
    parameters = dict(task["hyperparameters"])
    rounds = int(parameters.pop("num_round"))
    stopping = parameters.pop("early_stopping_rounds", None)
    for name in ("csv_weights", "save_model_on_termination", "use_dask_gpu_training", "_tuning_objective_metric"):
        parameters.pop(name, None)
    metrics = parameters.pop("eval_metric", None)
    if metrics:
        parameters["eval_metric"] = metrics.split(",")

    train = load(task["trainDirectory"], task)
    sets = [(train, "train")]
    if task.get("validationDirectory"):
        sets.append((load(task["validationDirectory"], task), "validation"))
    callbacks = [xgb.callback.EvaluationMonitor()]
    if stopping and metrics and len(sets) > 1:
        metric = parameters["eval_metric"][-1]
        callbacks.append(
            xgb.callback.EarlyStopping(
                rounds=int(stopping), data_name="validation", metric_name=metric, maximize=metric in MAXIMISED, save_best=True
            )
        )
    booster = xgb.train(parameters, train, rounds, evals=sets, callbacks=callbacks, verbose_eval=False)
    # The suffix fixes the format; the container's file has none.
    booster.save_model(task["model"] + ".ubj")
    os.replace(task["model"] + ".ubj", task["model"])


main()
