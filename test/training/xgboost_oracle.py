"""Trains two small models with the real XGBoost and writes them beside their predictions.

    python3 xgboost_oracle.py <folder> <tag>

The files in fixtures/ were made by this script with xgboost 3.0.5 (tag 3.0, the version of SageMaker's container
3.0-5) and 3.2.0 (tag 3.2, which writes base_score as an array). The parity test runs it again where it can.
"""

import json
import sys

import numpy as np
import xgboost as xgb

folder, tag = sys.argv[1:3]
random = np.random.default_rng(5)
rows = np.round(random.normal(size=(400, 5)), 3).astype(float)
rows[random.random(rows.shape) < 0.15] = np.nan
known = np.nan_to_num(rows)
value = known[:, 0] * 2 + np.abs(known[:, 1]) - known[:, 2] * known[:, 3] + 20
event = (known[:, 0] + known[:, 1] * known[:, 2] > 0.2).astype(float)

predictions = {}
for name, objective, label in [("regression", "reg:squarederror", value), ("binary", "binary:logistic", event)]:
    parameters = {"objective": objective, "max_depth": 3, "eta": 0.3, "tree_method": "hist", "seed": 1}
    model = xgb.train(parameters, xgb.DMatrix(rows, label=label), 6)
    for extension in ("ubj", "json"):
        with open(f"{folder}/{name}-{tag}.{extension}", "wb") as file:
            file.write(model.save_raw(extension))
    predictions[name] = [float(prediction) for prediction in model.predict(xgb.DMatrix(rows[:40]))]

with open(f"{folder}/expected-{tag}.json", "w") as file:
    sample = [[None if np.isnan(number) else number for number in row] for row in rows[:40].tolist()]
    json.dump({"xgboost": xgb.__version__, "rows": sample, "predictions": predictions}, file)
