"""Exponential backoff with full jitter: how long to wait before the next attempt."""

from __future__ import annotations

from random import Random


class Backoff:
    """Waits of a random length below a bound that doubles with each attempt, up to a maximum.

    The randomness keeps a thousand workers from coming back in the same instant after an outage.
    """

    def __init__(self, initial: float = 0.2, maximum: float = 10.0, *, random: Random | None = None) -> None:
        """Start with waits below `initial` seconds and never wait longer than `maximum` seconds."""
        if not 0 < initial <= maximum:
            raise ValueError(f"backoff needs 0 < initial <= maximum, got {initial} and {maximum}")
        self._initial = initial
        self._maximum = maximum
        self._bound = initial
        self._random = random or Random()  # noqa: S311 - spreads load, guards nothing

    def next(self) -> float:
        """How long to wait now, in seconds; the bound of the next wait is twice as large."""
        wait = self._random.uniform(0, self._bound)
        self._bound = min(self._bound * 2, self._maximum)
        return wait

    def reset(self) -> None:
        """Begin anew, after an attempt that succeeded."""
        self._bound = self._initial
