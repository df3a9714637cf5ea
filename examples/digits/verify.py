"""Trains the best trial of a search again, alone in this process, and compares.

Usage: python examples/digits/verify.py [DATABASE]
What the search reported after every epoch, trained on whichever workers and across whichever pauses, has to come out
again to the last digit. Exits with 1 where it does not, or where the network reads fewer digits rightly than it should.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rungmaster.worker.testing import train_alone

#: Share of the test images that the best network has to read rightly.
REQUIRED = 0.97

BEST = """
    SELECT trials.experiment_id, trial_id, hparams, metric_resource AS epochs, spec
    FROM trials JOIN experiments USING (experiment_id)
    WHERE experiment_id = (SELECT max(experiment_id) FROM experiments) AND trials.metric IS NOT NULL
    ORDER BY trials.metric, trial_id LIMIT 1
"""
REPORTS = """
    SELECT resource, metrics FROM reports
    WHERE experiment_id = :experiment_id AND trial_id = :trial_id AND resource <= :epochs
    ORDER BY resource
"""


@dataclass(frozen=True, slots=True)
class Found:
    """The best trial of the newest search in a database, and its metrics after each epoch."""

    trial_id: int
    hparams: dict[str, Any]
    epochs: int
    seed: int
    reports: dict[int, dict[str, float]]


def find_best(database: Path) -> Found:
    """Reads it with plain SQL. Raises SystemExit where there is none."""
    if not database.is_file():
        sys.exit(f"{database}: no such database; run a search first")
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        best = connection.execute(BEST).fetchone()
        if best is None:
            sys.exit(f"{database}: no trial has a result yet")
        rows = connection.execute(REPORTS, dict(best)).fetchall()
    reports = {row["resource"]: json.loads(row["metrics"]) for row in rows}
    seed = json.loads(best["spec"])["seed"]
    return Found(best["trial_id"], json.loads(best["hparams"]), best["epochs"], seed, reports)


def train_again(found: Found) -> dict[int, dict[str, float]]:
    """Trains the same hyperparameters from the same seed, without a master, a worker or a checkpoint."""
    # The folder that holds `examples`, as for a worker that was started there.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from examples.digits import train

    again = train_alone(
        train,
        found.hparams,
        found.epochs,
        metric="validation_error",
        experiment_seed=found.seed,
        trial_id=found.trial_id,
    )
    return {report.resource: report.metrics for report in again}


def describe(metrics: dict[str, float]) -> str:
    """The two measurements of an epoch, with every digit they have."""
    return f"validation_error {metrics['validation_error']!r}, test_accuracy {metrics['test_accuracy']!r}"


def main(database: Path) -> int:
    """Prints both results. 0 where they are the same and good enough, otherwise 1."""
    found = find_best(database)
    again = train_again(found)
    searched = found.reports[found.epochs]
    accuracy = searched["test_accuracy"]
    same = again == found.reports
    good = accuracy >= REQUIRED
    print(f"\ntrial {found.trial_id} after {found.epochs} epochs")
    print(f"  in the search   {describe(searched)}")
    print(f"  trained alone   {describe(again[found.epochs])}")
    print(f"  all {found.epochs} epochs are {'the same to the last digit' if same else 'NOT the same'}")
    print(f"  test accuracy {accuracy:.4f} is {'at least' if good else 'LESS than'} {REQUIRED}")
    return 0 if same and good else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "rungmaster.db")))
