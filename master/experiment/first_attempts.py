"""Whether an experiment's code can run at all: judged by the first attempts of its first trials."""

from __future__ import annotations

from collections import OrderedDict

from ...shared.text.failure_text import signature, summary


class FirstAttempts:
    """How the first attempts ended that were begun before anything was reported, in the order of their start.

    In that order, since trials that train well take longer to show it than others take to fail: code that fails with
    some hyperparameters only is not condemned by whoever came back first. Not stored: after a restart of the master
    it takes as many trials again.
    """

    def __init__(self, limit: int) -> None:
        """`limit`: so many in a row that fail alike are enough; 0: never."""
        self._limit = limit
        #: The error of each trial, None while its first attempt lasts. Those before the first that lasts are gone.
        self._ended: OrderedDict[int, str | None] = OrderedDict()
        self._alike = 0
        self._last = ""

    def begun(self, trial_id: int) -> None:
        """A trial begins to be trained; one whose attempt was given back begins the same attempt again."""
        if self._limit:
            self._ended.setdefault(trial_id, None)

    def dropped(self, trial_id: int) -> None:
        """A trial has ended, and what became of its first attempt, if it lasted until now, says nothing."""
        if self._ended.get(trial_id, "") is None:
            del self._ended[trial_id]

    def failed(self, trial_id: int, error: str) -> str:
        """Training code failed: why that condemns it all, once so many first attempts in a row failed alike, or ""."""
        if self._ended.get(trial_id, "") is not None:
            return ""
        self._ended[trial_id] = signature(error)
        while self._ended and (first := next(iter(self._ended.values()))) is not None:
            self._ended.popitem(last=False)
            self._alike = self._alike + 1 if first == self._last else 1
            self._last = first
        if self._alike < self._limit:
            return ""
        return (
            f"{summary(error)} (so failed the first attempts of {self._limit} trials, one after the other, before "
            "anything was reported: see `fail_fast` in the spec)"
        )
