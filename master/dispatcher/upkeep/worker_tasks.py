"""What workers are asked for beside training: to delete checkpoints, and to tell what lies in a storage."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping

from ....shared.wire.session import SessionRequest, Sweep, Swept
from ..clock import Now
from ..sessions.outbox import Outgoing
from ..sessions.sessions import Session
from .deletions import Deletions


class WorkerTasks:
    """Who is asked for what, and what came of it."""

    def __init__(self, sessions: Mapping[str, Session], unneeded: Iterable[str]) -> None:
        """`sessions` are the core's; `unneeded` are checkpoints that are to go."""
        self.deletions = Deletions(unneeded)
        self._sessions = sessions
        self._sweeps: dict[str, Sweep] = {}
        self._swept: dict[str, Swept] = {}

    def able(self) -> list[str]:
        """The sessions that can be asked."""
        return [each.session_id for each in self._sessions.values() if each.connection and not each.draining]

    def idlest(self, others_than: Container[str]) -> Session | None:
        """Of those that can be asked the one that trains least; None where there is none."""
        able = [self._sessions[session_id] for session_id in self.able() if session_id not in others_than]
        return min(able, key=lambda session: session.slots_used) if able else None

    def sweep(self, session_id: str, sweep: Sweep) -> None:
        """Asks a session what lies in a storage, or which logs it keeps; the answer before is forgotten."""
        self._sweeps[session_id] = sweep
        self._swept.pop(session_id, None)

    def swept(self, session_id: str, request_id: str) -> Swept | None:
        """A session's answer, once it is there."""
        answer = self._swept.get(session_id)
        return answer if answer is not None and answer.request_id == request_id else None

    def hand_out(self, unneeded: Iterable[str], now: Now, out: Callable[[str], Outgoing]) -> None:
        """At the end of a batch: tells sessions what they are asked for; `unneeded` checkpoints are to go, too."""
        self.deletions.add(unneeded)
        if self.deletions.due(now.monotonic):
            for session_id, uris in self.deletions.ask(self.able(), now.monotonic).items():
                out(session_id).delete_checkpoints.extend(uris)
        while self._sweeps:
            session_id, sweep = self._sweeps.popitem()
            out(session_id).sweep = sweep

    def take_back(self, needed: Collection[str], outbox: Mapping[str, Outgoing]) -> None:
        """Checkpoints are needed after all that this batch, which is not sent yet, asks to delete."""
        self.deletions.take_back(needed)
        for out in outbox.values():
            out.delete_checkpoints = [uri for uri in out.delete_checkpoints if uri not in needed]

    def answered(self, session_id: str, request: SessionRequest, now: Now) -> list[str]:
        """What a session says came of it; the checkpoints that are gone now and were to go."""
        if request.swept is not None:
            self._swept[session_id] = request.swept
        for failed in request.failed_deletions:
            self.deletions.failed(session_id, failed.uri, failed.error, now.monotonic)
        return [uri for uri in request.deleted_checkpoints if self.deletions.done(session_id, uri)]

    def forget(self, session_id: str) -> None:
        """The session is gone for good."""
        self.deletions.forget(session_id)
        self._sweeps.pop(session_id, None)
        self._swept.pop(session_id, None)
