"""The one writer of the database."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from typing import Any

from sqlalchemy import Connection, Engine, select, text

from ...shared.errors import DatabaseError, MastershipLost, Unavailable
from ..experiment.changes import Changes, NotWritten, StoredRows, ThinningRow
from ..experiment.life.retention import Span
from ..failpoints import hit
from .engine import READING, Database, master_transaction, parse_database, transaction, writing_engine
from .failures import explain
from .files.backup import advance
from .files.database_files import DatabaseFiles
from .files.rescue import rescue, rescued
from .leadership.lock import TermLock
from .leadership.mastership import announce_address, check_term, read_database_id, take_term
from .leadership.renewal import Renewal
from .read.queries.orphans import forget_workers
from .read.recovery import RecoveredRows, recover, recover_experiment, unneeded_checkpoints
from .schema.migrate import migrate
from .schema.tables import trials, wanted_trials
from .write.retention import ErasurePosition, erase, thin
from .write.writes import write

#: Seconds to wait for another program's lock before giving up.
LOCK_TIMEOUT_S = 5.0
#: At a start the lock may be that of a stopped predecessor, which PostgreSQL ends after 15 seconds.
OPEN_TIMEOUT_S = 20.0
#: More than one master ever makes: at a thousand a second these last for two years.
COMMITS_OF_A_TERM = 2**36
_LOOKUP = 500


class Ledger:
    """A master's right to write to a database, under its term. Use it from one thread at a time.

    Every method is one transaction that first checks the term and holds it until the end: it raises MastershipLost
    where another master took over, and then nothing was written, and DatabaseLost where the database was deleted or
    replaced under it, whatever was written to what is lost. It raises Unavailable where the database is locked,
    full or out of reach, after a bounded wait; the same call may succeed later, with the same Ledger. After an
    Unavailable from `commit` the outcome may be unknown (the connection broke while the server committed): `load`
    tells what was written.
    """

    def __init__(
        self,
        database: Database,
        engine: Engine,
        term: int,
        database_id: str,
        lock: TermLock | None = None,
        files: DatabaseFiles | None = None,
    ) -> None:
        self.term = term
        #: Random, made with the database: a master of another one continues another history.
        self.database_id = database_id
        self.database = database.kind
        self._address = database
        self._engine = engine
        #: The same connection, for transactions that only read.
        self._reading = engine.execution_options(**READING)
        self._lock = lock
        #: Each is used once, whatever becomes of its commit, and all are larger than those of earlier terms.
        self._commit_ids = count(term * COMMITS_OF_A_TERM + 1)
        #: The files that this master writes to, checked after each commit; None for PostgreSQL.
        self.files = files

    @classmethod
    def open(
        cls,
        url: str,
        *,
        holder: str,
        timeout_s: float = LOCK_TIMEOUT_S,
        succeeds: int | None = None,
        silent_since: float | None = None,
        lock: TermLock | None = None,
    ) -> Ledger:
        """Brings the database to this version's schema, making it where there is none, and takes a new term.

        `url` is the path of an SQLite file, `sqlite:///file.db` or `postgresql://…`; `holder` says for people who
        the master is; `timeout_s` bounds the wait for other programs' locks, in seconds. The new term's `lock` is taken
        before anybody can see the term. With `succeeds`, MastershipLost is raised where the term is no longer that
        one, and with `silent_since` where that is no longer the time of its master's last sign of life. Raises
        InvalidInput for a wrong URL, Unavailable where the database is locked or out of reach, DatabaseError where it
        cannot be used.
        """
        database = parse_database(url)
        _check_place(database)
        files = DatabaseFiles(database.name, database.path) if database.kind == "sqlite" else None
        engine, term = writing_engine(database, timeout_s, files), 0
        database_id = ""
        try:
            with transaction(engine, database) as connection:
                _check_wal(connection, database)
                _wait_longer(connection, timeout_s)
                migrate(connection, database.name)
                term = take_term(connection, holder, succeeds, silent_since)
                database_id = read_database_id(connection)
                if files is not None:
                    files.logged()
                if lock is not None:
                    _lock(lock, term, database_id, database.name)
                hit("term.before")
            hit("term.after")
            if files is not None:
                files.check()
        except BaseException:
            engine.dispose()
            if lock is not None:
                lock.withdraw()
                lock.release(term)
            if files is not None:
                files.close()
            raise
        return cls(database, engine, term, database_id, lock, files)

    def commit(self, changes: Changes) -> None:
        """Writes all of it, durably, or nothing.

        Raises NotWritten where it does not fit what is stored (a bug). After any other error all of it may be there.
        """
        committing = False
        try:
            with self._transaction() as connection:
                write(connection, changes, next(self._commit_ids))
                if changes.endings:
                    hit("ending.before")
                hit("commit.before")
                committing = True
        except (Unavailable, MastershipLost):
            raise
        except Exception as error:
            if committing:
                raise
            raise NotWritten(str(error)) from error
        if changes.endings:
            hit("ending.after")
        hit("commit.after")

    def restored(self, changes: Changes) -> None:
        """Writes the end of all leases of a restored backup, and advances the numbers that it might give again."""
        with self._transaction() as connection:
            write(connection, changes, next(self._commit_ids))
            advance(connection)

    def renewal(self, timeout_s: float = LOCK_TIMEOUT_S) -> Renewal:
        """What gives signs of life to whoever waits for this master's end; to be closed before the ledger."""
        return Renewal(self._address, self.term, self.database_id, self._lock, timeout_s, self.files)

    def announce(self, address: str) -> None:
        """Tells whoever finds the database at which address (host:port) its master serves now."""
        with self._transaction() as connection:
            announce_address(connection, address)

    def load(self) -> RecoveredRows:
        """Everything that a master must have in memory."""
        with self._transaction(self._reading) as connection:
            return recover(connection)

    def load_experiment(self, experiment_id: int) -> StoredRows | None:
        """What a master must have of one experiment in memory; None where there is none, or it has ended."""
        with self._transaction() as connection:
            return recover_experiment(connection, experiment_id)

    def hparams(self, trial_ids: Collection[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]:
        """Hyperparameters by (experiment, trial); trials that do not exist are left out."""
        wanted, found = list(trial_ids), {}
        with self._transaction() as connection:
            for start in range(0, len(wanted), _LOOKUP):
                found |= _hparams(connection, wanted[start : start + _LOOKUP])
        return found

    def unneeded_checkpoints(self) -> list[str]:
        """URIs of checkpoints whose files are still to be deleted, those of deleted experiments among them."""
        with self._transaction() as connection:
            return unneeded_checkpoints(connection)

    def thin(self, thinning: ThinningRow, gone: Sequence[Span], next_trial: int, *, finished: bool) -> bool:
        """Deletes reports and notes how far that is; False where the thinning was begun anew or deleted meanwhile."""
        with self._chore() as connection:
            return thin(connection, thinning, gone, next_trial, finished)

    def erase(self, experiment_id: int, place: ErasurePosition, rows: int) -> ErasurePosition | None:
        """Deletes about so many rows of a deleted experiment, from a place on; the next place, None at the end."""
        with self._chore() as connection:
            return erase(connection, experiment_id, place, rows)

    def forget_workers(self, before: float, here: Collection[str], limit: int) -> int:
        """Deletes at most so many rows of workers that were last heard of before that time (seconds since the epoch)
        and are not `here`; how many it were."""
        with self._chore() as connection:
            return forget_workers(connection, before, here, limit)

    def compact(self) -> None:
        """Writes an SQLite file anew without its free pages. SQLite does that outside of every transaction."""
        connection = self._engine.raw_connection()
        try:
            with closing(connection.cursor()) as cursor:
                cursor.execute("VACUUM")
                # What it wrote stands in the write-ahead log until then, and the file is as long as before.
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except self._engine.dialect.loaded_dbapi.Error as error:
            raise explain(error, self._address.name) from error
        finally:
            connection.close()

    def rescue(self) -> str:
        """Brings to safety what a lost database holds (see DatabaseLost); what became of it, for people."""
        return rescue(self._engine, self.files, self._address) if self.files is not None else ""

    def close(self) -> None:
        """Lets go of the database. The term stays taken; the next master takes a larger one."""
        if self._lock is not None and self.files is not None and not self.files.lost:
            # Before the files of the log go, which are not to be missed as if they had been deleted.
            self._lock.withdraw()
        self._engine.dispose()
        if self.files is not None:
            self.files.close()
        if self._lock is not None:
            self._lock.close()

    @contextmanager
    def _chore(self) -> Iterator[Connection]:
        with self._transaction() as connection:
            yield connection
            hit("chore.before")
        hit("chore.after")

    @contextmanager
    def _transaction(self, engine: Engine | None = None) -> Iterator[Connection]:
        with master_transaction(engine or self._engine, self._address, self.files) as connection:
            check_term(connection, self.term, self.database_id)
            yield connection


def _hparams(connection: Connection, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]:
    columns = trials.c
    statement = select(columns.experiment_id, columns.trial_id, columns.hparams).join(*wanted_trials(wanted))
    return {(experiment, trial): hparams for experiment, trial, hparams in connection.execute(statement)}


def _lock(lock: TermLock, term: int, database_id: str, name: str) -> None:
    """Takes the lock of a new term. Raises MastershipLost where a master works on what was here before."""
    if not lock.take(term):
        raise Unavailable(
            f"database {name}: a master of a database that was here before runs (term {term}); end it, and try again"
        )
    lock.announce(term, database_id)
    if lock.elsewhere(term, database_id) is not None:
        raise MastershipLost(f"database {name}: a master works on another database that was here before")


def _check_place(database: Database) -> None:
    """Raises DatabaseError where a database is not to be begun."""
    if database.kind != "sqlite":
        return
    if not database.path.absolute().parent.is_dir():
        raise DatabaseError(f"database {database.name}: its folder does not exist; create it, or correct the path")
    if not database.path.exists() and (saved := rescued(database.path)):
        raise DatabaseError(
            f"database {database.name}: it was deleted under its master, which saved it: to go on with it, "
            f"{shlex.join(['mv', str(saved), database.name])}; to begin anew, move that file to another folder"
        )


def _check_wal(connection: Connection, database: Database) -> None:
    """Only with a write-ahead log do readers and the writer go on beside each other."""
    if database.kind == "sqlite" and connection.scalar(text("PRAGMA journal_mode")) != "wal":
        raise DatabaseError(
            f"database {database.name}: its file system cannot keep a write-ahead log; use a local disk, or PostgreSQL"
        )


def _wait_longer(connection: Connection, timeout_s: float) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = {int(max(timeout_s, OPEN_TIMEOUT_S) * 1000)}"))
