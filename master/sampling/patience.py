"""How long trials have waited for their hyperparameters, and which have waited for too long."""

from __future__ import annotations

from collections.abc import Iterable


class Patience:
    """Of one experiment. Times are monotonic, in seconds."""

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self._since: dict[int, float] = {}

    def waits_for(self, trials: Iterable[int], now: float) -> None:
        """These wait now, and no others."""
        self._since = {trial: self._since.get(trial, now) for trial in trials}

    @property
    def waiting(self) -> list[int]:
        """The trials that wait, the longest first."""
        return list(self._since)

    def served(self, trial: int) -> None:
        """It waits no more."""
        self._since.pop(trial, None)

    def overdue(self, now: float) -> list[int]:
        """Those that have waited for too long."""
        return [trial for trial, since in self._since.items() if now - since >= self.patience_s]

    def next_end(self) -> float | None:
        """When the next one will have; None where none waits."""
        return min(self._since.values()) + self.patience_s if self._since else None
