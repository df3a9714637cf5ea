"""What a database's error means for the caller: try again later, or a person has to act."""

from __future__ import annotations

import re

from sqlalchemy import exc

from ...shared.errors import DatabaseError, RungmasterError, Unavailable

_SQLITE_LATER = {
    "SQLITE_BUSY": "another program has held its write lock for too long; end that program, or try again",
    "SQLITE_LOCKED": "another program has held its write lock for too long; end that program, or try again",
    "SQLITE_FULL": "there is no room left; free disk space, and work goes on by itself",
    "SQLITE_IOERR": "reading or writing its file failed; check the disk",
    "SQLITE_READONLY": "its file may not be written; check the permissions of the file and its folder",
    "SQLITE_CANTOPEN": "its file cannot be opened; check that the folder exists and may be written",
    "SQLITE_NOMEM": "there is no memory left",
    "SQLITE_INTERRUPT": "the query was interrupted",
}
_SQLITE_NEVER = {
    "SQLITE_NOTADB": "the file is not an SQLite database; give another path",
    "SQLITE_CORRUPT": "the file is damaged; restore it from a backup",
}
# By SQLSTATE, its first five or two characters.
_POSTGRESQL_LATER = {
    "08": "the connection broke; check the server and the network",
    "40": "the transaction ran into another; try again",
    "53100": "the server's disk is full; free space, and work goes on by itself",
    "53": "the server has no resources left (connections, memory); try again later",
    "55P03": "another transaction has held a lock for too long; end it, or try again",
    "57014": "the statement took too long; try again",
    "57": "the server is starting, stopping or was told to end the session; try again",
    "25006": "the server takes no writes (a standby?); give the primary's address",
    "25P03": "the transaction stood still for too long and was ended by the server; try again",
    "58": "the server failed to read or write its files; look at its log",
}
_POSTGRESQL_NEVER = {
    "28": "the server refused the user or password; check the URL",
    "3D000": "the server has no database of that name; create it, or correct the URL",
    "42501": "the user may not do this; grant it the rights on the database's schema",
}
#: What is said of a database in use only when it was dropped, or its tables were: the first that are asked for.
_NO_TABLES = re.compile(r'(no such table: |relation ")(mastership|renewals)\b')

#: What a server says to somebody who is not let in has no SQLSTATE for the caller, only words.
_NOT_LET_IN = (
    (r'role ".*" does not exist', "the server has no user (role) of that name; create it, or correct the URL"),
    ("password authentication failed", "the server refused the password of this user; correct it in the URL"),
    (
        "no password supplied",
        "the server asks for a password; give it in the URL (user:password@host), in PGPASSWORD or in ~/.pgpass",
    ),
    ("pg_hba.conf", "the server lets this user in neither from this host nor in this way; see its pg_hba.conf"),
    ("authentication failed", _POSTGRESQL_NEVER["28"]),
    (r'database ".*" does not exist', _POSTGRESQL_NEVER["3D000"]),
    ("permission denied for database", "the user may not connect to it; grant it that right"),
)


class Gone(DatabaseError):
    """There is no such database, or it has not our tables."""


def explain(error: Exception, database: str) -> RungmasterError:
    """The error for the caller: Unavailable where the same call may succeed later, otherwise DatabaseError."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""
    if later := _meaning(code, _SQLITE_LATER, _POSTGRESQL_LATER):
        return Unavailable(f"database {database}: {later} ({_brief(cause)})")
    if never := _meaning(code, _SQLITE_NEVER, _POSTGRESQL_NEVER):
        kind = Gone if code == "3D000" else DatabaseError
        return kind(f"database {database}: {never} ({_brief(cause)})")
    if code in ("SQLITE_ERROR", "42P01") and _NO_TABLES.search(str(cause)):
        return Gone(f"database {database}: its tables are gone; restore it from a backup ({_brief(cause)})")
    if isinstance(error, exc.TimeoutError):
        return Unavailable(f"database {database}: too many queries run at once; try again")
    if _disconnected(error, cause, code):
        return _unreachable(database, cause)
    return DatabaseError(
        f"database {database} refused a statement ({_brief(cause)}); either another program changed its tables, "
        "or this is a bug in Rungmaster: please report it"
    )


def _meaning(code: str, sqlite: dict[str, str], postgresql: dict[str, str]) -> str | None:
    if code.startswith("SQLITE_"):
        return sqlite.get("_".join(code.split("_")[:2]))
    return postgresql.get(code) or postgresql.get(code[:2])


def _disconnected(error: Exception, cause: BaseException, code: str) -> bool:
    # psycopg has no SQLSTATE for what never reached the server; it is an OperationalError then, or a kind of it.
    return bool(getattr(error, "connection_invalidated", False)) or (
        not code and any(kind.__name__ == "OperationalError" for kind in type(cause).__mro__)
    )


def _unreachable(database: str, cause: BaseException) -> RungmasterError:
    for words, meaning in _NOT_LET_IN:
        if re.search(words, str(cause)):
            kind = Gone if meaning == _POSTGRESQL_NEVER["3D000"] else DatabaseError
            return kind(f"database {database}: {meaning} ({_brief(cause)})")
    return Unavailable(f"database {database} is out of reach: check the server and the network ({_brief(cause)})")


def _brief(cause: BaseException) -> str:
    return " ".join(str(cause).split())[:300]
