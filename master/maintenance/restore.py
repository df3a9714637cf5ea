"""What an operator does after a database was restored from a backup: time has passed that it knows nothing of.

Workers may hold leases that it never gave, or have gone on with those it did; checkpoints may lie where it would have
new ones written; a master of a later term may have told workers never to listen to an earlier one.
"""

from __future__ import annotations

import time
from pathlib import Path

from ...shared.errors import InvalidInput
from ...shared.wire.model import LeaseRef
from ...shared.wire.session import Exit, ExitOutcome, LeaseEvent
from ..dispatcher.setup import Refused
from ..dispatcher.store import LedgerStore
from ..experiment.changes import Changes
from ..experiment.life import lifecycle
from ..experiment.records import Batch
from ..ledger.engine import Database, parse_database, reading_engine, transaction
from ..ledger.files.backup import copy
from ..ledger.files.database_files import drop_log
from ..ledger.files.presence import check_alone
from ..ledger.leadership.candidate import sole_ledger
from ..ledger.schema.revisions import revisions_of

#: Seconds that a look at the database may take.
TIMEOUT_S = 10.0
REASON = "the database was restored from a backup"


def restore(url: str, backup: Path | None) -> int:
    """Puts a backup in place of a database (or, without one, takes it that this was done), and makes it safe to use.

    Every held lease ends, its trial goes on from the last checkpoint; term, tokens and experiment numbers are advanced
    past all that may have been used since. Returns how many leases ended. Raises InvalidInput where there is a
    database at `url` already, or (without a backup) none, FailedPrecondition where a master runs on it.
    """
    database = parse_database(url)
    if backup is not None:
        if database.kind != "sqlite":
            raise InvalidInput(f"{database.name}: restore it by pg_restore, then run this without the name of a file")
        if not backup.is_file():
            raise InvalidInput(f"{backup}: there is no such file")
        check_alone(database.path)
        if not database.path.exists():
            drop_log(database.path)
        copy(backup, database.path, database)
    else:
        _check_there(database)
    with sole_ledger(url, "restore") as ledger:
        changes, ended = _end_leases(LedgerStore(ledger))
        ledger.restored(changes)
    return ended


def _check_there(database: Database) -> None:
    """Raises InvalidInput where nothing was restored yet: an empty database would be made one without a search."""
    there = database.kind != "sqlite" or database.path.is_file()
    if there:
        engine = reading_engine(database, TIMEOUT_S)
        try:
            with transaction(engine, database) as connection:
                there = bool(revisions_of(connection))
        finally:
            engine.dispose()
    if not there:
        how = "give the name of the backup" if database.kind == "sqlite" else "run pg_restore, and look at what it says"
        raise InvalidInput(f"database {database.name} has no tables of Rungmaster yet: {how}")


def _end_leases(store: LedgerStore) -> tuple[Changes, int]:
    batch, ended = Batch(Changes(), time.time()), 0
    for stored_rows, setup in store.recover().experiments:
        if isinstance(setup, Refused):
            # It cannot go on anyhow, and a master that is started ends its leases.
            continue
        experiment = lifecycle.restore(stored_rows, setup)
        for lease in list(experiment.records.leases.values()):
            ref = LeaseRef(lease.experiment_id, lease.trial_id, lease.token)
            end = LeaseEvent(ref, lease.last_sequence + 1, Exit(ExitOutcome.GIVEN_BACK, REASON))
            experiment.record(end, lease.session_id, batch)
            ended += 1
    return batch.changes, ended
