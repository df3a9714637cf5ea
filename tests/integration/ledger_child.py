"""A master's writing half as a process of its own: commits report after report and prints each once it is durable."""

from __future__ import annotations

import itertools
import sys

from rungmaster.master.experiment.changes import Changes, EventRow, ReportRow
from rungmaster.master.ledger.ledger import Ledger


def main() -> None:
    ledger = Ledger.open(sys.argv[1], holder="child")
    for n in itertools.count(1):
        report = ReportRow(1, 0, 1, n, n, {"loss": 1 / n}, 0.0)
        ledger.commit(Changes(new_reports=[report], new_events=[EventRow(1, 0, 0.0, "reported", {"n": n})]))
        print(n, flush=True)


if __name__ == "__main__":
    main()
