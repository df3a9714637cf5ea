"""Events that do not fit into memory wait on disk, in order, within a limit."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from rungmaster.shared.errors import Unavailable
from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import CheckpointSaved, Exit, ExitOutcome, LeaseEvent, Measurement
from rungmaster.worker.link.lease_log import MINIMUM, LeaseLog, Memory
from rungmaster.worker.link.outbox import Outbox
from rungmaster.worker.link.spill import SpillFile, SpillFolder

LEASE = LeaseRef(1, 2, 3)


def event(sequence: int) -> LeaseEvent:
    return LeaseEvent(LEASE, sequence, Measurement(sequence, {"loss": 1 / sequence}))


def spill_in(folder: Path, limit: int = 1 << 20) -> tuple[SpillFile, SpillFolder]:
    spills = SpillFolder(folder, limit)
    return spills.open(LEASE), spills


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def test_events_come_back_as_they_were_in_the_same_order(tmp_path: Path) -> None:
    spill, _ = spill_in(tmp_path)
    kept = [
        LeaseEvent(LEASE, 1, Measurement(3, {"loss": 0.1 + 0.2, "läuft": math.inf, "tiny": 5e-324})),
        LeaseEvent(LEASE, 2, CheckpointSaved("file:///x/1", 3, 17, "abc")),
        LeaseEvent(LEASE, 3, Exit(ExitOutcome.FAILED, "line one\nline two")),
    ]
    assert all(map(spill.append, kept))
    assert spill.take(1) + spill.take(2) == kept


def test_a_file_that_was_taken_whole_is_short_again(tmp_path: Path) -> None:
    spill, spills = spill_in(tmp_path)
    for sequence in range(1, 101):
        spill.append(event(sequence))
    spill.take(99)
    assert spills.used > 0
    spill.take(1)
    assert spills.used == 0
    assert [path.stat().st_size for path in files(tmp_path)] == [0]
    spill.append(event(101))
    assert spill.take(1) == [event(101)]


def test_all_leases_share_one_limit(tmp_path: Path) -> None:
    spill, spills = spill_in(tmp_path, limit=500)
    other = spills.open(LeaseRef(1, 9, 1))
    sequence = 1
    while spill.append(event(sequence)):
        sequence += 1
    assert 500 <= spills.used < 700
    assert spill.full
    assert other.full
    assert not other.append(event(1))
    spill.close()
    assert spills.used == 0
    assert files(tmp_path) == []
    assert other.append(event(1))


def test_a_full_disk_refuses_and_keeps_what_was_written_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spill, spills = spill_in(tmp_path)
    spill.append(event(1))
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: real(file, data[: len(data) // 2], at))
    assert not spill.append(event(2))
    assert spill.full
    monkeypatch.setattr(os, "pwrite", real)
    assert spill.take(1) == [event(1)]
    assert spill.append(event(2)), "once it is empty it is tried again"
    assert spill.take(1) == [event(2)]
    assert spills.used == 0


def test_a_file_that_was_cut_short_is_told_and_not_passed_over(tmp_path: Path) -> None:
    spill, _ = spill_in(tmp_path)
    spill.append(event(1))
    os.truncate(files(tmp_path)[0], 5)
    with pytest.raises(Unavailable, match="shorter than it was"):
        spill.take(1)


def test_memory_holds_the_next_events_and_a_limited_number_of_them(tmp_path: Path) -> None:
    memory, spills = Memory(100), SpillFolder(tmp_path, 1 << 20)
    log = LeaseLog(LEASE, memory, spills.open)
    for sequence in range(1, 1_001):
        assert log.record(event(sequence).event) == sequence
    assert memory.used == 100
    assert len(log) == 1_000
    for sequence in range(1, 1_001):
        assert log.unsent(1) == [event(sequence)]
        assert log.acknowledge(sequence) == [event(sequence)]
        assert memory.used <= 100
    assert (memory.used, spills.used, len(log)) == (0, 0, 0)


def test_what_comes_while_the_disk_is_emptied_keeps_its_place(tmp_path: Path) -> None:
    memory, spills = Memory(100), SpillFolder(tmp_path, 1 << 20)
    log = LeaseLog(LEASE, memory, spills.open)
    recorded = acknowledged = 0
    while acknowledged < 2_000:
        for _ in range(7 if recorded < 2_000 else 0):
            recorded = log.record(event(recorded + 1).event)
        for _ in range(3):
            acknowledged += 1
            assert log.unsent(1) == log.acknowledge(acknowledged) == [event(acknowledged)]
        assert memory.used <= 100 + MINIMUM
    assert len(log) == recorded - acknowledged


def test_a_lease_that_hogs_the_memory_leaves_a_little_to_the_others(tmp_path: Path) -> None:
    memory, spills = Memory(100), SpillFolder(tmp_path, 1 << 20)
    hog, other = (LeaseLog(LeaseRef(1, trial, 1), memory, spills.open) for trial in (1, 2))
    for sequence in range(1, 201):
        hog.record(event(sequence).event)
    for sequence in range(1, 201):
        other.record(event(sequence).event)
    assert len(other.unsent(200)) == MINIMUM
    hog.close()
    other.close()
    assert memory.used == 0
    assert files(tmp_path) == []


def test_what_must_not_wait_is_kept_beyond_all_limits(tmp_path: Path) -> None:
    log = LeaseLog(LEASE, Memory(2))
    for sequence in (1, 2, 3):
        log.record(event(sequence).event)
    assert log.full
    assert log.acknowledge(3) == [event(1), event(2), event(3)]
    assert not log.full


@pytest.mark.parametrize("damage", ["cut short", "overwritten"])
def test_a_file_that_cannot_be_read_ends_its_lease_and_no_other(tmp_path: Path, damage: str) -> None:
    folder = SpillFolder(tmp_path, 1 << 20)
    outbox = Outbox(lambda: "request", 8, folder.open)
    leases = [LeaseRef(1, 1, 1), LeaseRef(1, 2, 1)]
    for lease in leases:
        outbox.open(lease, "")
        for step in range(200):
            outbox.record(lease, Measurement(step + 1, {"loss": 1.0}))
    path = tmp_path / "spill-1"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: size // 2] if damage == "cut short" else b"\1\0\0\0!" * (size // 5 + 1))
    acknowledged, given_up = 0, {}
    while not given_up:
        acknowledged += 1
        for lease in leases:
            outbox.acknowledge(lease, acknowledged)
        given_up = outbox.give_up_what_is_lost()
    assert list(given_up) == leases[:1]
    assert str(path) in given_up[leases[0]]
    outbox.reconnect()
    outbox.acknowledge(leases[0], acknowledged)
    events = [event for event in bundle_events(outbox) if event.lease == leases[0]]
    assert [event.sequence for event in events] == list(range(acknowledged + 1, acknowledged + 1 + len(events)))
    assert isinstance(events[-1].event, Exit)
    assert events[-1].event.outcome is ExitOutcome.GIVEN_BACK
    for later in range(acknowledged, 201):
        outbox.acknowledge(leases[1], later)
    assert outbox.give_up_what_is_lost() == {}


def bundle_events(outbox: Outbox) -> list[LeaseEvent]:
    bundle = outbox.bundle()
    assert bundle is not None
    return list(bundle.events)
