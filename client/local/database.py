"""`DatabaseClient`: a database's experiments and trials as Python values, with a master or without one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...shared import errors
from ...shared.errors import RungmasterError, Unavailable
from ...shared.net.credentials import NO_CREDENTIALS, Credentials
from ..client import Client
from ..connection import MasterConnection
from .children import child_environment

DEFAULT_DATABASE = "rungmaster.db"
"""What a run or a master uses, in the folder in which it is started, unless it is told otherwise."""

FIND_TIMEOUT_S = 3.0
"""A master that was found through its database has to answer within this time."""

_LONGEST_SOCKET_PATH = 100
_END_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class DatabaseMaster:
    """The master that runs on a database: who it is, its term, and where it serves (empty while it does not yet)."""

    holder: str
    term: int
    address: str
    database_id: str


class DatabaseClient(Client):
    """A Client for a database (a file for SQLite, or a URL) that needs no master, and changes nothing.

    A process of its own reads it, for as long as the client is open; it makes, changes and locks no file, and reads
    beside a running master as well. What only a master can do or know (`submit`, `pause`, `workers`, …) raises
    FailedPrecondition. Raises DatabaseError where there is no such database, or it is not of this version.
    """

    def __init__(self, database: str | os.PathLike[str] = DEFAULT_DATABASE, *, timeout: float = 30.0) -> None:
        self.database = os.fspath(database)
        self._reading = _Reading(self.database)
        self.connection = MasterConnection((self._reading.address,), timeout)

    @property
    def owner(self) -> DatabaseMaster | None:
        """The master that ran on the database when it was opened; None where there was none."""
        return self._reading.owner

    def close(self) -> None:
        """Closes the connection, and ends the process that reads."""
        super().close()
        self._reading.close()

    def _folders(self) -> list[Path]:
        file = file_of(self.database)
        return [Path(), *([] if file is None else [file.absolute().parent])]

    def master(self, *, timeout: float = 30.0, credentials: Credentials = NO_CREDENTIALS) -> Client:
        """A Client of the master that runs on the database, which has shown that it is that one.

        A master with TLS or tokens asks for `credentials` like everywhere. Raises Unavailable where no master runs on
        the database or it cannot be reached from here, and what a call to it raises.
        """
        owner = self.owner
        if owner is None:
            raise Unavailable(f"no master runs on {shown(self.database)}")
        if not owner.address:
            raise Unavailable(
                f"{owner.holder}, the master of {shown(self.database)}, does not serve yet; try again in a moment"
            )
        client = Client(owner.address, timeout=min(timeout, FIND_TIMEOUT_S), credentials=credentials)
        try:
            info = client.master_info()
            if (info.database_id, info.holder, info.term) != (owner.database_id, owner.holder, owner.term):
                raise Unavailable(
                    f"{owner.holder}, the master of {shown(self.database)}, serves at {owner.address}, where another "
                    "one answers; is it on another machine? Name it by --master HOST:PORT"
                )
            return Client(owner.address, timeout=timeout, credentials=credentials)
        finally:
            client.close()


def file_of(database: str) -> Path | None:
    """The file of an SQLite database, None for another kind."""
    path = database.removeprefix("sqlite:///")
    return None if "://" in path else Path(path)


def shown(database: str) -> str:
    """A database for messages: its address without a password."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", database)


class _Reading:
    """The process that reads. It ends when this process does, by whatever means."""

    def __init__(self, database: str) -> None:
        self._folder = _socket_folder()
        self.address = f"unix:{self._folder}/socket"
        with (self._folder / "log").open("wb") as log:
            reader = ["db", "read", "--db", database, "--socket", self.address]
            self._process = subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, "-P", "-m", "rungmaster.client.cli.main", *reader],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=child_environment(os.environ),
                start_new_session=True,
            )
        self.close = weakref.finalize(self, _end, self._process, self._folder)
        self.owner = self._told()

    def _told(self) -> DatabaseMaster | None:
        assert self._process.stdout is not None, "it is a pipe"
        try:
            told: dict[str, Any] = json.loads(self._process.stdout.readline())
        except ValueError:
            words = (self._folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
            self.close()
            raise RungmasterError(f"the process that reads the database failed: {' '.join(words)}") from None
        if "error" in told:
            self.close()
            raise getattr(errors, told["kind"])(told["error"])
        return DatabaseMaster(**told["owner"]) if told["owner"] else None


def _socket_folder() -> Path:
    """A folder that only this user may enter; the path of a socket in it has to be short."""
    folder = Path(tempfile.mkdtemp(prefix="rungmaster-"))
    if len(os.fsencode(folder)) <= _LONGEST_SOCKET_PATH - len("/socket"):
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="rungmaster-", dir="/tmp"))


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)
