"""What is found in a storage, what is not, and which of it nothing can need."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from pathlib import Path

import fsspec
import pytest

from rungmaster.master.experiment.saved.orphans import KnownCheckpoints, is_orphan
from rungmaster.shared.checkpoints.leftovers import look_through, remove_old_logs
from rungmaster.shared.checkpoints.paths import CheckpointPath
from rungmaster.shared.checkpoints.removal import remove
from rungmaster.shared.checkpoints.storage import address_in
from rungmaster.shared.errors import InvalidInput, Unavailable
from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import BEFORE_ALL_TRIALS, TrialRef
from rungmaster.worker.checkpoints.remote_saves import BegunSave
from rungmaster.worker.checkpoints.store import CheckpointStore

DATABASE, OTHER = "0123456789abcdef", "fedcba9876543210"
DAY = 86_400.0


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    folder = tmp_path / "trained"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"weights")
    return folder


@pytest.fixture(params=["disk", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "store") if request.param == "disk" else f"memory://{uuid.uuid4().hex}"


def save(storage: str, folder: Path, trial: int = 0, token: int = 1, experiment: int = 1) -> str:
    """Saves a checkpoint as a worker does, and gives its address."""
    store = CheckpointStore(folder.parent)
    return address_in(
        storage, store.save(storage, DATABASE, LeaseRef(experiment, trial, token), 3, BegunSave(folder)).path
    )


def age(folder: Path, seconds: float = 2 * DAY) -> None:
    """Makes a folder look as if nothing had changed for so long."""
    then = time.time() - seconds
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (then, then), follow_symlinks=False)


def found(storage: str, least_age_s: float = 0.0, after: TrialRef = BEFORE_ALL_TRIALS, trials: int = 200) -> list[str]:
    """The addresses that a look into the storage tells of."""
    portion = look_through(storage, DATABASE, after, least_age_s, Path.cwd(), trials)
    return [address_in(storage, each.path) for each in portion.found]


def disk_of(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def test_every_checkpoint_is_found_by_the_address_by_which_it_can_be_deleted(storage: str, trained: Path) -> None:
    saved = [save(storage, trained, trial, token) for trial in (0, 1, 10) for token in (1, 2)]
    assert sorted(saved) == sorted(found(storage))
    for uri in found(storage):
        remove(uri, Path.cwd())
    assert found(storage) == []


def test_a_look_goes_on_where_the_one_before_ended(storage: str, trained: Path) -> None:
    saved = [save(storage, trained, trial, experiment=experiment) for experiment in (1, 2) for trial in range(5)]
    seen: list[str] = []
    after: TrialRef | None = BEFORE_ALL_TRIALS
    portions = 0
    while after is not None:
        portion = look_through(storage, DATABASE, after, 0.0, Path.cwd(), trials=3)
        seen, after, portions = (
            seen + [address_in(storage, each.path) for each in portion.found],
            portion.after,
            portions + 1,
        )
    assert sorted(seen) == sorted(saved)
    assert portions == 4


def test_what_changed_a_moment_ago_is_left_alone(storage: str, trained: Path) -> None:
    save(storage, trained)
    assert found(storage, least_age_s=DAY) == []


def test_a_partial_upload_is_as_old_as_the_newest_of_its_files(tmp_path: Path) -> None:
    partial = tmp_path / DATABASE / "1/0/.1-3-abcd.partial"
    (partial / "inner").mkdir(parents=True)
    (partial / "inner/weights").write_bytes(b"half")
    age(partial)
    assert found(str(tmp_path), least_age_s=DAY) == [f"file://{tmp_path}/{DATABASE}/1/0/.1-3-abcd.partial"]
    os.utime(partial / "inner/weights")
    assert found(str(tmp_path), least_age_s=DAY) == []


def test_in_an_object_store_what_has_no_manifest_was_never_whole(trained: Path) -> None:
    storage = f"memory://{uuid.uuid4().hex}"
    uri = save(storage, trained)
    fsspec.filesystem("memory").rm_file(f"{uri.removeprefix('memory:/')}/manifest.json")
    assert found(storage) == [uri]


def test_nothing_but_our_own_is_found(tmp_path: Path, trained: Path) -> None:
    uri = save(str(tmp_path), trained)
    ours = disk_of(uri)
    trial = ours.parent
    for name in ("notes", "1-3", "1-3-xyz", "best", "1-3-abcd.partial", ".1-3-abcd", "01-3-abcd "):
        shutil.copytree(ours, trial / name)
    (trial / "1-3-0000").mkdir()
    (trial / "1-3-0000/weights").write_bytes(b"no manifest: not ours")
    shutil.copytree(ours, trial / "1-3-1111")
    (trial / "1-3-1111/manifest.json").write_text('{"name": "a web app"}')
    (trial / "1-3-2222").write_bytes(b"a file")
    shutil.copytree(ours, trial.parent / "001" / ours.name)
    shutil.copytree(ours, trial.parent / "models" / ours.name)
    shutil.copytree(trial.parent, tmp_path / OTHER / "1")
    shutil.copytree(trial.parent, tmp_path / "1")
    assert found(str(tmp_path)) == [uri]


@pytest.mark.parametrize("depth", range(4), ids=["database", "experiment", "trial", "checkpoint"])
def test_nothing_is_found_through_links(tmp_path: Path, trained: Path, depth: int) -> None:
    ours = disk_of(save(str(tmp_path / "elsewhere"), trained))
    parts = ours.relative_to(tmp_path / "elsewhere").parts
    link = tmp_path.joinpath("store", *parts[: depth + 1])
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path.joinpath("elsewhere", *parts[: depth + 1]), target_is_directory=True)
    assert found(str(tmp_path / "store")) == []
    assert found(str(tmp_path / "elsewhere")) != []


def test_a_checkpoint_that_is_a_link_is_not_deleted(tmp_path: Path, trained: Path) -> None:
    ours = disk_of(save(str(tmp_path / "store"), trained))
    ours.rename(tmp_path / "elsewhere")
    ours.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unavailable, match="is a link; nothing was deleted"):
        remove(str(ours), tmp_path)
    assert (tmp_path / "elsewhere/model.bin").exists()


def test_links_inside_a_checkpoint_are_deleted_and_not_followed(tmp_path: Path, trained: Path) -> None:
    ours = disk_of(save(str(tmp_path / "store"), trained))
    (ours / "data").symlink_to(trained, target_is_directory=True)
    remove(str(ours), tmp_path)
    assert not ours.exists()
    assert (trained / "model.bin").exists()


def test_a_store_that_is_away_is_not_an_empty_one(tmp_path: Path, trained: Path) -> None:
    uri = save(str(tmp_path / "mount/store"), trained)
    (tmp_path / "mount").rename(tmp_path / "unmounted")
    with pytest.raises(Unavailable, match="is not there"):
        found(str(tmp_path / "mount/store"))
    with pytest.raises(Unavailable, match="is gone; is its disk mounted"):
        remove(uri, tmp_path)
    (tmp_path / "unmounted").rename(tmp_path / "mount")
    remove(uri, tmp_path)
    assert not disk_of(uri).exists()


def test_a_deletion_that_was_cut_short_leaves_what_a_sweep_finds(
    tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = save(str(tmp_path), trained)

    def killed(_: Path) -> None:
        raise OSError("the process was killed here")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(Unavailable):
            remove(uri, tmp_path)
    assert not disk_of(uri).exists(), "it is no checkpoint any more"
    (left,) = found(str(tmp_path))
    remove(uri, tmp_path)
    assert found(str(tmp_path)) == []
    assert left.endswith(".partial")


def test_only_a_database_is_looked_into(tmp_path: Path) -> None:
    for name in ("", "..", "/", "0123", OTHER.upper()):
        with pytest.raises(InvalidInput, match="is not the id of a database"):
            look_through(str(tmp_path), name, BEFORE_ALL_TRIALS, 0.0, tmp_path)


def place(token: int = 1, trial: int = 0, experiment: int = 1, partial: bool = False) -> CheckpointPath:
    return CheckpointPath("", experiment, trial, token, 3, "abcd", partial=partial)


KNOWN = KnownCheckpoints(
    deleted={7},
    tokens={(1, 0): 3, (1, 1): 3},
    held={(1, 1): 3},
    checkpoints={(1, 0, "1-3-abcd"), (7, 0, "2-3-abcd")},
)


@pytest.mark.parametrize(
    ("found", "orphan"),
    [
        (place(2), True),
        (place(1), False),
        (place(1, partial=True), True),
        (place(3), True),
        (place(3, trial=1), False),
        (place(2, trial=1), True),
        (place(4), False),
        (place(1, trial=2), False),
        (place(1, experiment=2), False),
        (place(1, experiment=7), True),
        (place(2, experiment=7), False),
    ],
    ids=[
        "saved under a lease that ended",
        "known",
        "left of a deletion",
        "of the last lease, which ended",
        "of a lease that is held",
        "of a lease before the one that is held",
        "of a lease that this ledger never gave",
        "of a trial that this ledger does not know",
        "of an experiment that this ledger does not know",
        "of a deleted experiment",
        "of a deleted experiment whose deletion goes on",
    ],
)
def test_only_what_no_ledger_can_ever_know_of_is_an_orphan(found: CheckpointPath, orphan: bool) -> None:
    assert is_orphan(found, KNOWN) is orphan


def test_the_address_of_a_checkpoint_says_of_which_lease_it_is() -> None:
    assert CheckpointPath.parse("s3://bucket/0123456789abcdef/4/17/2-81-9f/") == CheckpointPath(
        DATABASE, 4, 17, 2, 81, "9f"
    )
    assert CheckpointPath.parse("store/0123456789abcdef/4/17/.2-81-9f.partial") == CheckpointPath(
        DATABASE, 4, 17, 2, 81, "9f", partial=True
    )
    for uri in ("4/17/.2-81-9f", "4/17/2-81-9f.partial", "x/17/2-81-9f", "4/17/2-81", "4/17/2-81-9f/manifest.json"):
        assert CheckpointPath.parse(uri) is None


def test_logs_go_that_have_not_changed_for_long_and_are_of_no_lease_that_trains(tmp_path: Path) -> None:
    folder = tmp_path / DATABASE / "1"
    folder.mkdir(parents=True)
    for name in ("0-1.log", "0-2.log", "0-3.log", "notes.log", "0-1.txt"):
        (folder / name).write_text("printed")
    age(folder)
    os.utime(folder / "0-2.log")
    emptied = tmp_path / DATABASE / "2"
    emptied.mkdir()
    remove_old_logs(tmp_path, DATABASE, DAY, [LeaseRef(1, 0, 3)])
    assert {path.name for path in folder.iterdir()} == {"0-2.log", "0-3.log", "notes.log", "0-1.txt"}
    assert not emptied.exists()
