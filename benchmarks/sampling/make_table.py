"""Trains a support vector machine on scikit-learn's diabetes data with every combination of a space, and writes the
errors.

`python benchmarks/sampling/make_table.py` takes some minutes, and writes diabetes_svm.json beside this file: a real
search whose best result is known, for the benchmark of samplers.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from problems import TABLE, combinations
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

LEARNED = 300
SPACE: dict[str, Any] = {
    "kernel": {"type": "categorical", "choices": ["rbf", "poly", "sigmoid"]},
    "C": {"type": "ordinal", "sequence": [10.0**each for each in range(-4, 6)]},
    "gamma": {"type": "ordinal", "sequence": [10.0 ** (each / 2) for each in range(-12, 3)]},
    "epsilon": {"type": "ordinal", "sequence": [0.01, 0.1, 0.5]},
    "degree": {"type": "ordinal", "sequence": [2, 3, 4, 5], "when": {"kernel": ["poly"]}},
    "coef0": {"type": "ordinal", "sequence": [0.0, 0.1, 1.0, 10.0], "when": {"kernel": ["poly", "sigmoid"]}},
}


def main() -> None:
    """Trains all, and writes the mean squared error of each, as a part of the variance: 1 is worth nothing."""
    found: Any = load_diabetes(return_X_y=True)
    inputs, targets = found
    order = np.random.default_rng(0).permutation(len(targets))
    inputs, targets = StandardScaler().fit_transform(inputs)[order], (targets[order] - targets.mean()) / targets.std()
    unseen = targets[LEARNED:]
    losses: list[float] = []
    for hparams in combinations(SPACE):
        model = SVR(**hparams, max_iter=5_000).fit(inputs[:LEARNED], targets[:LEARNED])
        error = float(np.mean((model.predict(inputs[LEARNED:]) - unseen) ** 2) / unseen.var())
        losses.append(round(min(error, 9.0), 4))
    document = {"hyperparameters": SPACE, "losses": losses}
    TABLE.write_text(json.dumps(document, separators=(",", ":")) + "\n")
    print(f"{len(losses):,} combinations, from {min(losses)} to {max(losses)}")


if __name__ == "__main__":
    main()
