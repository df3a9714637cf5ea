"""A real S3 server behind a proxy that fails: what passes is not seen, what stays is told in its words, and whoever is
refused learns which setting is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from e2e.cluster import toy_spec
from fsspec.config import conf

from rungmaster.shared.checkpoints import transfers
from rungmaster.shared.checkpoints.opening import open_store
from rungmaster.shared.errors import CannotStart, Unavailable
from rungmaster.shared.rehearsal import rehearse
from rungmaster.shared.spec.spec import spec_from_json
from rungmaster.worker.checkpoints.remote_saves import BegunSave
from rungmaster.worker.checkpoints.store import CheckpointStore

from .faulty_http import Fault, FaultyProxy, Request
from .saved import DATABASE, Place, filled, read
from .seaweed import OWNER, READER

MIB = 1 << 20
PART = 5 * MIB


@pytest.fixture
def place(s3: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(transfers, "PART_BYTES", PART)
    return Place(f"{s3}/runs")


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path)


def at(operation: str) -> Callable[[Request], bool]:
    return lambda request: request.operation == operation


#: Each request of a save and a load, the first of its kind.
EACH = ("PUT object", "POST object?uploads", "PUT object?partNumber", "POST object?uploadId", "GET object")


@pytest.mark.parametrize(
    "fault",
    ["SlowDown", "reset", *(pytest.param(each, marks=pytest.mark.storm) for each in ("InternalError", "lost"))],
)
def test_what_goes_wrong_once_is_not_seen(
    place: Place, store: CheckpointStore, proxy: FaultyProxy, tmp_path: Path, fault: Fault
) -> None:
    folder = filled(tmp_path / "training", large=2 * PART, small=10)
    # Once an upload was completed its parts are not known any more: where that answer is lost the file is sent again.
    left = [each for each in EACH if (each, fault) != ("POST object?uploadId", "lost")]

    def first(request: Request) -> Fault | None:
        if request.operation in left:
            left.remove(request.operation)
            return fault
        return None

    proxy.fault = first
    saved = place.save(store, folder)
    assert store.load(place.storage, [saved], tmp_path / "loaded").source == saved
    assert read(tmp_path / "loaded") == read(folder)
    assert len(place.objects()) == 3
    assert left == []


def test_an_answer_that_breaks_off_is_read_again(
    place: Place, store: CheckpointStore, proxy: FaultyProxy, tmp_path: Path
) -> None:
    folder = filled(tmp_path / "training", model=300_000)
    saved = place.save(store, folder)
    proxy.fail("cut", where=lambda request: request.path.endswith("/model"))
    assert store.load(place.storage, [saved], tmp_path / "loaded").source == saved
    assert read(tmp_path / "loaded") == read(folder)


def test_a_save_goes_on_where_it_broke_off_in_the_same_place_and_leaves_nothing_beside(
    place: Place, store: CheckpointStore, proxy: FaultyProxy, tmp_path: Path
) -> None:
    save = BegunSave(
        filled(tmp_path / "training", a=2 * transfers.SMALL_BYTES, b=2 * PART, c=2 * transfers.SMALL_BYTES)
    )
    proxy.fault = lambda request: "ServiceUnavailable" if request.path.endswith(("/b", "/c")) else None
    with pytest.raises(Unavailable, match="told by the test: ServiceUnavailable"):
        place.save(store, save)
    assert {name.rsplit("/", 1)[1] for name in place.objects()} == {"a"}
    proxy.mend()
    proxy.requests.clear()
    saved = place.save(store, save)
    assert {request.path.rsplit("/", 1)[1] for request in proxy.requests} == {"b", "c", "manifest.json"}
    assert place.found() == [saved.uri]
    assert store.load(place.storage, [saved], tmp_path / "loaded").source == saved


def test_a_store_that_stays_away_is_told_in_seconds_and_in_its_words(
    place: Place, store: CheckpointStore, proxy: FaultyProxy, tmp_path: Path
) -> None:
    saved = place.save(store, filled(tmp_path / "training", model=10))
    proxy.count()
    proxy.fault = lambda request: "SlowDown"
    for use in (lambda: place.save(store, tmp_path / "training"), lambda: store.delete(saved.uri)):
        with pytest.raises(Unavailable, match=r"told by the test: SlowDown|Service Unavailable"):
            use()
    # Three attempts of botocore, and as many of s3fs where it knows the error; what waits longer is the worker.
    assert proxy.count() == {"PUT object": 6, "HEAD object": 3}
    with pytest.raises(Unavailable, match=r"SlowDown|Service Unavailable"):
        store.load(place.storage, [saved], tmp_path / "loaded")


def test_what_people_have_configured_for_fsspec_and_botocore_stands(
    place: Place,
    store: CheckpointStore,
    proxy: FaultyProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    forgetting: Callable[[], None],
) -> None:
    config = {"read_timeout": 0.3, "retries": {"mode": "standard", "total_max_attempts": 1}}
    monkeypatch.setitem(conf, "s3", {"config_kwargs": config, "max_concurrency": 2})
    forgetting()
    assert open_store(place.storage)[0].max_concurrency == 2  # pyright: ignore[reportAttributeAccessIssue]
    proxy.fault = lambda request: "silence"
    with pytest.raises(Unavailable, match=r"[Rr]ead timeout"):
        place.save(store, filled(tmp_path / "training", model=10))
    assert proxy.count() == {"PUT object": 2}


REFUSED = {
    "a key that is not known": ({"ACCESS_KEY_ID": "nobody"}, "InvalidAccessKeyId: "),
    "a secret that is wrong": ({"SECRET_ACCESS_KEY": "guessed"}, "SignatureDoesNotMatch: "),
    "who may only read": ({"ACCESS_KEY_ID": READER[0], "SECRET_ACCESS_KEY": READER[1]}, "AccessDenied: "),
}


@pytest.mark.parametrize("who", REFUSED)
def test_whoever_may_not_save_learns_it_before_anything_is_trained(
    place: Place,
    store: CheckpointStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    forgetting: Callable[[], None],
    who: str,
) -> None:
    changed, code = REFUSED[who]
    for name, value in changed.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    forgetting()
    words = re.escape(f"cannot be kept in '{place.storage}': access is refused ({code}")
    with pytest.raises(CannotStart, match=f"{words}.*look at this machine's credentials"):
        store.check(place.storage, DATABASE, used=False)
    for name, value in zip(("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"), OWNER, strict=True):
        monkeypatch.setenv(f"AWS_{name}", value)
    store.check(place.storage, DATABASE, used=False)


def test_where_there_are_no_credentials_that_is_told(
    place: Place, store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, forgetting: Callable[[], None]
) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"AWS_{name}")
    forgetting()
    with pytest.raises(CannotStart, match="Unable to locate credentials"):
        store.check(place.storage, DATABASE, used=False)


def test_credentials_that_were_renewed_in_their_file_are_used_at_the_next_attempt(
    place: Place,
    store: CheckpointStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    forgetting: Callable[[], None],
) -> None:
    def say(key: str, secret: str) -> None:
        text = f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        (tmp_path / "credentials").write_text(text)

    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"AWS_{name}")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    say("expired", "and gone")
    forgetting()
    save = BegunSave(filled(tmp_path / "training", model=10))
    with pytest.raises(Unavailable, match="access key ID you provided does not exist"):
        place.save(store, save)
    say(*OWNER)
    assert store.load(place.storage, [place.save(store, save)], tmp_path / "loaded").source is not None


def test_a_bucket_that_is_missing_is_told_before_a_search_is_begun(place: Place, tmp_path: Path) -> None:
    spec = spec_from_json(yaml.safe_load(toy_spec(Path("x"), checkpoints={"storage": "s3://no-such-bucket/runs"})))
    with pytest.raises(CannotStart, match="there is no bucket 'no-such-bucket'"):
        rehearse(spec, tmp_path)


def test_an_upload_in_parts_that_never_ended_is_found_and_ended(place: Place, store: CheckpointStore) -> None:
    files, path = open_store(f"{place.storage}/{DATABASE}/1/7/3-9-abcd1234/model")
    bucket, _, key = path.partition("/")
    upload = files.call_s3("create_multipart_upload", Bucket=bucket, Key=key)["UploadId"]  # pyright: ignore
    part = {"Bucket": bucket, "Key": key, "UploadId": upload, "PartNumber": 1, "Body": b"half"}
    files.call_s3("upload_part", **part)  # pyright: ignore
    assert place.objects() == []
    (uri,) = place.found()
    assert uri.endswith(f"/{DATABASE}/1/7/3-9-abcd1234")
    assert place.found(least_age_s=3600.0) == []
    store.delete(uri)
    assert place.found() == []
    assert not files.call_s3("list_multipart_uploads", Bucket=bucket).get("Uploads")  # pyright: ignore


def test_what_the_store_did_not_delete_is_not_taken_for_deleted(
    place: Place, store: CheckpointStore, proxy: FaultyProxy, tmp_path: Path
) -> None:
    saved = place.save(store, filled(tmp_path / "training", a=10, b=10))
    proxy.fail("not all", where=at("POST bucket?delete"))
    with pytest.raises(Unavailable, match="2 of its objects could not be deleted"):
        store.delete(saved.uri)
    store.delete(saved.uri)
    assert place.objects() == []
