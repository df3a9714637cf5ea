"""Whole searches through storms of faults, seed by seed; and that every kind of fault really happened."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from simulation.faults import FAULTS
from simulation.world import World

#: `make soak` asks for thousands.
SEEDS = int(os.environ.get("RUNGMASTER_SIMULATION_SEEDS", "100"))
CHUNK = 10

#: Beside the faults themselves: what they must have led to somewhere, or the seeds prove nothing.
MUST_HAPPEN = {
    *FAULTS,
    "a master killed at a barrier",
    "a master killed while a trial waits for its hyperparameters",
    "a worker killed before a barrier",
    "assignment repeated",
    "broken checkpoint",
    "checkpoint deleted",
    "crash once applied",
    "deletion failed",
    "deletion without an answer",
    "ending taken up again",
    "ending went on",
    "crash once committed",
    "failed after the commit",
    "failed before the commit",
    "journal: experiment_cancelled",
    "journal: experiment_completed",
    "journal: experiment_extended",
    "journal: experiment_paused",
    "journal: passed",
    "journal: checkpoint_broken",
    "journal: promoted",
    "journal: trial_discarded",
    "journal: trial_failed",
    "journal: trial_sampled",
    "journal: sampler_failed",
    "journal: sampler_recovered",
    "failed fast: cannot start",
    "failed fast: raises",
    "journal: experiment_failed",
    "lease cannot_start",
    "lease environment",
    "lease expired",
    "lease failed",
    "lease given_back",
    "lease invalid",
    "lease released",
    "lease worker_fault",
    "mastership lost",
    "person: resume",
    "poison killed a worker",
    "repeated event",
    "report waits for room",
    "stale event",
    "started from another's checkpoint",
    "zombie told to stop",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is such a file system: that the disk keeps commits is for other tests to show."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def tally(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What happened in each chunk: a folder that the processes of pytest-xdist share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "simulation-tally"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_nothing_is_lost_whatever_fails(first: int, folder: Path, tally: Path) -> None:
    counters: Counter[str] = Counter()
    for seed in range(first, first + CHUNK):
        world = World(seed, folder)
        world.run()
        counters.update(world.clockwork.counters)
    part = tally / f"{first}.part"
    part.write_text(json.dumps(counters))
    part.rename(tally / f"{first}.json")
    _check_that_every_kind_of_fault_happened(tally)


def _check_that_every_kind_of_fault_happened(tally: Path) -> None:
    """Once all chunks are there, so the last one looks, in whichever process it ran."""
    parts = list(tally.glob("*.json"))
    if len(parts) < SEEDS // CHUNK:
        return
    happened = {what for part in parts for what in json.loads(part.read_text())}
    assert not MUST_HAPPEN - happened


def test_a_seed_gives_the_same_run_again(folder: Path) -> None:
    traces: list[list[str]] = []
    for number in range(2):
        traces.append([])
        own = folder / str(number)
        own.mkdir()
        World(7, own, traces[-1].append).run()
    assert traces[0] == traces[1]
