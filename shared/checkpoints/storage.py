"""Addresses of checkpoint stores, and what is known of a store by its address alone, without reaching it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import CannotStart, InvalidInput
from ..text.suggestions import closest

#: The extra of this package that brings what a protocol needs.
_EXTRAS: Mapping[str, str] = {
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gcs"),
    **dict.fromkeys(("abfs", "abfss", "az", "adl"), "azure"),
}


LOCAL = "file://"


def resolve(url: str, directory: Path) -> str:
    """A full URL: a plain path, relative ones below `directory`, becomes an absolute `file:` one."""
    if url.startswith("file:"):
        url = url.removeprefix("file:").removeprefix("//")
    elif "://" in url or "::" in url:
        return url
    return f"{LOCAL}{os.path.normpath(directory / Path(url).expanduser())}"


def address_in(storage: str, *parts: str) -> str:
    """The address of what lies in a storage: relative where the storage is, so that both may be moved together."""
    if is_relative(storage):
        return os.path.normpath("/".join((storage, *parts)))
    if storage.startswith("/"):
        return LOCAL + os.path.normpath("/".join((storage, *parts)))
    return "/".join((storage.rstrip("/"), *parts))


def is_relative(url: str) -> bool:
    """Whether it is a plain path that leads from one folder or another."""
    return not (url.startswith(("file:", "/", "~")) or "://" in url or "::" in url)


def protocols_of(url: str) -> list[str]:
    """The protocols in an fsspec URL, the outer one first: none for a plain path."""
    parts = url.split("::")
    return [part.partition("://")[0] for part in parts if "://" in part or len(parts) > 1]


def storage_problem(url: str) -> str | None:
    """What makes an address one that no machine could use: a protocol that fsspec does not know. None where it may."""
    protocols = protocols_of(url)
    if not protocols:
        return None
    # Not before it is needed: it takes longer to import than a spec to read.
    import fsspec

    known = fsspec.available_protocols()
    for protocol in protocols:
        if protocol not in known:
            close = closest(protocol, known)
            hint = f'; did you mean "{close}"?' if close else ""
            return f"must be a path, or a URL of a protocol that fsspec knows, such as s3, gs, abfs or file; got {protocol}://{hint}"
    return None


def check_allowed(url: str, allowed: Sequence[str]) -> None:
    """Raises InvalidInput where a full URL neither is one of those, if any are named, nor lies below one."""
    places = [place.rstrip("/") for place in allowed]
    inside = any(url.rstrip("/") == place or url.startswith(f"{place}/") for place in places)
    if allowed and (not inside or ".." in url.split("/")):
        raise InvalidInput(f"this worker may not use {url!r}; its --allow-storage says: {', '.join(places)}")


def check_packages(url: str) -> None:
    """Raises CannotStart where a package is missing on this machine that the store needs."""
    import fsspec

    for protocol in protocols_of(url):
        try:
            fsspec.get_filesystem_class(protocol)
        except ImportError as error:
            extra = _EXTRAS.get(protocol)
            install = f"pip install 'rungmaster[{extra}]'" if extra else str(error)
            raise CannotStart(f"checkpoints in {url!r} need a package that is not installed here: {install}") from error
        except ValueError as error:
            raise CannotStart(f"checkpoints in {url!r}: {error}") from error


def check_folder(folder: Path) -> None:
    """Makes the folder of a local store. Raises CannotStart where nobody could, OSError where it is out of reach."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise CannotStart(f"the folder for checkpoints, {folder}, cannot be made: {error.strerror}") from error
    except FileExistsError as error:
        if folder.is_file():
            raise CannotStart(f"the folder for checkpoints, {folder}, cannot be made: it is a file") from error
        raise
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CannotStart(f"the folder for checkpoints, {folder}, may not be written by this user")
