"""What lies in the storage of one database: its checkpoints, and what never became one, for whoever knows which of
them are wanted. Nothing outside `<storage>/<database_id>/` is looked at, nothing by other names than ours, and no link
is followed. Everything here blocks.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from ..errors import InvalidInput, Unavailable
from ..limits import MAX_FOUND, MAX_LOGGED
from ..wire.model import LeaseRef
from ..wire.session import Found, TrialRef
from .local_stores import is_ours
from .manifest import MANIFEST, is_manifest_of_ours
from .opening import open_store, text_of
from .paths import CHECKPOINT, DATABASE, PARTIAL
from .s3_requests import unfinished
from .storage import address_in, resolve

#: Trials whose folders are looked into at one go.
TRIALS = 200


#: `<trial>-<token>.log`
_LOG = re.compile(r"\d+-\d+\.log")


@dataclass(slots=True)
class Portion:
    """Part of what was found, and the trial after which to go on; None at the end."""

    found: list[Found] = field(default_factory=list)
    after: TrialRef | None = None


def look_through(
    storage: str, database_id: str, after: TrialRef, least_age_s: float, directory: Path, trials: int = TRIALS
) -> Portion:
    """The checkpoints and partial ones of the next trials after one that are older than so many
    seconds, by their paths in the storage. A relative storage is one below `directory`.

    Raises Unavailable where the store cannot be reached, which says nothing about what is in it, and InvalidInput for
    what is not the id of a database.
    """
    _check_id(database_id)
    portion = Portion()
    try:
        shelf = _shelf(resolve(address_in(storage, database_id), directory))
        for number, (experiment, trial) in enumerate(_trials(shelf, after)):
            if number == trials or len(portion.found) >= MAX_FOUND // 2:
                return portion
            portion.after = TrialRef(experiment, trial)
            for name, age_s in shelf.leftovers(experiment, trial):
                if age_s >= least_age_s and len(portion.found) < MAX_FOUND:
                    portion.found.append(Found(f"{database_id}/{experiment}/{trial}/{name}", age_s))
    except Exception as error:
        raise Unavailable(f"the checkpoint store {storage!r} cannot be looked through: {text_of(error)}") from error
    portion.after = None
    return portion


def logged_experiments(logs: Path, database_id: str) -> tuple[int, ...]:
    """The experiments of a database of which there are training logs, lowest first, as many as can be told of."""
    _check_id(database_id)
    numbers = [_as_number(entry.name) for entry in _folders(logs / database_id)]
    return tuple(sorted(number for number in numbers if number is not None)[:MAX_LOGGED])


def remove_logs(logs: Path, database_id: str, experiments: Iterable[int]) -> None:
    """Deletes the training logs of experiments of a database; what cannot be deleted stays."""
    _check_id(database_id)
    if not (logs / database_id).is_symlink():
        for experiment_id in experiments:
            shutil.rmtree(logs / database_id / str(experiment_id), ignore_errors=True)


def remove_old_logs(logs: Path, database_id: str, age_s: float, in_use: Collection[LeaseRef] = ()) -> None:
    """Deletes the training logs of a database that have not changed for so many seconds, but those of leases that
    train: one that prints nothing goes on."""
    spared = {(lease.experiment_id, f"{lease.trial_id}-{lease.token}.log") for lease in in_use}
    for experiment_id in logged_experiments(logs, database_id):
        folder = logs / database_id / str(experiment_id)
        for log in folder.glob("*.log"):
            with contextlib.suppress(OSError):
                old = time.time() - log.lstat().st_mtime >= age_s
                if old and _LOG.fullmatch(log.name) and (experiment_id, log.name) not in spared:
                    log.unlink()
        with contextlib.suppress(OSError):
            folder.rmdir()


def _check_id(database_id: str) -> None:
    if not DATABASE.fullmatch(database_id):
        raise InvalidInput(f"{database_id!r} is not the id of a database; nothing was looked for")


def _trials(shelf: _Disk | _Objects, after: TrialRef) -> Iterator[tuple[int, int]]:
    for experiment in shelf.numbers():
        if experiment >= after[0]:
            for trial in shelf.numbers(experiment):
                if (experiment, trial) > after:
                    yield experiment, trial


def _shelf(url: str) -> _Disk | _Objects:
    files, path = open_store(url)
    return _Disk(Path(path)) if isinstance(files, LocalFileSystem) else _Objects(files, path)


def _as_number(name: str) -> int | None:
    """The number of an experiment or a trial, as we write it."""
    return int(name) if name.isdecimal() and str(int(name)) == name else None


class _Disk:
    """`<storage>/<database_id>` on a file system."""

    def __init__(self, root: Path) -> None:
        if not root.parent.is_dir():
            raise FileNotFoundError(f"the folder {root.parent} is not there")
        self._root = root

    def numbers(self, *below: int) -> list[int]:
        """The numbered folders there, lowest first."""
        folder = self._root.joinpath(*map(str, below))
        return sorted(number for entry in _folders(folder) if (number := _as_number(entry.name)) is not None)

    def leftovers(self, experiment: int, trial: int) -> Iterator[tuple[str, float]]:
        """The names of checkpoints and partial ones, with their ages in seconds."""
        for entry in _folders(self._root / str(experiment) / str(trial)):
            whole = CHECKPOINT.fullmatch(entry.name) and is_ours(Path(entry.path))
            if whole or PARTIAL.fullmatch(entry.name):
                yield entry.name, time.time() - _last_change(Path(entry.path))


def _folders(folder: Path) -> list[os.DirEntry[str]]:
    """The folders in a folder that is none itself behind a link; none where it is not there."""
    if folder.is_symlink():
        return []
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _last_change(folder: Path) -> float:
    """When anything in a folder last changed, in seconds since the epoch."""
    try:
        newest = folder.lstat().st_mtime
        for place, folders, names in os.walk(folder):
            newest = max([newest, *(Path(place, name).lstat().st_mtime for name in (*folders, *names))])
    except FileNotFoundError:
        # It changes at this moment.
        return time.time()
    return newest


class _Objects:
    """`<storage>/<database_id>` in an object store, where a checkpoint without its manifest was never whole."""

    def __init__(self, files: Any, root: str) -> None:
        self._files = files
        self._root = root.rstrip("/")
        #: Uploads that were never ended: where they lead to, in steps below the root, and when they began.
        self._begun = [(self._steps(each.path), each.begun) for each in unfinished(files, self._root)]

    def numbers(self, *below: int) -> list[int]:
        """The numbered folders there, lowest first."""
        above = tuple(map(str, below))
        names = {*self._folders("/".join([self._root, *above]))}
        names |= {
            steps[len(above)] for steps, _ in self._begun if steps[: len(above)] == above and len(steps) > len(above)
        }
        return sorted(number for name in names if (number := _as_number(name)) is not None)

    def leftovers(self, experiment: int, trial: int) -> Iterator[tuple[str, float]]:
        """The names of checkpoints and partial ones, with their ages in seconds; of an age unknown none is told."""
        times: dict[str, list[float | None]] = {}
        manifests = {}
        for path, info in self._files.find(f"{self._root}/{experiment}/{trial}", detail=True).items():
            name, _, inside = "/".join(self._steps(path)[2:]).partition("/")
            times.setdefault(name, []).append(_changed(info))
            if inside == MANIFEST:
                manifests[name] = path
        for steps, begun in self._begun:
            if steps[:2] == (str(experiment), str(trial)) and len(steps) > 2:
                times.setdefault(steps[2], []).append(begun)
        for name in filter(CHECKPOINT.fullmatch, times):
            known = [each for each in times[name] if each is not None]
            if len(known) == len(times[name]) and self._may_be_ours(manifests.get(name)):
                yield name, time.time() - max(known)

    def _steps(self, path: str) -> tuple[str, ...]:
        return tuple(path.removeprefix(f"{self._root}/").split("/"))

    def _folders(self, path: str) -> list[str]:
        try:
            found = self._files.ls(path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [info["name"].rstrip("/").rsplit("/", 1)[-1] for info in found if info["type"] == "directory"]

    def _may_be_ours(self, manifest: str | None) -> bool:
        try:
            return manifest is None or is_manifest_of_ours(self._files.cat_file(manifest))
        except FileNotFoundError:
            return True


def _changed(info: dict[str, Any]) -> float | None:
    """When an object was written, in seconds since the epoch, by the names that file systems give it."""
    for key in ("LastModified", "last_modified", "mtime", "updated", "created"):
        value = info.get(key)
        if isinstance(value, str):
            value = _parsed(value)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return None


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
