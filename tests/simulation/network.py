"""Streams between workers and masters: in order, delayed, lost as a whole; each end learns of it in its own time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rungmaster.shared.wire.session import SessionRequest, SessionResponse

from .clockwork import Clockwork

if TYPE_CHECKING:
    from .sim_master import SimMaster
    from .sim_worker import SimWorker

#: Seconds that a message takes, mostly and rarely.
USUAL_DELAY, RARE_DELAY = 0.05, 3.0


class Stream:
    """One bidirectional stream. To the core it is the worker's Connection."""

    def __init__(self, clockwork: Clockwork, worker: SimWorker, master: SimMaster) -> None:
        self._clockwork = clockwork
        self.worker, self.master = worker, master
        #: Messages pass; once it is cut, what is under way is lost.
        self.whole = True
        #: The master has ended it: nothing more is sent, what was sent before still arrives.
        self.closing = False
        self._next_up = self._next_down = 0.0

    def send_up(self, request: SessionRequest) -> None:
        """From the worker to the master."""
        self._next_up = self._arrival(self._next_up)
        self._deliver(self._next_up, lambda: self.master.arrived(self, request))

    def send(self, response: SessionResponse) -> None:
        """From the master to the worker."""
        if not self.closing:
            self._next_down = self._arrival(self._next_down)
            self._deliver(self._next_down, lambda: self.worker.arrived(self, response))

    def close(self, reason: str) -> None:
        """The master ends the stream, after what it has sent."""
        if not self.closing:
            self.closing = True
            self._clockwork.tell("stream closed", f"{self.worker.session_id}: {reason}")
            self._next_down = self._arrival(self._next_down)
            self._deliver(self._next_down, self._closed_at_worker)

    def _closed_at_worker(self) -> None:
        self.whole = False
        self.worker.stream_ended(self)

    def cut(self, *, master_notices: bool = True) -> None:
        """Loses the stream and what is under way on it; the master may notice late or never (half open)."""
        if not self.whole:
            return
        self.whole = False
        self._clockwork.after(self._delay(), lambda: self.worker.stream_ended(self))
        if master_notices:
            self._clockwork.after(self._delay(), lambda: self.master.stream_ended(self))

    def _deliver(self, when: float, action: Callable[[], None]) -> None:
        def arrive() -> None:
            if self.whole:
                action()

        self._clockwork.after(when - self._clockwork.now, arrive)

    def _arrival(self, previous: float) -> float:
        return max(previous, self._clockwork.now + self._delay())

    def _delay(self) -> float:
        rare = self._clockwork.reseeding(0.02)
        return self._clockwork.random.uniform(0.0, RARE_DELAY if rare else USUAL_DELAY)
