"""What an object store may answer instead of doing what it was asked to: that passes, and nothing is broken by it."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from rungmaster.shared.errors import Unavailable
from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import CheckpointRef, CheckpointSaved
from rungmaster.worker.checkpoints.remote_saves import BegunSave
from rungmaster.worker.checkpoints.store import CheckpointStore

REFUSALS = [
    ConnectionError("connection reset by peer"),
    TimeoutError("no answer within 60 s"),
    PermissionError("the token has expired"),
    RuntimeError("503 slow down"),
]
FULL_OR_READ_ONLY = [
    OSError(errno.EROFS, "read-only file system"),
    OSError(errno.ENOSPC, "no space left in the store"),
    OSError(errno.EDQUOT, "the bucket's quota is used up"),
]


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path)


@pytest.mark.parametrize("error", REFUSALS + FULL_OR_READ_ONLY, ids=str)
@pytest.mark.parametrize("call", ["makedirs", "put_file", "pipe_file"])
def test_what_keeps_a_store_from_being_written_is_told_in_its_words_and_the_next_save_is_good(
    store: CheckpointStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: Exception
) -> None:
    with monkeypatch.context() as trouble:
        trouble.setattr(MemoryFileSystem, call, raising(error))
        with pytest.raises(Unavailable, match=re.escape(str(error))):
            save(store, tmp_path)
    assert save(store, tmp_path).resource == 3


@pytest.mark.parametrize("error", REFUSALS, ids=str)
@pytest.mark.parametrize("call", ["cat_file", "get_file"])
def test_a_checkpoint_that_a_store_does_not_give_now_is_not_broken_and_is_loaded_later(
    store: CheckpointStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: Exception
) -> None:
    saved = save(store, tmp_path)
    storage = f"memory://{tmp_path}/store"
    checkpoint = CheckpointRef(f"{storage}/{saved.path}", saved.resource, saved.checksum)
    with monkeypatch.context() as trouble:
        trouble.setattr(MemoryFileSystem, call, raising(error))
        with pytest.raises(Unavailable, match=re.escape(str(error))):
            store.load(storage, [checkpoint], tmp_path / "loaded")
    assert store.load(storage, [checkpoint], tmp_path / "loaded").source == checkpoint


def save(store: CheckpointStore, tmp_path: Path) -> CheckpointSaved:
    folder = tmp_path / "training"
    folder.mkdir(exist_ok=True)
    (folder / "model.bin").write_bytes(b"weights")
    return store.save(f"memory://{tmp_path}/store", "", LeaseRef(1, 7, 3), 3, BegunSave(folder))


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail
