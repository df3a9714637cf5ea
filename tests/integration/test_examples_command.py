"""The examples in other languages: real searches over programs that know nothing of Rungmaster but its socket."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from rungmaster import run
from rungmaster.shared.wire.model import ExperimentState

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMANDS = {
    "shell": ["sh", "examples/command/train.sh"],
    # Isolated and without site-packages: the standard library has to be enough.
    "python": [sys.executable, "-I", "-S", "examples/command/train.py"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_program_in_any_language_is_trained_paused_and_resumed(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    spec = yaml.safe_load((EXAMPLES / "command/experiment.yaml").read_text())
    searcher = {"name": "asha", "max_trials": 4, "max_resource": 4, "divisor": 2}
    # Seed 7 gives trial 0 a far better learning rate than trial 1. With one worker that order is always the same:
    # trial 0 pauses at the first rung, trial 1 does worse, and trial 0 goes on from its checkpoint.
    spec |= {"entrypoint": command, "searcher": searcher, "seed": 7}
    ended = run(spec, workers=1, database="search.db")
    assert ended.state is ExperimentState.COMPLETED, ended.state_reason
    assert ended.best_trial is not None
    assert ended.best_trial.metric is not None
    assert ended.best_trial.metric < 0.3
    with closing(sqlite3.connect("search.db")) as database:
        failed = database.execute("SELECT error FROM leases WHERE outcome = 'failed'").fetchall()
        resumed = database.execute("SELECT count(*) FROM leases WHERE from_resource > 0").fetchone()
        twice = database.execute("SELECT 1 FROM reports GROUP BY trial_id, resource HAVING count(*) > 1").fetchall()
    assert failed == []
    assert resumed > (0,)
    assert twice == []
