"""Whose a session is: who opened it comes again, and nobody else, whatever he knows of it that people see."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from ....shared.errors import PermissionDenied
from ....shared.wire.session import Hello


@dataclass(frozen=True, slots=True)
class SessionOwner:
    """Who opened a session: the name of the token or certificate, and the SHA-256 of the session's secret.

    Either is empty where there was none: a master that asks for no token, a worker of an older version.
    """

    identity: str
    secret_digest: str

    @classmethod
    def of(cls, hello: Hello, identity: str) -> SessionOwner:
        """Who says hello."""
        return cls(identity, hashlib.sha256(hello.secret.encode()).hexdigest() if hello.secret else "")


class SessionOwners:
    """By session. Those of sessions that are over are kept: their workers may come back."""

    def __init__(self, known: Mapping[str, SessionOwner]) -> None:
        self._known = dict(known)

    def of(self, session_id: str) -> SessionOwner:
        """Who opened it, as far as anybody was asked."""
        return self._known.get(session_id, SessionOwner("", ""))

    def admit(self, hello: Hello, identity: str) -> None:
        """Lets whoever opened a session come again, and anybody open a new one. Raises PermissionDenied otherwise."""
        comes, owner = SessionOwner.of(hello, identity), self._known.get(hello.session_id)
        if owner is not None:
            if owner.secret_digest and not hmac.compare_digest(owner.secret_digest, comes.secret_digest):
                raise PermissionDenied(f"session {hello.session_id} was opened by another worker; open one of your own")
            if owner.identity and owner.identity != identity:
                told = "another token or certificate; one that is renewed keeps its name"
                raise PermissionDenied(f"session {hello.session_id} was opened with {told}")
        self._known[hello.session_id] = comes
