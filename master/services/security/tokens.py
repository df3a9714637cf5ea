"""The file of tokens: who may call, in which role, and until when.

    - {name: alice, role: admin, token: 0b5e…}
    - {name: gpu-7, role: worker, sha256: 9f86…, expires: 2027-01-01}

Either the token itself, or its SHA-256, so that reading the file gives nobody a token. No message has a token in it.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ....shared.errors import InvalidInput, InvalidSpec, Problem, Unauthenticated
from ....shared.net.credentials import TOKEN
from ....shared.spec.document.reading import parse_document, read_document
from .identity import file_state
from .roles import Role

log = logging.getLogger(__name__)

#: Characters of a token, at least: 20 random ones cannot be guessed.
MIN_TOKEN = 20
#: Each call is held against all of them.
MAX_TOKENS = 1_000
MAX_NAME = 64
#: Seconds that clocks may differ before a token that has expired is refused.
SKEW_S = 60.0

_FIELDS = ("name", "role", "token", "sha256", "expires")
_READABLE_BY_OTHERS, _WRITABLE_BY_OTHERS = 0o004, 0o022


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a token. `expires` is in seconds since 1970."""

    name: str
    role: Role
    digest: bytes
    expires: float | None


class Tokens:
    """The callers in a file, which is read again when it changes."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        """Raises InvalidInput with everything that is wrong with the file."""
        self._path = path
        self._now = now
        self._seen = file_state(path)
        self._callers = read_tokens(path)

    def caller(self, token: str) -> Caller:
        """Whose token this is. Raises Unauthenticated where it is nobody's (any more).

        It takes the same time wherever in the file the token stands, and however much of it is right.
        """
        digest = digest_of(token)
        found = None
        for caller in self._callers:
            if hmac.compare_digest(caller.digest, digest):
                found = caller
        if found is None:
            raise Unauthenticated("the token is not known to this master; was it revoked?")
        if found.expires is not None and self._now() > found.expires + SKEW_S:
            raise Unauthenticated(f"the token of {found.name} has expired; ask for a new one")
        return found

    def still(self, caller: Caller) -> Caller:
        """The same caller as the file has it now. Raises Unauthenticated where it has none, or it has expired."""
        now = next((other for other in self._callers if other.digest == caller.digest), None)
        if now is None:
            raise Unauthenticated(f"the token of {caller.name} was revoked")
        if now.expires is not None and self._now() > now.expires + SKEW_S:
            raise Unauthenticated(f"the token of {now.name} has expired; ask for a new one")
        return now

    def look(self) -> None:
        """Reads the file again if it changed. One that is wrong changes nothing, and the log says what is wrong."""
        seen = file_state(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._callers = read_tokens(self._path)
        except InvalidInput as error:
            log.error("the tokens are still those from before: %s", "; ".join(str(error).splitlines()))
        else:
            log.info("tokens were read again: %d", len(self._callers))


def digest_of(token: str) -> bytes:
    """What is kept of a token, and compared."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def read_tokens(path: Path) -> tuple[Caller, ...]:
    """The callers in a file. Raises InvalidInput where it cannot be read, InvalidSpec with every problem in it."""
    place = f"--tokens {path}"
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise InvalidInput(f"{place}: cannot be read: {error.strerror}") from error
    return callers_in(parse_document(read_document(path), source=place), place, mode)


def callers_in(document: Any, place: str, mode: int = 0o600) -> tuple[Caller, ...]:
    """The callers in a document that stands at `place`, a file of this mode. Raises InvalidSpec with every problem."""
    reading = _Reading(place)
    callers = reading.callers(document)
    reading.check_mode(mode)
    if reading.problems:
        raise InvalidSpec(reading.problems)
    return callers


