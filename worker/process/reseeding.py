"""Random numbers after a fork: what a fresh process would have drawn at random must not be the same in every child.

What the code itself seeded while it was imported stays as it is: a fresh process would have the same numbers, too.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

#: A generator of PyTorch that nobody seeded has a seed of 64 random bits; people's seeds are smaller.
_LARGEST_SEED = 2**32


class Reseeding:
    """Around an import it notes what was seeded; in each fork `renew` draws the rest anew."""

    def __init__(self) -> None:
        self._seeded = False
        self._state: Any = None
        self._seed: Callable[..., None] = random.seed

    def __enter__(self) -> Reseeding:
        def noting(*args: Any, **options: Any) -> None:
            self._seeded = True
            self._seed(*args, **options)

        random.seed = noting
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        random.seed = self._seed
        self._state = random.getstate()

    def renew(self) -> None:
        """Called in a fork. Python has reseeded `random` by then."""
        if self._seeded:
            random.setstate(self._state)
        numpy = sys.modules.get("numpy.random")
        if numpy is not None and not _numpy_seeded(numpy):
            numpy.seed()
        torch = sys.modules.get("torch")
        if torch is not None and torch.initial_seed() >= _LARGEST_SEED:
            torch.default_generator.seed()


def _numpy_seeded(numpy: Any) -> bool:
    """NumPy forgets where its first seed came from when it is given another."""
    get = getattr(numpy, "get_bit_generator", None)
    return get is not None and getattr(get(), "_seed_seq", True) is None
