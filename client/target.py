"""Who is asked: a master by its address, a database that is read, or the master that runs on a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from ..shared.errors import RungmasterError, Unavailable
from ..shared.net.addresses import DEFAULT_ADDRESS
from ..shared.net.credentials import NO_CREDENTIALS, Credentials
from .client import Client
from .local.database import DEFAULT_DATABASE, DatabaseClient, shown

#: Seconds that a call may take; and where a master is only looked for at its usual address.
TIMEOUT_S, TRY_TIMEOUT_S = 10.0, 2.0


@dataclass(frozen=True, slots=True)
class Target:
    """What a person named, if anything: the `addresses` of a master, or a `database`; and how many seconds to try, if
    that was said."""

    addresses: str | None = None
    database: str | None = None
    credentials: Credentials = field(default=NO_CREDENTIALS)
    timeout_given_s: float | None = None

    @property
    def timeout_s(self) -> float:
        """Seconds that a call may take: where nobody said that there is a master, a wait for one is a nuisance."""
        known = self.addresses is not None or self.database is not None or Path(DEFAULT_DATABASE).is_file()
        return self.timeout_given_s or (TIMEOUT_S if known else TRY_TIMEOUT_S)

    @contextmanager
    def to_look(self) -> Iterator[Client]:
        """A client for looking. A database that was named is read itself; one that was found is asked for its master
        first, which also knows its workers."""
        if self.addresses is None and self.database is not None:
            with DatabaseClient(self.database, timeout=self.timeout_s) as reading:
                yield reading
        else:
            with self.to_ask() as client:
                yield client

    @contextmanager
    def to_ask(self) -> Iterator[Client]:
        """A client for what a master knows better than its database, which is asked where it has none."""
        database = self.database or (DEFAULT_DATABASE if Path(DEFAULT_DATABASE).is_file() else None)
        if self.addresses is None and database is not None:
            with (
                DatabaseClient(database, timeout=self.timeout_s) as reading,
                self._master_of(reading) as master,
            ):
                yield master or reading
        else:
            with self._named() as client:
                yield client

    @contextmanager
    def _master_of(self, reading: DatabaseClient) -> Iterator[Client | None]:
        """The master that runs on the database; None where there is none, or it does not let this caller in."""
        try:
            master = reading.master(timeout=self.timeout_s, credentials=self.credentials)
        except RungmasterError:
            master = None
        with master or nullcontext():
            yield master

    @contextmanager
    def to_steer(self) -> Iterator[Client]:
        """A client of a master: the one named, or the one that runs on the database that was named or found.

        Raises Unavailable where no master runs there, with what to do.
        """
        database = self.database or (DEFAULT_DATABASE if Path(DEFAULT_DATABASE).is_file() else None)
        if self.addresses is not None or database is None:
            with self._named() as client:
                yield client
            return
        with DatabaseClient(database, timeout=self.timeout_s) as reading:
            if reading.owner is None:
                raise Unavailable(
                    f"no master runs on {shown(database)}, and this needs one: start it (`rungmaster run SPEC` goes on "
                    "with a search, `rungmaster master` only serves), or name another by --master HOST:PORT"
                )
            master = reading.master(timeout=self.timeout_s, credentials=self.credentials)
        with master:
            yield master

    @contextmanager
    def _named(self) -> Iterator[Client]:
        """The master at the addresses given, or where one is by default."""
        with Client(self.addresses or DEFAULT_ADDRESS, timeout=self.timeout_s, credentials=self.credentials) as client:
            try:
                yield client
            except Unavailable as error:
                if self.addresses is not None or not str(error).startswith("no master answers"):
                    raise
                raise Unavailable(
                    f"no master answers at {DEFAULT_ADDRESS}, the usual address, nor is there a {DEFAULT_DATABASE} in "
                    "this folder: name a master by --master HOST:PORT, or a database by --db"
                ) from error
