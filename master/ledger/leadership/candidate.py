"""Waiting to be the master of a database that has one."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from ....shared.errors import FailedPrecondition, MastershipLost, Unavailable
from ..engine import parse_database, reading_engine, transaction, writing_engine
from ..ledger import Ledger
from ..schema.revisions import check_known
from .lock import term_lock
from .mastership import MastershipHolder, check_term, end_writers, read_owner

#: Seconds that a look at the database may take.
LOOK_TIMEOUT_S = 10.0
#: Seconds to wait for the lock that a silent master may be waiting for. PostgreSQL takes a moment to end a session.
LOCK_PATIENCE_S = {"sqlite": 0.0, "postgresql": 2.0}
#: Who is waited for where the database is not the one that a master still works on.
BEFORE = "the master of a database that was here before"


class Candidate:
    """A master that does not serve yet. Use it from one thread at a time.

    It becomes the master as soon as the one there is has ended, or has given no sign of life for `takeover_after_s`
    seconds (by this process's monotonic clock, which starts anew wherever this process could not look either, or
    somebody holds the lock without which no sign can be given), or, with `at_once`, without waiting. Where nobody is
    replaced that still runs, `ready` is called before anything is made or taken; what it raises is passed on.
    """

    def __init__(
        self,
        url: str,
        *,
        holder: str,
        takeover_after_s: float,
        at_once: bool = False,
        ready: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._holder = holder
        self._at_once = at_once
        self._ready = ready
        self._silence = Silence(takeover_after_s, now)
        self._database = parse_database(url)
        self._engine = reading_engine(self._database, LOOK_TIMEOUT_S)
        self._lock = term_lock(self._database)
        self._elected = False

    def attempt(self) -> Ledger | MastershipHolder:
        """The ledger where it is this one's turn, otherwise the master that is to be waited for.

        That may be one of a database that was deleted or replaced since: nobody follows it before it has stopped.
        Raises Unavailable, after which it may be called again, and DatabaseError where the database cannot be used.
        """
        while True:
            if (strange := self._lock.elsewhere()) is not None:
                return MastershipHolder(strange, BEFORE, 0.0)
            owner = self._look()
            known = (owner.term, owner.database_id) if owner else (0, "")
            if (strange := self._lock.elsewhere(*known)) is not None:
                return MastershipHolder(strange, BEFORE, 0.0)
            silent = owner is not None and self._silence.too_long(owner)
            ended = owner is None or self._at_once or self._lock.take(owner.term)
            if owner is not None and not ended and not silent:
                return owner
            try:
                return self._follow(owner, hangs=not ended)
            except MastershipLost:
                # Somebody was faster. Whoever it is holds the lock of the new term by now.
                continue

    def _look(self) -> MastershipHolder | None:
        if self._database.kind == "sqlite" and not self._database.path.exists():
            return None
        with transaction(self._engine, self._database) as connection:
            check_known(connection, self._database.name)
            return read_owner(connection)

    def _follow(self, owner: MastershipHolder | None, *, hangs: bool) -> Ledger:
        term = owner.term if owner else 0
        silent_since = owner.renew_time if owner and hangs else None
        try:
            if not hangs and not self._at_once:
                self._ready()
            if term and self._database.kind == "postgresql":
                with transaction(self._engine, self._database) as connection:
                    end_writers(connection, term)
            if hangs:
                self._check_not_locked(term)
            ledger = Ledger.open(
                self._url, holder=self._holder, succeeds=term, silent_since=silent_since, lock=self._lock
            )
        finally:
            self._lock.release(term)
        self._elected = True
        return ledger

    def _check_not_locked(self, term: int) -> None:
        """Raises Unavailable where a lock may be what keeps the master silent, which then proves nothing."""
        engine = writing_engine(self._database, LOCK_PATIENCE_S[self._database.kind])
        try:
            with transaction(engine, self._database) as connection:
                check_term(connection, term)
        except Unavailable:
            self._silence.begin_anew()
            raise
        finally:
            engine.dispose()

    def close(self) -> None:
        """Stops waiting. The ledger that `attempt` gave keeps its lock."""
        self._engine.dispose()
        if not self._elected:
            self._lock.close()


@contextmanager
def sole_ledger(url: str, purpose: str) -> Iterator[Ledger]:
    """The ledger for what an operator does with a database while no master runs on it; `purpose` stands in its holder.

    Raises FailedPrecondition where one runs, and what `Candidate.attempt` raises.
    """
    candidate = Candidate(url, holder=f"{purpose}-{socket.gethostname()}-{os.getpid()}", takeover_after_s=60)
    try:
        ledger = candidate.attempt()
        if not isinstance(ledger, Ledger):
            raise FailedPrecondition(f"{ledger.holder} owns the database (term {ledger.term}); end that master first")
        with closing(ledger):
            yield ledger
    finally:
        candidate.close()


class Silence:
    """How long a master has given no sign of life, as far as this process can tell."""

    def __init__(self, bearable_s: float, now: Callable[[], float]) -> None:
        self._bearable_s = bearable_s
        self._now = now
        self._sign: tuple[int, float] | None = None
        self._since = 0.0
        self._last_look = 0.0

    def too_long(self, owner: MastershipHolder) -> bool:
        """To be asked again and again; a gap between two questions proves nothing about the master."""
        sign, now = (owner.term, owner.renew_time), self._now()
        if sign != self._sign or now - self._last_look > self._bearable_s / 2:
            self._sign, self._since = sign, now
        self._last_look = now
        return now - self._since >= self._bearable_s

    def begin_anew(self) -> None:
        """Nothing that was heard so far, or was not, counts any more."""
        self._sign = None
