"""Exponential backoff with full jitter: how long to wait before the next attempt."""

from __future__ import annotations

from random import Random


class Backoff:
    """Waits of a random length below a bound that doubles with each attempt, up to a maximum.

    The randomness keeps a thousand workers from coming back in the same instant after an outage.
    """

    def __init__(self, initial_s: float = 0.2, maximum_s: float = 10.0, *, random: Random | None = None) -> None:
        """Start with waits below `initial_s` seconds and never wait longer than `maximum_s` seconds."""
        if not 0 < initial_s <= maximum_s:
            raise ValueError(f"backoff needs 0 < initial <= maximum, got {initial_s} and {maximum_s}")
        self._initial_s = initial_s
        self._maximum_s = maximum_s
        self._bound_s = initial_s
        self._random = random or Random()  # noqa: S311 - spreads load, guards nothing

    def next(self) -> float:
        """How long to wait now, in seconds; the bound of the next wait is twice as large."""
        wait_s = self._random.uniform(0, self._bound_s)
        self._bound_s = min(self._bound_s * 2, self._maximum_s)
        return wait_s

    def reset(self) -> None:
        """Begin anew, after an attempt that succeeded."""
        self._bound_s = self._initial_s
