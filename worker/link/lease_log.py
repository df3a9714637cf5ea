"""The events of one lease, in sequence: which are sent, which are acknowledged, which must be sent again. Pure."""

from __future__ import annotations

from ...shared.wire.model import LeaseRef
from ...shared.wire.session import CheckpointSaved, Exit, ExitOutcome, LeaseEvent, Measurement
from .backlog import Backlog

#: So many beats without progress mean that what was sent did not arrive.
PATIENCE = 3


class LeaseLog:
    """Numbers the events of a lease 1, 2, 3, … and keeps each until the master has acknowledged it."""

    def __init__(self, lease: LeaseRef, kept: Backlog) -> None:
        """`kept` is where it keeps them, with a limit of its own."""
        self.lease = lease
        self._kept = kept
        self._broken: tuple[str, tuple[str, ...]] = ("", ())
        self._acknowledged = 0
        self._recorded = 0
        self._sent = 0
        self._exited = False
        self._held_back = False
        self._silent_beats = 0

    @property
    def full(self) -> bool:
        """Whether training code that wants to report has to wait."""
        return self._kept.full

    @property
    def exited(self) -> bool:
        """Whether the lease has ended on this side: nothing can follow."""
        return self._exited

    @property
    def settled(self) -> bool:
        """Whether the lease has ended on both sides: its end is acknowledged."""
        return self._exited and not self._kept and not self._kept.lost

    def record(self, event: Measurement | CheckpointSaved | Exit) -> int:
        """Adds an event and returns its sequence number. Raises ValueError after the exit."""
        if self._exited:
            raise ValueError(f"lease {self.lease} has ended; {event} cannot follow")
        self._exited = isinstance(event, Exit)
        self._recorded += 1
        self._kept.append(LeaseEvent(self.lease, self._recorded, event, *self._broken))
        self._broken = ("", ())
        return self._recorded

    def checkpoints_broken(self, text: str, uris: tuple[str, ...]) -> None:
        """The next event says that the training starts from an earlier checkpoint than it should, or from nothing."""
        self._broken = (text, uris)

    def unsent(self, limit: int) -> list[LeaseEvent]:
        """What is to be sent now, in sequence, at most `limit` events."""
        if self._held_back:
            return []
        first = self._sent - self._acknowledged
        return self._kept.look(first, first + limit)

    def sent(self, sequence: int) -> None:
        """Notes that everything up to `sequence` is on its way."""
        self._sent = max(self._sent, sequence)

    def acknowledge(self, sequence: int) -> list[LeaseEvent]:
        """Drops everything up to `sequence`, and returns what was not acknowledged before.

        The first acknowledgement on a new stream tells where to go on from. Later ones may come late or twice,
        which means nothing.
        """
        self._held_back = False
        sequence = min(sequence, self._recorded)
        if sequence <= self._acknowledged:
            return []
        durable = [self._kept.pop() for _ in range(sequence - self._acknowledged)]
        self._acknowledged = sequence
        self._sent = max(self._sent, sequence)
        self._silent_beats = 0
        return durable

    def reconnect(self) -> None:
        """A new stream: nothing that is not acknowledged counts as sent, and the master speaks first."""
        self._rewind()
        self._held_back = True

    def beat(self) -> None:
        """Called at each heartbeat: what was sent and stays unacknowledged for several beats is sent again."""
        if self._sent == self._acknowledged and not self._held_back:
            self._silent_beats = 0
            return
        self._silent_beats += 1
        if self._silent_beats >= PATIENCE:
            self._rewind()
            self._held_back = False

    def give_up_what_is_lost(self) -> str | None:
        """Where events that the master has not seen were lost: why. The lease ends here, after those that are left."""
        if not (why := self._kept.lost):
            return None
        self._kept.lost = ""
        self._recorded = self._acknowledged + len(self._kept)
        self._sent = min(self._sent, self._recorded)
        self._exited = False
        self.record(Exit(ExitOutcome.GIVEN_BACK, why))
        return why

    def close(self) -> None:
        """Forgets what it keeps."""
        self._kept.clear()

    def _rewind(self) -> None:
        self._sent = self._acknowledged
        self._silent_beats = 0
