"""How many sampler programs run, for those who measure the master."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class SamplerPrograms:
    """All of one master. `starts` has counted each process since it began."""

    running: int = 0
    starts: int = 0

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """A process runs meanwhile."""
        self.starts += 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
