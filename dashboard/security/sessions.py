"""Who has signed in: sessions are kept here, and a browser has nothing but a random name of its own."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ...client.client import Client
from ...shared.wire.model import Experiment, MasterInfo

IDLE_S = 12 * 3600.0
"""A session that nobody uses for so long is over."""

LONGEST_S = 7 * 86_400.0
"""Every session is over after so long."""

MOST = 1_000
"""Sessions at once; the one that was used longest ago makes room."""


@dataclass(eq=False, slots=True)
class SignIn:
    """One caller of the master behind one browser, or everybody where the master asks for no token.

    `client` shows the caller's token, `csrf` is what forms of this session have to bring along. `name` and `role` are
    what the master said last; both are empty where it asks for none.
    """

    client: Client
    name: str = ""
    role: str = ""
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    signed_in: bool = True
    started_at: float = 0.0
    used_at: float = 0.0
    checked_at: float = 0.0

    def told(self, info: MasterInfo, now: float) -> None:
        """Takes in what the master says of the caller."""
        self.name, self.role, self.checked_at = info.caller, info.role, now

    @property
    def may_submit(self) -> bool:
        """Whether buttons to submit are shown. The master decides whether it is done."""
        return self.role not in ("viewer", "worker")

    def may_steer(self, experiment: Experiment) -> bool:
        """Whether buttons to steer an experiment are shown. The master decides whether it is done."""
        if self.role == "submitter":
            return experiment.owner_known_by == "token" and experiment.owner == self.name
        return self.may_submit


class Sessions:
    """The sessions by what browsers know of them. Kept by digest, so that a dump of the memory opens none."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[bytes, SignIn] = {}

    def add(self, session: SignIn) -> str:
        """Keeps a session, and gives the name by which it is found."""
        key, now = secrets.token_urlsafe(32), self._clock()
        session.started_at = session.used_at = now
        with self._lock:
            gone = [digest for digest, each in self._sessions.items() if self._is_over(each, now)]
            while len(self._sessions) - len(gone) >= MOST:
                gone.append(min(set(self._sessions) - set(gone), key=lambda digest: self._sessions[digest].used_at))
            closed = [self._sessions.pop(digest) for digest in gone]
            self._sessions[_digest(key)] = session
        for each in closed:
            each.client.close()
        return key

    def find(self, key: str) -> SignIn | None:
        """The session of this name, which is thereby used; None where there is none, or it is over."""
        now = self._clock()
        with self._lock:
            session = self._sessions.get(_digest(key))
            if session is None:
                return None
            if not self._is_over(session, now):
                session.used_at = now
                return session
        self.remove(session)
        return None

    def remove(self, session: SignIn) -> None:
        """Ends a session."""
        with self._lock:
            for digest in [digest for digest, each in self._sessions.items() if each is session]:
                del self._sessions[digest]
        session.client.close()

    def close(self) -> None:
        """Ends all of them."""
        with self._lock:
            sessions = list(self._sessions.values())
            self._sessions.clear()
        for session in sessions:
            session.client.close()

    @staticmethod
    def _is_over(session: SignIn, now: float) -> bool:
        return now - session.used_at > IDLE_S or now - session.started_at > LONGEST_S


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
