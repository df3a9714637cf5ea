"""What a checkpoint store has to do, asked of real servers: S3, and Google's and Azure's where their emulators are."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest

from rungmaster.shared.checkpoints import transfers
from rungmaster.shared.checkpoints.opening import open_store
from rungmaster.shared.errors import CannotStart, Unavailable
from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import CheckpointRef
from rungmaster.worker.checkpoints.store import CheckpointStore

from .saved import DATABASE, Place, filled, read

# What gcsfs and Azure's library hand to aiohttp.
pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
#: Bytes of a part, here: the least that S3 takes.
PART = 5 << 20


@pytest.fixture(params=["s3", "gcs", "azure"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(transfers, "PART_BYTES", PART)
    return Place(f"{request.getfixturevalue(request.param)}/some/runs")


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path)


def test_files_of_all_kinds_come_back_as_they_were_and_nothing_is_left_of_what_is_deleted(
    place: Place, store: CheckpointStore, tmp_path: Path
) -> None:
    folder = filled(tmp_path / "training", empty=0, large=2 * PART + 1, **{f"shard-{n}": 100 + n for n in range(40)})
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "état #1 50%+[x].json").write_text("{}")
    store.check(place.storage, DATABASE, used=False)
    saved = place.save(store, folder)
    assert store.load(place.storage, [saved], tmp_path / "loaded").source == saved
    assert read(tmp_path / "loaded") == read(folder)
    assert place.found() == [saved.uri]
    store.delete(saved.uri)
    store.delete(saved.uri)
    assert place.objects() == []


def test_a_bucket_that_is_missing_is_told_and_never_made(place: Place, store: CheckpointStore, tmp_path: Path) -> None:
    scheme, _, bucket = place.storage.partition("://")
    missing = Place(f"{scheme}://not-{bucket}")
    with pytest.raises(CannotStart, match=r"there is no bucket 'not-.*; make it, or correct `checkpoints.storage`"):
        store.check(missing.storage, DATABASE, used=False)
    with pytest.raises(Unavailable):
        missing.save(store, filled(tmp_path / "training", model=10))
    files, path = open_store(missing.storage)
    with pytest.raises(FileNotFoundError):
        files.info(path.partition("/")[0])


def test_in_a_bucket_that_is_gone_nothing_is_missing_and_nothing_deleted(
    place: Place, store: CheckpointStore, tmp_path: Path
) -> None:
    saved = place.save(store, filled(tmp_path / "training", model=10))
    gone = CheckpointRef(saved.uri.replace("://", "://not-"), saved.resource, saved.checksum)
    for use in (lambda: store.load(gone.uri.partition("/some")[0] + "/some/runs", [gone], tmp_path / "loaded"),
                lambda: store.delete(gone.uri)):  # fmt: skip
        with pytest.raises(Unavailable, match="was the bucket deleted or renamed"):
            use()


def test_what_is_missing_in_the_store_breaks_a_checkpoint_and_the_one_before_is_taken(
    place: Place, store: CheckpointStore, tmp_path: Path
) -> None:
    folder = filled(tmp_path / "training", a=10, b=20, c=30)
    whole, lacks_file, lacks_manifest = (place.save(store, folder, LeaseRef(1, 7, token)) for token in (1, 2, 3))
    for broken, name in ((lacks_file, "b"), (lacks_manifest, "manifest.json")):
        files, path = open_store(broken.uri)
        files.rm_file(f"{path}/{name}")
    loaded = store.load(place.storage, [lacks_manifest, lacks_file, whole], tmp_path / "loaded")
    assert loaded.source == whole
    assert [text.partition(": ")[2] for text in loaded.broken] == ["manifest.json is missing", "b is missing"]


def test_objects_without_a_manifest_are_found_and_can_be_deleted_and_what_is_not_ours_stays(
    place: Place, store: CheckpointStore, tmp_path: Path
) -> None:
    folder = filled(tmp_path / "training", a=10, b=20)
    half, foreign = (place.save(store, folder, LeaseRef(1, 7, token)) for token in (1, 2))
    files, path = open_store(half.uri)
    files.rm_file(f"{path}/manifest.json")
    files.pipe_file(f"{open_store(foreign.uri)[1]}/manifest.json", b'{"name": "a web app"}')
    assert place.found() == [half.uri]
    assert place.found(least_age_s=3600.0) == []
    for each in (half, foreign):
        store.delete(each.uri)
    assert {name.rsplit("/", 2)[-2] for name in place.objects()} == {foreign.uri.rsplit("/", 1)[1]}


def test_two_workers_use_one_store_at_once_and_each_deletes_its_own(place: Place, tmp_path: Path) -> None:
    folder = filled(tmp_path / "training", **{f"shard-{n}": 1000 for n in range(20)})
    saved: dict[int, CheckpointRef] = {}

    def work(token: int) -> None:
        store = CheckpointStore(tmp_path)
        store.check(place.storage, DATABASE, used=False)
        saved[token] = place.save(store, folder, LeaseRef(1, 7, token))

    threads = [Thread(target=work, args=(token,)) for token in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    CheckpointStore(tmp_path).delete(saved.pop(0).uri)
    assert sorted(place.found()) == sorted(each.uri for each in saved.values())
    for token, each in saved.items():
        assert CheckpointStore(tmp_path).load(place.storage, [each], tmp_path / f"loaded-{token}").source == each
