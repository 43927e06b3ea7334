"""A task of your own, of a scikit-learn estimator.

It runs as it stands:

    mfbo tune mytask.py:task --max-cost 20s

Put your own data, estimator and hyperparameters in the place of these.
"""

from __future__ import annotations

from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

import mfbo

# 1. The data. Test and validation part are split off for you: validation=0.25, test=0.2.
x, y = load_digits(return_X_y=True)

# 2. The space: names are parameters of the estimator; of a part of a pipeline such as svc__C.
space = ConfigurationSpace()
space.add(
    Float("max_features", (0.02, 1.0), log=True),
    Integer("min_samples_leaf", (1, 20), log=True),
    Float("min_impurity_decrease", (1e-6, 1e-2), log=True),
    Categorical("criterion", ["gini", "entropy"]),
)

# 3. The task. A cheap trial has a part of the data, and of the trees that the estimator would have.
#    An estimator with partial_fit, such as SGDClassifier, needs no size: it continues from epoch to epoch.
task = mfbo.sklearn_task("mytask", RandomForestClassifier(n_estimators=100), space, x, y, size="n_estimators")