class _Reading:
    """One reading of a document, which gathers what is wrong with it."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._secrets = False
        self._first: dict[tuple[str, object], int] = {}
        self._named: dict[str, list[tuple[int, Role | None]]] = {}
        self.problems: list[Problem] = []

    def callers(self, document: Any) -> tuple[Caller, ...]:
        if not isinstance(document, list) or not 0 < len(document) <= MAX_TOKENS:
            self._wrong("", f"must be a list of 1 to {MAX_TOKENS:,} tokens, each with a name and a role")
            return ()
        found = [self._caller(f"[{index}]", index, entry) for index, entry in enumerate(document)]
        return tuple(caller for caller in found if caller is not None)

    def check_mode(self, mode: int) -> None:
        if mode & _WRITABLE_BY_OTHERS:
            self._wrong("", f"others may write it (mode {mode & 0o777:o}): chmod 600")
        elif self._secrets and mode & _READABLE_BY_OTHERS:
            self._wrong("", f"others may read it (mode {mode & 0o777:o}): chmod 600, or keep sha256 instead of token")

    def _caller(self, where: str, index: int, entry: Any) -> Caller | None:
        if not isinstance(entry, Mapping):
            self._wrong(where, "must be a mapping with name, role and token")
            return None
        before = len(self.problems)
        for unknown in sorted(str(key) for key in entry.keys() - set(_FIELDS)):
            # Somebody may have written the token where a name belongs.
            shown = unknown if unknown.isalpha() and len(unknown) < MIN_TOKEN else "of that name"
            self._wrong(where, f"has no field {shown}; its fields are {', '.join(_FIELDS)}")
        name, role = self._name(where, entry.get("name")), self._role(where, entry.get("role"))
        digest, expires = self._digest(where, entry), self._expires(where, entry.get("expires"))
        self._twice_at_most(where, name, role, index)
        self._once(where, "token", digest, index)
        return Caller(name, role, digest, expires) if len(self.problems) == before and role is not None else None

    def _name(self, where: str, value: Any) -> str:
        if isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable():
            return value
        self._wrong(f"{where}.name", f"must be text of 1 to {MAX_NAME} characters, which logs will show")
        return ""

    def _role(self, where: str, value: Any) -> Role | None:
        if value in list(Role):
            return Role(value)
        self._wrong(f"{where}.role", f"must be one of {', '.join(Role)}")
        return None

    def _digest(self, where: str, entry: Mapping[Any, Any]) -> bytes:
        if ("token" in entry) == ("sha256" in entry):
            self._wrong(where, "must have either token or sha256")
        elif "token" in entry:
            return self._digest_of_token(f"{where}.token", entry["token"])
        elif isinstance(value := entry["sha256"], str) and re.fullmatch(r"[0-9a-fA-F]{64}", value):
            return bytes.fromhex(value)
        else:
            self._wrong(f"{where}.sha256", "must be 64 hexadecimal digits, in quotes where they are all decimal")
        return b""

    def _digest_of_token(self, where: str, value: Any) -> bytes:
        self._secrets = True
        if not isinstance(value, str) or not TOKEN.fullmatch(value):
            self._wrong(where, "must be text of letters, digits and - . _ ~ + /; in quotes where it is a number")
        elif len(value) < MIN_TOKEN:
            self._wrong(
                where,
                f"must have at least {MIN_TOKEN} characters, got {len(value)}; `rungmaster token create` makes one",
            )
        else:
            return digest_of(value)
        return b""

    def _expires(self, where: str, value: Any) -> float | None:
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            self._wrong(f"{where}.expires", "must be a date such as 2027-01-01, or a time such as 2027-01-01T12:00:00Z")
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def _twice_at_most(self, where: str, name: str, role: Role | None, index: int) -> None:
        """A second entry of a name is how its token is changed without a gap."""
        others = self._named.setdefault(name, [])
        if name and (len(others) > 1 or (others and others[0][1] != role)):
            both = " and ".join(f"[{other}]" for other, _ in others)
            self._wrong(f"{where}.name", f"is that of {both} as well; a name has two tokens at most, of the same role")
        others.append((index, role))

    def _once(self, where: str, field: str, value: object, index: int) -> None:
        first = self._first.setdefault((field, value), index)
        if value and first != index:
            self._wrong(f"{where}.{field}", f"is that of [{first}] as well; each must have its own")

    def _wrong(self, where: str, message: str) -> None:
        self.problems.append(Problem(f"{self._place}{where}", message))
