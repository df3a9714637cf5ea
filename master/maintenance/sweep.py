"""`db sweep`: finds what nothing can need in the stores of a database, and deletes it, from this machine.

The rules are those of a master that has workers sweep: `experiment/saved/orphans.py` and
`shared/checkpoints/leftovers.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ...shared.checkpoints.leftovers import logged_experiments, look_through, remove_logs
from ...shared.checkpoints.removal import remove
from ...shared.checkpoints.storage import address_in
from ...shared.errors import RungmasterError
from ...shared.wire.session import BEFORE_ALL_TRIALS, Found, TrialRef
from ..ledger.read.reader import Reader


class Orphan(NamedTuple):
    """The address of a checkpoint that nothing can need, and how many seconds ago anything of it last changed."""

    uri: str
    age_s: float


@dataclass(slots=True)
class Leftovers:
    """What nothing can need: checkpoints, and experiments whose logs are of no use; and what could not be done."""

    checkpoints: list[Orphan] = field(default_factory=list)
    logs: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Where:
    """Where to look: relative storages are below `directory`; `storages` beside those that specs name."""

    directory: Path
    logs: Path
    storages: Sequence[str] = ()


def sweep_database(url: str, where: Where, least_age_s: float, *, dry_run: bool) -> Leftovers:
    """Deletes, unless it is a dry run, what nothing of it can need and has not changed for so many seconds.

    It may run beside the database's master. Raises InvalidInput, DatabaseError or Unavailable where the database
    cannot be read.
    """
    swept = Leftovers()
    with closing(Reader(url, from_outside=True)) as reader:
        database_id, known = reader.storages()
        for storage in dict.fromkeys([*known, *where.storages]):
            try:
                for found in _orphans(reader, database_id, storage, where.directory, least_age_s):
                    orphan = Orphan(address_in(storage, found.path), found.age_s)
                    _take(orphan, where.directory, swept, dry_run=dry_run)
            except RungmasterError as error:
                swept.failures.append(str(error))
        swept.logs = reader.deleted_among(logged_experiments(where.logs, database_id))
        if not dry_run:
            remove_logs(where.logs, database_id, swept.logs)
    return swept


def _orphans(reader: Reader, database_id: str, storage: str, directory: Path, least_age_s: float) -> Iterator[Found]:
    after: TrialRef | None = BEFORE_ALL_TRIALS
    while after is not None:
        portion = look_through(storage, database_id, after, least_age_s, directory)
        orphans = set(reader.orphans(found.path for found in portion.found))
        yield from (found for found in portion.found if found.path in orphans)
        after = portion.after


def _take(found: Orphan, directory: Path, swept: Leftovers, *, dry_run: bool) -> None:
    try:
        if not dry_run:
            remove(found.uri, directory)
        swept.checkpoints.append(found)
    except RungmasterError as error:
        swept.failures.append(str(error))
