"""Checkpoints are whole or not there, on a disk and in an object store."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from rungmaster.shared.checkpoints.storage import address_in
from rungmaster.shared.errors import CannotStart, InvalidInput, Unavailable
from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import CheckpointRef, CheckpointSaved, Sweep
from rungmaster.worker.checkpoints import store as store_module
from rungmaster.worker.checkpoints.remote_saves import BegunSave
from rungmaster.worker.checkpoints.store import CheckpointStore, EmptyStorage, Loaded

LEASE = LeaseRef(1, 7, 3)
DATABASE = "0123456789abcdef"
CONTENT = {"model.bin": b"weights" * 1000, "deep/er/state.json": b"{}", "empty": b""}


@pytest.fixture(params=["disk", "object store"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "disk":
        return str(tmp_path / "store")
    return f"memory://{tmp_path}/store"


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return filled(tmp_path / "training", CONTENT)


def filled(folder: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@dataclasses.dataclass(frozen=True)
class Kept:
    """A checkpoint in a storage."""

    storage: str
    saved: CheckpointSaved

    @property
    def uri(self) -> str:
        return address_in(self.storage, self.saved.path)

    def load(self, store: CheckpointStore, to: Path, *others: Kept, checksum: str | None = None) -> Loaded:
        first = reference(self)
        refs = [first if checksum is None else dataclasses.replace(first, checksum=checksum), *map(reference, others)]
        return store.load(self.storage, refs, to)


def keep(store: CheckpointStore, storage: str, resource: int, folder: Path, database: str = "") -> Kept:
    return Kept(storage, store.save(storage, database, LEASE, resource, BegunSave(folder)))


def reference(kept: Kept) -> CheckpointRef:
    return CheckpointRef(kept.uri, kept.saved.resource, kept.saved.checksum)


def change(uri: str, name: str, data: bytes) -> None:
    files, path = url_to_fs(f"{uri}/{name}")
    files.pipe_file(path, data)


def remove(uri: str, name: str) -> None:
    files, path = url_to_fs(f"{uri}/{name}")
    files.rm(path, recursive=True)


def test_what_was_saved_is_what_is_loaded(store: CheckpointStore, storage: str, folder: Path, tmp_path: Path) -> None:
    saved = keep(store, storage, 9, folder)
    assert saved.saved.resource == 9
    assert saved.saved.size_bytes == 7002
    loaded = saved.load(store, tmp_path / "loaded")
    assert loaded.source == reference(saved)
    assert loaded.broken == ()
    assert {**read(tmp_path / "loaded")} == CONTENT


def test_the_address_names_experiment_trial_token_and_resource(
    store: CheckpointStore, storage: str, folder: Path
) -> None:
    assert "/store/1/7/3-9-" in keep(store, storage, 9, folder).uri


def test_two_checkpoints_of_the_same_lease_do_not_overwrite_each_other(
    store: CheckpointStore, storage: str, folder: Path
) -> None:
    assert keep(store, storage, 9, folder).uri != keep(store, storage, 9, folder).uri


def test_the_checksum_is_that_of_the_manifest(store: CheckpointStore, tmp_path: Path, folder: Path) -> None:
    saved = keep(store, str(tmp_path / "store"), 9, folder)
    (path,) = (tmp_path / "store/1/7").iterdir()
    manifest = (path / "manifest.json").read_bytes()
    assert saved.saved.checksum == hashlib.sha256(manifest).hexdigest()
    entries = {entry["path"]: entry for entry in json.loads(manifest)["files"]}
    assert entries.keys() == CONTENT.keys()
    for name, data in CONTENT.items():
        assert entries[name]["size_bytes"] == len(data)
        assert entries[name]["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_relative_storage_path_begins_at_the_workers_directory(
    store: CheckpointStore, tmp_path: Path, folder: Path
) -> None:
    for storage in ("./there", "there/", "x/../there"):
        uri = keep(store, storage, 1, folder).uri
        assert uri.startswith("there/1/7/3-1-"), "what lies in a relative storage has a relative address"
        assert (tmp_path / uri / "manifest.json").is_file()
    for storage in (f"file://{tmp_path}/there", f"file:{tmp_path}/there", f"{tmp_path}/there", "file:there"):
        assert (tmp_path / "there" / keep(store, storage, 1, folder).saved.path).is_dir()


@pytest.mark.parametrize("storage", ["there", ".", "../there", "deep/er/there"])
def test_what_was_saved_in_a_relative_storage_is_loaded_and_deleted_after_both_were_moved(
    tmp_path: Path, folder: Path, storage: str
) -> None:
    (tmp_path / "all" / "project").mkdir(parents=True)
    saved = keep(CheckpointStore(tmp_path / "all" / "project"), storage, 1, folder)
    (tmp_path / "all").rename(tmp_path / "moved")
    moved = CheckpointStore(tmp_path / "moved" / "project")
    assert saved.load(moved, tmp_path / "loaded").source == reference(saved)
    moved.delete(saved.uri)
    assert saved.load(moved, tmp_path / "again").source is None


def cut(uri: str) -> None:
    change(uri, "model.bin", CONTENT["model.bin"][:-1])


def flip(uri: str) -> None:
    change(uri, "model.bin", b"W" + CONTENT["model.bin"][1:])


def lose_a_file(uri: str) -> None:
    remove(uri, "model.bin")


def lose_the_manifest(uri: str) -> None:
    remove(uri, "manifest.json")


def change_the_manifest(uri: str) -> None:
    change(uri, "manifest.json", b'{"version": 1, "files": []}')


def lose_everything(uri: str) -> None:
    remove(uri, "")


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (cut, "model.bin has 6999 bytes instead of 7000"),
        (flip, "model.bin was changed"),
        (lose_a_file, "model.bin is missing"),
        (lose_the_manifest, "manifest.json is missing"),
        (change_the_manifest, "manifest.json is not the one that was saved"),
        (lose_everything, "manifest.json is missing"),
    ],
)
def test_a_broken_checkpoint_is_named_and_the_one_before_is_taken(
    store: CheckpointStore, storage: str, folder: Path, tmp_path: Path, damage: Callable[[str], None], complaint: str
) -> None:
    older = keep(store, storage, 3, folder)
    newer = keep(store, storage, 9, folder)
    damage(newer.uri)
    loaded = newer.load(store, tmp_path / "loaded", older)
    assert loaded.source == reference(older)
    assert loaded.broken == (f"{newer.uri}: {loaded.broken[0].removeprefix(newer.uri + ': ')}",)
    assert complaint in loaded.broken[0]
    assert read(tmp_path / "loaded") == CONTENT


def test_another_trials_checkpoint_is_loaded_and_another_experiments_is_not(
    store: CheckpointStore, storage: str, folder: Path, tmp_path: Path
) -> None:
    refs = {}
    for lease in (LEASE, LeaseRef(1, 8, 1), LeaseRef(2, 7, 1)):
        saved = store.save(storage, DATABASE, lease, 9, BegunSave(folder))
        refs[lease[:2]] = CheckpointRef(address_in(storage, saved.path), 9, saved.checksum)
    loaded = store.load(storage, [refs[2, 7], refs[1, 8], refs[1, 7]], tmp_path / "loaded", experiment_id=1)
    assert (loaded.source, loaded.broken_uris) == (refs[1, 8], (refs[2, 7].uri,))
    assert loaded.broken[0].endswith("it is one of experiment 2, not of 1")
    assert read(tmp_path / "loaded") == CONTENT


def test_where_all_are_broken_nothing_is_loaded(
    store: CheckpointStore, storage: str, folder: Path, tmp_path: Path
) -> None:
    saved = keep(store, storage, 3, folder)
    flip(saved.uri)
    loaded = saved.load(store, tmp_path / "loaded")
    assert loaded.source is None
    assert not (tmp_path / "loaded").exists()


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside", "manifest.json", "a\\b", ""])
def test_a_manifest_cannot_name_files_outside(store: CheckpointStore, tmp_path: Path, folder: Path, name: str) -> None:
    saved = keep(store, str(tmp_path / "store"), 3, folder)
    forged = json.dumps({"version": 1, "files": [{"path": name, "size_bytes": 0, "sha256": ""}]}).encode()
    change(saved.uri, "manifest.json", forged)
    (broken,) = saved.load(store, tmp_path / "loaded", checksum=hashlib.sha256(forged).hexdigest()).broken
    assert "is no file inside the checkpoint" in broken


@pytest.mark.parametrize("forged", [b"[]", b"no JSON", b'{"files": [{}]}', b'{"files": 3}'])
def test_a_manifest_that_cannot_be_read_is_a_broken_checkpoint(
    store: CheckpointStore, tmp_path: Path, folder: Path, forged: bytes
) -> None:
    saved = keep(store, str(tmp_path / "store"), 3, folder)
    change(saved.uri, "manifest.json", forged)
    (broken,) = saved.load(store, tmp_path / "loaded", checksum=hashlib.sha256(forged).hexdigest()).broken
    assert "manifest.json" in broken
    assert "Rungmaster's, version 1" in broken or "files[0] is not a path" in broken


def test_a_store_out_of_reach_is_not_mistaken_for_a_broken_checkpoint(store: CheckpointStore, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="Protocol not known"):
        store.load("nonsense://bucket", [CheckpointRef("nonsense://bucket/1/7/3-9-abcd", 9, "")], tmp_path / "loaded")


def unmount(mount_point: Path) -> Path:
    """Leaves the empty folder on which a disk was mounted, and returns where its content is now."""
    away = mount_point.rename(mount_point.with_name("unmounted"))
    mount_point.mkdir()
    return away


@pytest.mark.parametrize("inside", ["", "/of/the/disk"])
def test_a_disk_that_is_not_mounted_has_lost_no_checkpoint(
    store: CheckpointStore, folder: Path, tmp_path: Path, inside: str
) -> None:
    mount_point = tmp_path / "mnt"
    storage = f"{mount_point}{inside}"
    saved = keep(store, storage, 9, folder, DATABASE)
    away = unmount(mount_point)
    for worker in (store, CheckpointStore(tmp_path)):
        with pytest.raises(Unavailable, match=f"{DATABASE} is gone; is its disk mounted"):
            saved.load(worker, tmp_path / "loaded")
        with pytest.raises(Unavailable, match="is its disk mounted"):
            worker.delete(saved.uri)
        with pytest.raises(Unavailable, match="is its disk mounted"):
            keep(worker, storage, 12, folder, DATABASE)
    assert list(mount_point.iterdir()) == [], "nothing is written where the disk will be mounted over it"
    mount_point.rmdir()
    away.rename(mount_point)
    assert saved.load(store, tmp_path / "loaded").source == reference(saved)


def test_a_store_that_was_deleted_for_good_is_given_up_when_its_folder_is_made_anew(
    store: CheckpointStore, folder: Path, tmp_path: Path
) -> None:
    root = tmp_path / "store" / DATABASE
    saved = keep(store, str(tmp_path / "store"), 9, folder, DATABASE)
    shutil.rmtree(tmp_path / "store")
    with pytest.raises(Unavailable, match="If it was deleted for good, make it again, empty"):
        saved.load(store, tmp_path / "loaded")
    root.mkdir(parents=True)
    assert saved.load(store, tmp_path / "loaded").broken_uris == (saved.uri,)


def test_the_folder_of_a_database_outlives_its_checkpoints(
    store: CheckpointStore, folder: Path, tmp_path: Path
) -> None:
    storage = str(tmp_path / "store")
    store.delete(keep(store, storage, 9, folder, DATABASE).uri)
    assert list((tmp_path / "store" / DATABASE).iterdir()) == []
    assert keep(store, storage, 12, folder, DATABASE).saved.resource == 12


def test_a_bucket_that_is_gone_has_lost_no_checkpoint(store: CheckpointStore, folder: Path, tmp_path: Path) -> None:
    bucket = f"memory://{tmp_path.name}"
    saved = keep(store, bucket, 9, folder)
    url_to_fs(bucket)[0].rm(f"/{tmp_path.name}", recursive=True)
    with pytest.raises(Unavailable, match="was the bucket deleted or renamed"):
        saved.load(store, tmp_path / "loaded")


def test_nothing_is_left_of_a_save_that_failed_on_the_way(
    store: CheckpointStore, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module, "sync", full)
    with pytest.raises(Unavailable, match=r"store' cannot be written: .*No space left on device"):
        keep(store, str(tmp_path / "store"), 3, folder)
    assert list((tmp_path / "store/1/7").iterdir()) == []


def test_in_an_object_store_a_checkpoint_that_lacks_its_manifest_does_not_exist(
    store: CheckpointStore, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = fsspec.filesystem("memory")

    def fail(*_: Any) -> None:
        raise ConnectionError("gone")

    monkeypatch.setattr(type(files), "pipe_file", fail)
    with pytest.raises(Unavailable, match="gone"):
        keep(store, f"memory://{tmp_path}/store", 3, folder)
    (left,) = files.ls(f"{tmp_path}/store/1/7", detail=False)
    loaded = store.load(f"memory://{tmp_path}/store", [CheckpointRef(f"memory://{left}", 3, "")], tmp_path / "loaded")
    assert loaded.source is None


def test_in_an_object_store_the_manifest_is_written_last(
    store: CheckpointStore, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = fsspec.filesystem("memory")

    def fail(*_: Any) -> None:
        raise ConnectionError("gone")

    monkeypatch.setattr(type(files), "put_file", fail)
    with pytest.raises(Unavailable, match="gone"):
        keep(store, f"memory://{tmp_path}/store", 3, folder)
    assert [name for name in files.find(f"{tmp_path}/store") if name.endswith("manifest.json")] == []


def test_on_a_disk_a_checkpoint_is_in_its_place_only_once_it_is_whole(
    store: CheckpointStore, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial, in_place = tmp_path / "store/1/7", []

    def look(path: Path) -> None:
        in_place.append([each.name for each in trial.iterdir() if not each.name.startswith(".")])

    monkeypatch.setattr(store_module, "sync", look)
    saved = keep(store, str(tmp_path / "store"), 3, folder)
    *before, last = in_place
    assert before
    assert not any(before)
    assert last == [saved.uri.rsplit("/", 1)[-1]]


def test_the_unfinished_of_an_older_token_is_removed_and_of_the_own_is_not(
    store: CheckpointStore, tmp_path: Path, folder: Path
) -> None:
    trial = tmp_path / "store/1/7"
    for name in (".2-9-abcd.partial", ".3-9-abcd.partial", ".4-9-abcd.partial", ".x-y-z.partial"):
        (trial / name).mkdir(parents=True)
    keep(store, str(tmp_path / "store"), 3, folder)
    left = {path.name for path in trial.iterdir() if path.name.startswith(".")}
    assert left == {".3-9-abcd.partial", ".4-9-abcd.partial", ".x-y-z.partial"}


def test_a_deleted_checkpoint_is_gone_and_deleting_it_again_is_no_error(
    store: CheckpointStore, storage: str, folder: Path, tmp_path: Path
) -> None:
    kept = keep(store, storage, 3, folder)
    saved = keep(store, storage, 9, folder)
    store.delete(saved.uri)
    store.delete(saved.uri)
    assert saved.load(store, tmp_path / "gone").source is None
    assert kept.load(store, tmp_path / "kept").source == reference(kept)


def test_with_the_last_checkpoint_of_a_trial_its_folders_go(
    store: CheckpointStore, tmp_path: Path, folder: Path
) -> None:
    first, second = (keep(store, str(tmp_path / "store"), resource, folder) for resource in (3, 9))
    store.delete(first.uri)
    assert (tmp_path / "store/1/7").exists()
    store.delete(second.uri)
    assert list((tmp_path / "store").iterdir()) == []


@pytest.mark.parametrize(
    "uri", ["/", "file:///etc", "store", "file:///a/1/7", "/a/../1/7/3-9-abcd", "1/7/../3-9-ab", "a/../../b/1/7/3-9-ab"]
)
def test_only_checkpoints_can_be_deleted(store: CheckpointStore, tmp_path: Path, uri: str) -> None:
    with pytest.raises(InvalidInput, match="is not the address of a checkpoint"):
        store.delete(uri)


def test_a_link_to_a_file_is_saved_as_the_file(store: CheckpointStore, tmp_path: Path, folder: Path) -> None:
    (folder / "linked").symlink_to(folder / "model.bin")
    saved = keep(store, str(tmp_path / "store"), 3, folder)
    saved.load(store, tmp_path / "loaded")
    assert not (tmp_path / "loaded/linked").is_symlink()
    assert (tmp_path / "loaded/linked").read_bytes() == CONTENT["model.bin"]


def test_what_a_checkpoint_cannot_hold_is_refused(store: CheckpointStore, tmp_path: Path) -> None:
    pipe = filled(tmp_path / "pipe", {"a": b""})
    os.mkfifo(pipe / "fifo")
    link = filled(tmp_path / "link", {"a": b""})
    (link / "circle").symlink_to(link)
    reserved = filled(tmp_path / "reserved", {"manifest.json": b""})
    empty = tmp_path / "empty"
    empty.mkdir()
    refusals = {
        pipe: "'fifo' is neither a file nor a folder",
        link: "'circle' is neither a file nor a folder",
        reserved: "cannot be called 'manifest.json'",
        empty: "holds no files",
    }
    for folder, complaint in refusals.items():
        with pytest.raises(InvalidInput, match=complaint):
            keep(store, str(tmp_path / "store"), 1, folder)
    assert not (tmp_path / "store").exists()


def test_the_disk_store_really_is_the_local_file_system(store: CheckpointStore, tmp_path: Path, folder: Path) -> None:
    saved = keep(store, str(tmp_path / "store"), 3, folder)
    files, path = url_to_fs(saved.uri)
    assert isinstance(files, LocalFileSystem)
    assert Path(path).parent == tmp_path / "store/1/7"
    shutil.rmtree(path)


@pytest.mark.parametrize(
    "uri",
    [
        f"elsewhere/{DATABASE}/1/7/3-9-ab",
        f"file:///etc/{DATABASE}/1/7/3-9-ab",
        f"s3://bucket/{DATABASE}/1/7/3-9-ab",
        "/etc/passwd",
    ],
)
def test_what_lies_outside_the_storage_is_not_opened(store: CheckpointStore, tmp_path: Path, uri: str) -> None:
    loaded = store.load("store", [CheckpointRef(uri, 9, "")], tmp_path / "loaded")
    assert loaded.broken == (f"{uri}: it is no checkpoint in the storage 'store'",)


@pytest.mark.parametrize("depth", range(4), ids=["database", "experiment", "trial", "checkpoint"])
def test_no_link_is_followed_out_of_a_storage(store: CheckpointStore, tmp_path: Path, folder: Path, depth: int) -> None:
    elsewhere = keep(store, str(tmp_path / "elsewhere"), 3, folder, DATABASE)
    parts = Path(elsewhere.saved.path).parts
    link = tmp_path.joinpath("store", *parts[: depth + 1])
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path.joinpath("elsewhere", *parts[: depth + 1]), target_is_directory=True)
    linked = Kept(str(tmp_path / "store"), elsewhere.saved)
    (broken,) = linked.load(store, tmp_path / "loaded").broken
    assert f"{link} is a link" in broken
    with pytest.raises(Unavailable, match="is a link; nothing was deleted"):
        store.delete(linked.uri)
    assert read(tmp_path / "elsewhere" / elsewhere.saved.path).keys() > CONTENT.keys()


def test_a_file_of_a_checkpoint_that_is_a_link_is_not_read(
    store: CheckpointStore, tmp_path: Path, folder: Path
) -> None:
    saved = keep(store, str(tmp_path / "store"), 3, folder)
    model = Path(saved.uri.removeprefix("file://"), "model.bin")
    (tmp_path / "secret").write_bytes(model.read_bytes())
    model.unlink()
    model.symlink_to(tmp_path / "secret")
    (broken,) = saved.load(store, tmp_path / "loaded").broken
    assert f"{model} is a link" in broken


def test_a_storage_behind_a_link_is_used_as_any_other(store: CheckpointStore, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "disk")
    saved = keep(store, "store", 3, folder, DATABASE)
    assert saved.load(store, tmp_path / "loaded").broken == ()
    store.delete(saved.uri)
    assert list((tmp_path / "disk" / DATABASE).iterdir()) == []


@pytest.mark.parametrize("manifest", [None, b"no JSON", b'{"name": "a web app"}', b"[" * 100_000])
def test_a_folder_without_a_manifest_of_ours_is_never_deleted(
    store: CheckpointStore, storage: str, folder: Path, manifest: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    saved = keep(store, storage, 3, folder)
    lose_the_manifest(saved.uri)
    if manifest is not None:
        change(saved.uri, "manifest.json", manifest)
    store.delete(saved.uri)
    files, path = url_to_fs(saved.uri)
    assert files.exists(f"{path}/model.bin")
    assert "has no manifest of Rungmaster's and is left" in caplog.text


SHA = hashlib.sha256(b"").hexdigest()
FILE = {"path": "a", "size_bytes": 0, "sha256": SHA}
MANIFESTS = {
    "infinite size": '{"version": 1, "files": [{"path": "a", "size_bytes": 1e400, "sha256": ""}]}',
    "deep": "[" * 100_000 + "]" * 100_000,
    "deep inside": '{"version": 1, "files": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "huge number": '{"version": 1, "files": [{"path": "a", "size_bytes": ' + "9" * 5_000 + ', "sha256": ""}]}',
    "negative": json.dumps({"version": 1, "files": [FILE | {"size_bytes": -1}]}),
    "truth": json.dumps({"version": 1, "files": [FILE | {"size_bytes": True}]}),
    "fraction": json.dumps({"version": 1, "files": [FILE | {"size_bytes": 0.0}]}),
    "number for a path": json.dumps({"version": 1, "files": [FILE | {"path": 1}]}),
    "twice": json.dumps({"version": 1, "files": [FILE, FILE]}),
    "file and folder": json.dumps({"version": 1, "files": [FILE, FILE | {"path": "a/b"}]}),
    "later version": json.dumps({"version": 2, "files": [FILE]}),
    "no text": "\udcff",
    "nothing": "",
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_of_any_content_gives_one_clear_error(
    store: CheckpointStore, tmp_path: Path, folder: Path, name: str
) -> None:
    saved = keep(store, str(tmp_path / "store"), 3, folder)
    forged = MANIFESTS[name].encode("utf-8", "surrogateescape")
    change(saved.uri, "manifest.json", forged)
    (broken,) = saved.load(store, tmp_path / "loaded", checksum=hashlib.sha256(forged).hexdigest()).broken
    assert "manifest.json" in broken
    assert len(broken) < 500


@pytest.mark.parametrize("allowed", ["store", "file:store", "s3://bucket/runs"])
def test_a_worker_uses_only_the_storages_that_it_is_allowed(tmp_path: Path, folder: Path, allowed: str) -> None:
    worker = CheckpointStore(tmp_path, [allowed])
    for storage in ("store2", "store/../x", str(tmp_path), "s3://bucket", "s3://bucket/runs2", "s3://bucket/runs/../x"):
        with pytest.raises(CannotStart, match="this worker may not use"):
            worker.check(storage, DATABASE, used=False)
        with pytest.raises(InvalidInput, match="its --allow-storage says: "):
            worker.delete(f"{storage}/{DATABASE}/1/7/3-9-ab")
        with pytest.raises(InvalidInput, match="this worker may not use"):
            worker.look_through(Sweep("r", DATABASE, storage))
    if "store" in allowed:
        worker.check("store/below", DATABASE, used=False)


@pytest.mark.parametrize("gone", ["store", f"store/{DATABASE}"])
def test_a_worker_makes_no_storage_where_others_have_saved(store: CheckpointStore, tmp_path: Path, gone: str) -> None:
    CheckpointStore(tmp_path).check("store", DATABASE, used=False)
    shutil.rmtree(tmp_path / gone)
    with pytest.raises(EmptyStorage, match="is its disk mounted, and shared by all workers"):
        store.check("store", DATABASE, used=True)
    assert not (tmp_path / gone).exists()
    (tmp_path / "store" / DATABASE).mkdir(parents=True)
    store.check("store", DATABASE, used=True)


def test_what_an_older_version_saved_under_the_whole_path_of_its_folder_is_loaded_elsewhere_too(
    store: CheckpointStore, tmp_path: Path, folder: Path
) -> None:
    saved = keep(store, "kept", 3, folder)
    old = dataclasses.replace(reference(saved), uri=f"file://{tmp_path}/kept/{saved.saved.path}")
    (tmp_path / "project").mkdir()
    moved = CheckpointStore(tmp_path / "project")
    assert moved.load("kept", [old], tmp_path / "loaded").source == old
    strict = CheckpointStore(tmp_path / "project", ["kept"])
    assert strict.load("kept", [old], tmp_path / "again").broken_uris == (old.uri,)
