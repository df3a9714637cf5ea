"""How long a training process may take to end, and whether it was the end of its worker that ended it. Pure."""

from __future__ import annotations

import signal
from typing import Protocol

from ...shared.wire.session import Decision, DecisionKind

#: Seconds from a decision in which its process has to begin to end, whatever it reports meanwhile.
STOP_PATIENCE_S = 10.0
#: Seconds from a decision until its process has to be gone, with all that it saves.
ENDING_PATIENCE_S = 600.0
#: A process that was not told yet may take so many times the longest time between two of its reports.
_PACES = 2.0
#: Seconds within which signals reach all processes of a worker that are signalled at once.
MOMENT_S = 1.0

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Told(Protocol):
    """What is known of a process that is to end."""

    @property
    def busy(self) -> bool:
        """Whether it waits for the worker, which takes a checkpoint over, for example."""
        ...

    @property
    def knows(self) -> bool:
        """Whether it was told to end."""
        ...

    @property
    def disobeys(self) -> bool:
        """Whether it has reported since it was told, and not begun to save."""
        ...

    @property
    def pace_s(self) -> float:
        """The longest time between two of its reports, in seconds."""
        ...


def overdue(decision: Decision, since_s: float, process: Told) -> str | None:
    """Why a process is to be ended so many seconds after a decision; None while it has time.

    It has begun to end when it exits, hands over a checkpoint, or is silent after it was told, for then it may save.
    """
    if process.busy or since_s < STOP_PATIENCE_S:
        return None
    if not process.knows:
        nothing_to_save = decision.kind is DecisionKind.STOP and not decision.save_checkpoint
        if nothing_to_save or since_s >= _PACES * process.pace_s:
            return f"it was not heard of for {since_s:.0f} s after it was to {decision.kind}"
    elif process.disobeys:
        return f"it was told to {decision.kind} {since_s:.0f} s ago, and goes on reporting"
    elif since_s >= ENDING_PATIENCE_S:
        return f"it was told to {decision.kind} {since_s:.0f} s ago, and has not ended"
    return None


def by_signal(code: int) -> bool:
    """Whether a process has ended by a signal that tells it to, or with what a shell makes of that."""
    return code in {end for number in _SIGNALS for end in (-number, 128 + number)}


def may_be_of_the_worker(code: int, *, knows: bool) -> bool:
    """Whether an end may come from a signal to all processes of the worker, or from what that did to a helper.

    A process that was told to end by the worker and fails while it does so fails by itself.
    """
    return by_signal(code) or (code >= 0 and not knows)
