"""What the writer counts of that which it has committed, for those who measure the master: a few additions a batch."""

from __future__ import annotations

from bisect import bisect_left

from ..experiment.changes import Changes

#: Upper bounds of the histogram of commits, in seconds; there is one more without a bound.
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Measures:
    """Numbers that only grow, from this master's start. Written by the event loop, read from anywhere."""

    def __init__(self) -> None:
        self.reports = 0
        #: Batches that the database did not take.
        self.refused_batches = 0
        #: Batches that changed something of a search, by how long they took.
        self.batches = [0] * (len(BUCKETS_S) + 1)
        #: Seconds that these took together.
        self.total_s = 0.0

    def committed(self, changes: Changes, elapsed_s: float) -> None:
        """A batch is durable, `elapsed_s` seconds after it was handed to the ledger."""
        if not changes.rows:
            return
        self.reports += len(changes.new_reports)
        self.batches[bisect_left(BUCKETS_S, elapsed_s)] += 1
        self.total_s += elapsed_s
