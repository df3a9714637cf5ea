"""Whole searches through storms of faults, seed by seed; and that every kind of fault really happened."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from simulation.faults import FAULTS
from simulation.world import World

#: `make soak` asks for thousands.
SEEDS = int(os.environ.get("RUNGMASTER_SIMULATION_SEEDS", "200"))
CHUNK = 10

#: Beside the faults themselves: what they must have led to somewhere, or the seeds prove nothing.
MUST_HAPPEN = {
    *FAULTS,
    "assignment repeated",
    "checkpoint deleted",
    "crash once applied",
    "crash once committed",
    "failed after the commit",
    "failed before the commit",
    "journal: experiment_cancelled",
    "journal: experiment_completed",
    "journal: experiment_paused",
    "journal: promoted",
    "journal: trial_discarded",
    "journal: trial_failed",
    "lease expired",
    "lease failed",
    "lease invalid",
    "lease released",
    "lease worker_fault",
    "mastership lost",
    "person: resume",
    "poison killed a worker",
    "repeated event",
    "report waits for room",
    "stale event",
    "zombie told to stop",
}

counters: Counter[str] = Counter()
passed: set[int] = set()


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_nothing_is_lost_whatever_fails(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + CHUNK):
        world = World(seed, tmp_path)
        world.run()
        counters.update(world.clockwork.counters)
    passed.add(first)


def test_every_kind_of_fault_happened() -> None:
    if len(passed) < SEEDS // CHUNK:
        pytest.skip("only some of the seeds ran in this process")
    assert not {what for what in MUST_HAPPEN if not counters[what]}


def test_a_seed_gives_the_same_run_again(tmp_path: Path) -> None:
    traces: list[list[str]] = []
    for number in range(2):
        traces.append([])
        folder = tmp_path / str(number)
        folder.mkdir()
        World(7, folder, traces[-1].append).run()
    assert traces[0] == traces[1]
