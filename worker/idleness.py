"""How long a worker may still wait for something to train, before it leaves: `worker --exit-when-idle`."""

from __future__ import annotations


class Idleness:
    """Counts the time in which a worker had nothing to train. Times are seconds of one clock, which the caller reads.

    A trial counts from the moment in which it is given until its process is gone: while it waits for its slots, loads
    its checkpoint, trains and saves. Whether a master can be reached makes no difference.
    """

    def __init__(self, patience_s: float, now: float) -> None:
        """Idle from `now` on, and at most for `patience_s` seconds."""
        self._patience_s = patience_s
        self._since = now

    def left_s(self, trials: int, now: float) -> float:
        """Seconds in which the worker need not be looked at again, with so many trials now; 0 where it leaves."""
        if trials:
            self._since = now
        return max(0.0, self._since + self._patience_s - now)

    def trial_ended(self, now: float) -> None:
        """A trial's process is gone; if it was the last one the worker is idle from now on."""
        self._since = now
