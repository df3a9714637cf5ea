"""Which number an experiment gets, and which one a request that comes again got before."""

from __future__ import annotations

from collections.abc import Mapping


class Numbering:
    """The numbers of experiments: none is given twice, and each request that made one gets its own again."""

    def __init__(self, last: int, by_request: Mapping[str, int]) -> None:
        """`last` is the highest number that was ever given."""
        self._last = last
        self._by_request = dict(by_request)

    def given(self, request_id: str) -> int | None:
        """What a request got before; None for a new one, or one without an id."""
        return self._by_request.get(request_id) if request_id else None

    def next(self, request_id: str) -> int:
        """The number of a new experiment, from now on that of its request."""
        self._last += 1
        if request_id:
            self._by_request[request_id] = self._last
        return self._last

    def forget(self, experiment_id: int) -> None:
        """There is no such experiment any more: its request would make another."""
        self._by_request = {key: number for key, number in self._by_request.items() if number != experiment_id}
