"""Whether this machine may keep checkpoints in an object store, found out before anything is trained for it."""

from __future__ import annotations

from typing import Any

from ..errors import CannotStart, RungmasterError, Unavailable
from .opening import FLAT, causes, is_refusal, opened, status_of, text_of
from .storage import protocols_of

#: What is written, read and deleted to find out whether that is allowed.
PROBE = ".rungmaster-probe"
#: Names of errors of the stores' libraries by which credentials or settings are missing or wrong.
_CONFIGURATION = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "NoRegionError", "InvalidRegionError"}
    | {"ParamValidationError", "InvalidConfigError", "UnauthorizedSSOTokenError", "SSOTokenLoadError"}
    | {"DefaultCredentialsError", "MalformedError", "ClientAuthenticationError"}
)
_MISSING = 404


def check_bucket(url: str) -> None:
    """Writes, reads and deletes one small object below a full URL of an object store; does nothing for other stores.

    Raises CannotStart where the bucket is not there, or where this machine's credentials do not allow it, and
    Unavailable where the store does not answer.
    """
    if not FLAT.intersection(protocols_of(url)[:1]):
        return
    try:
        with opened(f"{url.rstrip('/')}/{PROBE}") as (files, path):
            _probe(files, path)
    except RungmasterError as error:
        raise _judged(url, error, error.__cause__ or error) from error
    except Exception as error:
        raise _judged(url, error, error) from error


def _probe(files: Any, path: str) -> None:
    try:
        files.pipe_file(path, b"may be deleted")
        files.cat_file(path)
        files.rm_file(path)
    except Exception as error:
        if not _is_missing(error):
            raise
        # Another worker, which does the same, may have deleted the object.
        _check_there(files, bucket_of(path))


def _check_there(files: Any, bucket: str) -> None:
    try:
        files.info(bucket)
    except Exception as error:
        if not _is_missing(error):
            raise
        told = f"there is no bucket {bucket!r}; make it, or correct `checkpoints.storage` in the specification"
        raise CannotStart(told) from None


def check_there(files: Any, path: str) -> None:
    """Raises Unavailable where the bucket of a path is gone: then nothing is known of what was in it."""
    bucket = bucket_of(path)
    try:
        files.info(bucket)
    except Exception as error:
        if _is_missing(error):
            raise Unavailable(f"{bucket!r} is gone; was the bucket deleted or renamed?") from None
        raise Unavailable(f"{bucket!r} cannot be read: {text_of(error)}") from error


def _judged(url: str, error: Exception, cause: BaseException) -> RungmasterError:
    told = str(error) if isinstance(error, CannotStart) else misconfigured(cause)
    if told:
        return CannotStart(f"checkpoints cannot be kept in {url!r}: {told}")
    return Unavailable(f"the checkpoint store {url!r} is out of reach: {text_of(cause)}")


def bucket_of(path: str) -> str:
    """The first part of a path in an object store, by which its file system names the bucket."""
    return "/" * path.startswith("/") + path.strip("/").partition("/")[0]


def misconfigured(error: BaseException) -> str:
    """What is wrong with the credentials or the settings by which a store was asked; empty where it is not that."""
    for each in causes(error):
        if type(each).__name__ in _CONFIGURATION or isinstance(each, ImportError | ValueError):
            return text_of(each)
        if is_refusal(each):
            return f"access is refused ({_refusal(each)}); look at this machine's credentials and at what they allow"
    return ""


def _is_missing(error: BaseException) -> bool:
    return any(isinstance(each, FileNotFoundError) or status_of(each) == _MISSING for each in causes(error))


def _refusal(error: BaseException) -> str:
    """With its code, where the store gave one: the text of some is "Forbidden" alone."""
    response = getattr(error.__cause__, "response", None)
    code = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
    return ": ".join(filter(None, (str(code), " ".join(text_of(error).split()))))
