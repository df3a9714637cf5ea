"""What is asked of S3 itself, since its file system does not tell: which uploads were never ended, and what is left.

An upload in several parts that never ended, as when its worker was killed, is in no listing of objects, and costs like
one until somebody aborts it. Elsewhere what was sent of one goes by itself within days. Everything here blocks.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .opening import S3, is_of


@dataclass(frozen=True, slots=True)
class Upload:
    """One of them: the path of what would have become an object, and when it was begun, in seconds since the epoch."""

    path: str
    upload_id: str
    begun: float


def unfinished(files: Any, folder: str) -> Iterator[Upload]:
    """Those below a path; none in other stores, in those that tell of none, and where listing them is not allowed."""
    if not is_of(files, S3):
        return
    bucket, key, _ = files.split_path(folder)
    where: dict[str, Any] = {"Bucket": bucket, "Prefix": f"{key.rstrip('/')}/"}
    while True:
        try:
            found = files.call_s3("list_multipart_uploads", **where)
        except PermissionError:
            return
        except OSError as error:
            if error.errno == errno.ENOSYS:
                return
            raise
        for each in found.get("Uploads", ()):
            yield Upload(f"{bucket}/{each['Key']}", each["UploadId"], each["Initiated"].timestamp())
        if not found.get("IsTruncated"):
            return
        where |= {"KeyMarker": found["NextKeyMarker"], "UploadIdMarker": found.get("NextUploadIdMarker", "")}


def abort(files: Any, folder: str) -> None:
    """Ends those below a path, and deletes the parts that they have; one that has ended meanwhile is no error."""
    for upload in list(unfinished(files, folder)):
        bucket, key, _ = files.split_path(upload.path)
        try:
            files.call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload.upload_id)
        except FileNotFoundError:
            continue


def left_in(files: Any, folder: str) -> list[str]:
    """Some of the objects below a path; none in other stores, whose file systems say what they could not delete.

    Of objects that are to be deleted at once S3 may refuse some, and s3fs tells of none of them.
    """
    if not is_of(files, S3):
        return []
    bucket, key, _ = files.split_path(folder)
    found = files.call_s3("list_objects_v2", Bucket=bucket, Prefix=f"{key.rstrip('/')}/")
    return [each["Key"] for each in found.get("Contents", ())]
