"""Damages checkpoints that have a whole one beside them, as a disk would, and knows which it has damaged."""

from __future__ import annotations

import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Row

from rungmaster.shared.checkpoints.manifest import MANIFEST


def _cut_short(checkpoint: Path, random: Random) -> None:
    with _some_file(checkpoint, random).open("r+b") as file:
        file.truncate(0)


def _change_a_byte(checkpoint: Path, random: Random) -> None:
    path = _some_file(checkpoint, random)
    content = bytearray(path.read_bytes())
    content[random.randrange(len(content))] ^= 1
    with path.open("r+b") as file:
        file.write(content)


def _remove_a_file(checkpoint: Path, random: Random) -> None:
    _some_file(checkpoint, random).unlink()


def _remove_manifest(checkpoint: Path, random: Random) -> None:
    (checkpoint / MANIFEST).unlink()


def _remove_all(checkpoint: Path, random: Random) -> None:
    shutil.rmtree(checkpoint)


#: What can happen to a checkpoint.
GONE = "gone"
WAYS: dict[str, Callable[[Path, Random], None]] = {
    "cut short": _cut_short,
    "a byte changed": _change_a_byte,
    "a file gone": _remove_a_file,
    "its manifest gone": _remove_manifest,
    GONE: _remove_all,
}


def _some_file(checkpoint: Path, random: Random) -> Path:
    return random.choice(sorted(path for path in checkpoint.iterdir() if path.name != MANIFEST))


class Breakage:
    """What was damaged so far in a store."""

    def __init__(self) -> None:
        #: By their addresses; those that are gone are among those that are broken.
        self.broken: set[str] = set()
        self.gone: set[str] = set()
        self._damaging = threading.Lock()

    def strike(self, checkpoints: Iterable[Row[Any]], random: Random, ways: Iterable[str] = WAYS) -> list[str]:
        """Damages the newest checkpoint of some trials that keep another whole one; gives their addresses.

        `checkpoints` are rows of the ledger. What is about to be deleted may be gone before it is damaged.
        """
        with self._damaging:
            candidates = self._newest_beside_whole(checkpoints)
            chosen = random.sample(candidates, random.randint(1, len(candidates))) if candidates else []
            return [uri for uri in chosen if self._damage(uri, random.choice(sorted(ways)), random)]

    def _newest_beside_whole(self, checkpoints: Iterable[Row[Any]]) -> list[str]:
        kept: defaultdict[tuple[int, int], list[Row[Any]]] = defaultdict(list)
        for row in checkpoints:
            if row.delete_time is None and row.uri not in self.broken:
                kept[row.experiment_id, row.trial_id].append(row)
        return [max(rows, key=_age).uri for rows in kept.values() if len(rows) > 1]

    def _damage(self, uri: str, way: str, random: Random) -> bool:
        # Before it is damaged: whoever finds it broken finds it named here.
        self.broken.add(uri)
        self.gone |= {uri} if way == GONE else set()
        try:
            WAYS[way](Path(uri.removeprefix("file://")), random)
        except FileNotFoundError:
            return False
        return True


def _age(row: Row[Any]) -> tuple[int, int, int]:
    return row.resource, row.token, row.sequence
