"""`make chaos`: faults against a real search for a given time, and what was lost."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .databases import Postgresql, Sqlite
from .run import Outcome, chaos
from .specs import SEARCHERS


def main() -> int:
    """The exit code: 0 when nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long faults are injected")
    parser.add_argument("--seed", type=int, help="which faults, to whom, in what order (the moments are the machine's)")
    parser.add_argument("--db", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--searcher", choices=SEARCHERS, default=SEARCHERS[0], help="that of the searches")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="keep the logs also when all is well")
    options = parser.parse_args()
    # Told to end it cleans up all the same: processes, and the small disk.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seed = options.seed if options.seed is not None else int(time.time())
    folder = Path(tempfile.mkdtemp(prefix="rungmaster-chaos-"))
    told = f"{options.seconds:g} s of faults on {options.db}, searcher {options.searcher}, seed {seed}, in {folder}"
    print(f"chaos: {told}", flush=True)
    with _database(options.db, folder) as database:
        outcome = chaos(
            folder,
            database,
            seconds=options.seconds,
            seed=seed,
            workers=options.workers,
            searcher=options.searcher,
        )
        _show(outcome)
    if outcome.problems or options.keep:
        print(f"the logs are in {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if outcome.problems else 0


@contextlib.contextmanager
def _database(kind: str, folder: Path) -> Iterator[Sqlite | Postgresql]:
    if kind == "sqlite":
        yield Sqlite(folder, small_disk=True)
        return
    from conftest import PostgresqlServer

    with tempfile.TemporaryDirectory(prefix="rungmaster-pg-", ignore_cleanup_errors=True) as place:
        server = PostgresqlServer(Path(place) / "data")
        try:
            yield Postgresql(server, server.url(server.lend_database()))
        finally:
            server.close()


def _show(outcome: Outcome) -> None:
    verdict = outcome.verdict
    print("\nfaults")
    for name, times in sorted(outcome.struck.items()):
        print(f"  {times:4}  {name}")
    print(f"  {outcome.struck.total():4}  in {outcome.stormy:.0f} s, of {len(outcome.struck)} kinds")
    print("\nends of processes that nobody had told to end")
    untold = Counter((end.name, end.code, end.last_words[-160:]) for end in outcome.ends if not end.told)
    for (name, code, words), times in untold.items():
        print(f"  {times:4}  {name} with {code}: {words}")
    print("\nwhat came of it")
    for what, count in (
        ("searches completed", outcome.searches),
        ("searches that nobody can run, and that failed", verdict.wrong),
        ("searches whose spec was damaged, and that were paused or failed for it", verdict.damaged),
        ("what met a store out of reach", ", ".join(f"{n} {what}" for what, n in outcome.met.items())),
        ("broken checkpoints that were passed over", verdict.passed_over),
        ("leases", f"{verdict.leases.total()} ({', '.join(f'{n} {o}' for o, n in sorted(verdict.leases.items()))})"),
        ("epochs trained", f"{verdict.trained}, {verdict.trained_again} of them again after a loss"),
        ("reports in the ledger", verdict.reports),
        ("events acknowledged", verdict.acknowledged),
        ("lost", len(verdict.lost)),
        ("duplicated", len(verdict.duplicated)),
        ("double owners", len(verdict.double_owners)),
        ("other contradictions", len(verdict.others)),
        ("findings in logs, exits and `rungmaster db check`", len(outcome.findings)),
        ("end of the search after the last fault", f"{outcome.peaceful:.0f} s"),
    ):
        print(f"  {what}: {count}")
    for problem in outcome.problems:
        print(f"PROBLEM  {problem}")


if __name__ == "__main__":
    sys.exit(main())
