"""What training prints: read from any position while it is written and shortened, kept in a storage, and removed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.shared.checkpoints import kept_logs
from rungmaster.shared.checkpoints.kept_logs import keep_log, lines_from_end, read_log
from rungmaster.shared.checkpoints.paths import log_folder, log_path
from rungmaster.shared.checkpoints.removal import remove
from rungmaster.shared.errors import InvalidInput, Unavailable
from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import LogChunk, LogRequest
from rungmaster.worker.assignment.output import OutputLog
from rungmaster.worker.checkpoints.store import CheckpointStore
from rungmaster.worker.link.outbox import MAX_CHUNKS, Outbox

DATABASE = "00000000000000aa"
LEASE = LeaseRef(1, 2, 3)


def read_whole(log: OutputLog, position: int = 0) -> list[tuple[int, bytes]]:
    pieces: list[tuple[int, bytes]] = []
    more = True
    while more:
        piece = log.read(position, 64)
        position, more = piece.position + len(piece.content), piece.more
        pieces.append((piece.position, piece.content))
    return pieces


@given(st.lists(st.sampled_from([b"", b"a", b"bcd", b"\xff"])), st.booleans(), st.integers(0, 9))
def test_the_last_lines_of_a_text_are_those_that_splitting_it_gives(
    lines: list[bytes], ended: bool, count: int
) -> None:
    content = b"\n".join(lines) + b"\n" * ended
    expected = content.splitlines(keepends=True)[-count:] if count else []
    assert content[lines_from_end(content, count) :] == b"".join(expected)


def test_a_reader_of_a_log_that_is_shortened_meanwhile_goes_on_with_its_end(tmp_path: Path) -> None:
    log = OutputLog(tmp_path / "log", limit=100)
    log.path.write_bytes(b"b" * 10 + b"x" * 140)
    read = log.read(0, 64)
    assert (read.position, read.content, read.more) == (0, b"b" * 10 + b"x" * 54, True)
    with log.path.open("ab") as more:
        more.write(b"y" * 100 + b"e" * 90)
    log.shorten(200)
    (position, content), *rest = read_whole(log, 64)
    whole = content + b"".join(each for _, each in rest)
    assert position > 64
    assert whole.startswith(b"\n[rungmaster: 240 bytes were dropped here: a log keeps at most 100]\n")
    assert whole.endswith(b"]\n" + b"e" * 90)
    # Whoever has read all of it gets what is printed next, and nothing twice.
    end = rest[-1][0] + len(rest[-1][1])
    with log.path.open("ab") as more:
        more.write(b"new")
    assert log.read(end, 64) == (end, b"new", False)


def test_what_is_dropped_is_counted_over_all_times(tmp_path: Path) -> None:
    log = OutputLog(tmp_path / "log", limit=100)
    for _ in range(3):
        with log.path.open("ab") as more:
            more.write(b"z" * 300)
        log.shorten(200)
    content = log.path.read_bytes()
    assert b"[rungmaster: 800 bytes were dropped here" in content
    assert content.count(b"rungmaster") == 1
    assert read_whole(log)[0] == (0, b"z" * 10)


def test_the_end_of_a_shortened_log_is_found_by_its_lines(tmp_path: Path) -> None:
    log = OutputLog(tmp_path / "log", limit=100)
    log.path.write_bytes(b"line\n" * 100)
    log.shorten(200)
    tail = log.read(0, 1_000, tail_lines=3)
    assert tail.content == b"line\n" * 3
    assert log.read(tail.position, 1_000) == tail


def test_a_link_or_a_pipe_in_the_place_of_a_log_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(OSError, match=r"symbolic links|is no file"):
            OutputLog(tmp_path / name).read(0, 10)


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    store = CheckpointStore(tmp_path)
    store.check("store", DATABASE, used=False)
    return store


def asked(**changes: object) -> LogRequest:
    return replace(LogRequest("r", LEASE, 0, 100, DATABASE, "store"), **changes)  # pyright: ignore[reportArgumentType]


def test_a_log_is_kept_read_in_parts_and_deleted_with_all_of_its_experiment(
    tmp_path: Path, store: CheckpointStore
) -> None:
    (tmp_path / "printed").write_bytes(b"one\ntwo\nthree\n")
    store.keep_log("store", DATABASE, LEASE, tmp_path / "printed")
    assert store.read_log(asked(max_bytes=8)) == (0, b"one\ntwo\n", True)
    assert store.read_log(asked(position=8)) == (8, b"three\n", False)
    assert store.read_log(asked(tail_lines=1)) == (8, b"three\n", False)
    assert store.read_log(asked(position=1_000)) == (1_000, b"", False)
    with pytest.raises(FileNotFoundError):
        store.read_log(asked(lease=LeaseRef(1, 2, 4)))
    folder = tmp_path / "store" / log_folder(DATABASE, 1)
    (folder / "notes.txt").write_text("somebody's own")
    store.delete(f"store/{log_folder(DATABASE, 1)}")
    assert [left.name for left in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    store.delete(f"store/{log_folder(DATABASE, 1)}")
    store.delete(f"store/{log_folder(DATABASE, 1)}")
    assert list((tmp_path / "store" / DATABASE).iterdir()) == []


def test_a_log_is_kept_in_an_object_store_as_well(tmp_path: Path) -> None:
    (tmp_path / "printed").write_bytes(b"one\ntwo\n")
    store = CheckpointStore(tmp_path)
    store.keep_log("memory://bucket", DATABASE, LEASE, tmp_path / "printed")
    assert store.read_log(asked(storage="memory://bucket", position=4)) == (4, b"two\n", False)
    assert store.read_log(asked(storage="memory://bucket", tail_lines=1)) == (4, b"two\n", False)
    store.delete(f"memory://bucket/{log_folder(DATABASE, 1)}")
    with pytest.raises(FileNotFoundError):
        store.read_log(asked(storage="memory://bucket"))


def test_where_the_storage_is_away_nothing_is_known_of_a_log_and_none_is_made(
    tmp_path: Path, store: CheckpointStore
) -> None:
    (tmp_path / "printed").write_bytes(b"one\n")
    (tmp_path / "store").rename(tmp_path / "away")
    with pytest.raises(Unavailable):
        store.keep_log("store", DATABASE, LEASE, tmp_path / "printed")
    with pytest.raises(Unavailable):
        store.read_log(asked())
    assert not (tmp_path / "store").exists()


def test_no_link_leads_a_log_out_of_its_storage(tmp_path: Path, store: CheckpointStore) -> None:
    (tmp_path / "printed").write_bytes(b"one\n")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "2-3.log").write_text("secret")
    (tmp_path / "store" / DATABASE / "1").mkdir()
    (tmp_path / "store" / log_folder(DATABASE, 1)).symlink_to(outside)
    with pytest.raises(Unavailable, match="is a link"):
        store.keep_log("store", DATABASE, LEASE, tmp_path / "printed")
    with pytest.raises(Unavailable, match="is a link"):
        store.read_log(asked())
    with pytest.raises(Unavailable, match="is a link"):
        store.delete(f"store/{log_folder(DATABASE, 1)}")
    assert (outside / "2-3.log").read_text() == "secret"


def test_a_worker_reads_logs_only_in_the_storages_that_it_is_allowed(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, (str(tmp_path / "allowed"),))
    for storage in ("store", "allowed/../store"):
        with pytest.raises(InvalidInput, match="--allow-storage"):
            store.read_log(asked(storage=storage))
    with pytest.raises(InvalidInput, match="not the id of a database"):
        store.read_log(asked(storage="allowed", database_id="../.."))


@pytest.mark.parametrize(
    "address", ["store/1/logs", f"store/{DATABASE}/1", f"store/../x/{DATABASE}/1/logs", f"store/{DATABASE}/1/logs/x"]
)
def test_only_the_folder_of_an_experiments_logs_is_deleted(tmp_path: Path, address: str) -> None:
    with pytest.raises(InvalidInput):
        remove(address, tmp_path)


def test_only_the_end_of_a_very_long_log_is_searched_for_its_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_logs, "TAIL_WINDOW", 10)
    url = f"file://{tmp_path}/{log_path(DATABASE, LEASE)}"
    (tmp_path / DATABASE).mkdir()
    (tmp_path / "printed").write_bytes(b"x" * 100)
    keep_log(url, tmp_path / "printed")
    assert read_log(url, 0, 1_000, tmp_path, tail_lines=5) == (90, b"x" * 10, False)


def test_parts_of_logs_go_a_few_at_a_time_and_not_to_another_master() -> None:
    outbox = Outbox(lambda: "id", 10)
    for number in range(MAX_CHUNKS + 1):
        outbox.log_chunk(LogChunk(str(number)))
    first, second = outbox.bundle(), outbox.bundle()
    assert first is not None
    assert second is not None
    assert [chunk.request_id for chunk in (*first.log_chunks, *second.log_chunks)] == list("01234")
    outbox.log_chunk(LogChunk("late"))
    outbox.reconnect()
    told = outbox.bundle()
    assert told is None or told.log_chunks == ()
