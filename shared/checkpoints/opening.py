"""How the file system of a checkpoint store is opened. Everything here blocks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fsspec
from fsspec.config import conf
from fsspec.core import url_to_fs

from ..errors import Unavailable
from .storage import protocols_of

S3 = frozenset({"s3", "s3a"})
GOOGLE = frozenset({"gs", "gcs"})
#: Protocols without folders. Nothing is made there before a file is written: their file systems would make the bucket.
FLAT = S3 | GOOGLE | {"az", "abfs", "abfss"}
#: Bytes of a part of a large file, and parts that are under way at once: together what a transfer takes of memory.
PART_BYTES, PARTS_AT_ONCE = 16 << 20, 4
#: Attempts of botocore at a request, and rounds of s3fs of those. What takes longer waits where people see it.
_ATTEMPTS, _ROUNDS = 3, 2


def open_store(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a full URL, and the path in it. Raises Unavailable where it cannot be opened."""
    options = {protocol: _s3_options(protocol) for protocol in protocols_of(url) if protocol in S3}
    try:
        files, path = url_to_fs(url, use_listings_cache=False, **options)
    except ImportError as error:
        raise Unavailable(f"{url!r} cannot be opened: {error}; is the file system's package installed?") from error
    except Exception as error:
        raise Unavailable(f"{url!r} cannot be opened: {text_of(error)}") from error
    if is_of(files, S3):
        files.retries = min(files.retries, _ROUNDS)
    return files, path


def _s3_options(protocol: str) -> dict[str, Any]:
    """What people have configured for fsspec stands, and so does what they say in botocore's variables."""
    configured = conf.get(protocol, {})
    options: dict[str, Any] = {"max_concurrency": PARTS_AT_ONCE, "default_block_size": PART_BYTES}
    if not {"AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"} & os.environ.keys():
        retries = {"mode": "standard", "total_max_attempts": _ATTEMPTS}
        options["config_kwargs"] = {"retries": retries} | configured.get("config_kwargs", {})
    return {name: value for name, value in options.items() if name == "config_kwargs" or name not in configured}


def is_of(files: Any, protocols: frozenset[str]) -> bool:
    """Whether a file system is of one of these protocols."""
    own = (files.protocol,) if isinstance(files.protocol, str) else files.protocol
    return not protocols.isdisjoint(own)


@contextmanager
def opened(url: str) -> Iterator[tuple[fsspec.AbstractFileSystem, str]]:
    """The same for as long as the block takes. Once a store has refused access, the next one that is opened asks with
    credentials that are read anew: they may have been renewed."""
    files, path = open_store(url)
    try:
        yield files, path
    except Exception as error:
        if any(is_refusal(each) for each in causes(error)):
            files.clear_instance_cache()
        raise


def is_refusal(error: BaseException) -> bool:
    """Whether a store says by it that its caller is not known, or may not do that."""
    return isinstance(error, PermissionError) or status_of(error) in (401, 403) or str(error).startswith("Forbidden")


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error of gcsfs (`code`) or of Azure's library (`status_code`) carries."""
    for name in ("code", "status_code"):
        value = getattr(error, name, None)
        if isinstance(value, int | str) and str(value).isdecimal():
            return int(value)
    return None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it was raised from, and so on."""
    while error is not None:
        yield error
        error = error.__cause__


def text_of(error: BaseException) -> str:
    """What an error of a file system says, or where it says nothing its kind."""
    return str(error) or type(error).__name__
