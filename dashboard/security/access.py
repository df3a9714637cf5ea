"""Who looks: finds the session of a request, has the master confirm it, and signs people in and out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from ...client.client import Client
from ...shared.errors import PermissionDenied, Unauthenticated
from ..settings import DashboardSettings
from .sessions import Sessions, SignIn

CALL_TIMEOUT_S = 8.0
"""A call for a page takes at most this long; then the page says that the master does not answer."""

CHECK_S = 5.0
"""The master is asked again whether a session's token still counts after so long."""


class SignInNeeded(Unauthenticated):
    """The master asks for a token, and this browser has shown none that counts."""


class Access:
    """The sessions of a dashboard. May be used from several threads; its calls wait for the master."""

    def __init__(self, settings: DashboardSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._sessions = Sessions(clock)
        self._anonymous = SignIn(self._client(""), signed_in=False)
        self._lock = threading.Lock()
        self.on_end: Callable[[SignIn], None] = lambda _: None

    def session(self, key: str | None) -> SignIn:
        """The session of a browser that has this name of one. Raises SignInNeeded where it has to sign in first."""
        session = self._sessions.find(key) if key else None
        if session is None:
            self.check(self._anonymous)
            return self._anonymous
        self.check(session)
        return session

    def sign_in(self, token: str) -> tuple[str, SignIn]:
        """A new session for a token, and its name. Raises Unauthenticated or PermissionDenied where it may not look,
        InvalidInput where it is none."""
        client = self._client(token)
        try:
            session = SignIn(client)
            session.told(client.master_info(), self._clock())
        except BaseException:
            client.close()
            raise
        return self._sessions.add(session), session

    def sign_out(self, session: SignIn) -> None:
        """Ends a session; its token is used no more."""
        if session.signed_in:
            self.on_end(session)
            self._sessions.remove(session)

    def check(self, session: SignIn) -> None:
        """Has the master confirm a session, where that was long ago. Raises SignInNeeded where it does not count."""
        if self._clock() - session.checked_at < CHECK_S and session.checked_at:
            return
        try:
            info = session.client.master_info()
        except Unauthenticated as error:
            self.sign_out(session)
            raise SignInNeeded(str(error)) from error
        if not session.signed_in and not self._settings.open_to_all:
            raise PermissionDenied(
                "other machines can reach this page, and the master asks nobody for a token: give the master "
                "--tokens FILE, or the dashboard --insecure on a network where you trust everybody"
            )
        session.told(info, self._clock())

    def close(self) -> None:
        """Ends all sessions."""
        self._sessions.close()
        self._anonymous.client.close()

    def _client(self, token: str) -> Client:
        credentials = replace(self._settings.credentials, token=token)
        return Client(self._settings.master, timeout=CALL_TIMEOUT_S, credentials=credentials)
