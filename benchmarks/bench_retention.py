"""Thinning and deleting beside a busy master: rows a second, what the file is rid of, and what others notice of it.

A real master on SQLite has a search under way, of 16 workers that each have one report under way, and old experiments
that have ended. In turn nothing goes on beside it, an old one is thinned, and another is deleted; each time it is
measured how long the workers wait for acknowledgements, which come after their commits. A row is a report; those that
stay (decided, best, last) are read and not counted as dropped. The ratios are medians of the rounds'.

How it could mislead: the old experiments were written at one go, so their pages lie in order, and they are in the page
cache. The generator shares two cores with the master. Deleting counts all rows of an experiment, reports or not; the
search under way writes rows meanwhile, which are not in the bytes.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import load
import processes
from bench_ledger import experiment, trial
from figures import Figure, Result, median_ratio, quantile
from rungmaster.client import Client
from rungmaster.master.experiment.changes import (
    BracketRow,
    Changes,
    EventRow,
    LeaseRow,
    ReportRow,
    RungResultRow,
    RungRow,
)
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import Reader

LATENCY_AIM = 2.0
_RUNGS = (1, 3, 9, 27)


@dataclass(frozen=True, slots=True)
class Size:
    trials: int = 200
    reports: int = 200
    rounds: int = 3
    workers: int = 16
    quiet_seconds: float = 2.0


def _fill(ledger: Ledger, number: int, size: Size) -> None:
    """An experiment that has ended."""
    row = replace(experiment(size.trials), experiment_id=number, state="completed", end_time=1.7e9)
    batch = Changes(
        new_experiments=[row],
        new_brackets=[BracketRow(number, 0, size.trials, None, size.trials)],
        new_rungs=[RungRow(number, 0, k, resource, size.trials, 0, 0, 0.0) for k, resource in enumerate(_RUNGS)],
        new_events=[EventRow(number, None, 1.7e9, "experiment_created", {})],
    )
    for n in range(size.trials):
        batch.new_trials.append(replace(trial(n, "stopped", 0.5), experiment_id=number))
        batch.new_leases.append(LeaseRow(number, n, 1, "", "", "", 1, 0, 27, "", 0, 1.7e9, 1.8e9, "released", "", 0))
        batch.new_results += [RungResultRow(number, 0, k, n, at, 0.5, False, 1.7e9) for k, at in enumerate(_RUNGS)]
        metrics = ({"validation_error": abs(s - size.reports * 0.7), "accuracy": 0.5} for s in range(size.reports))
        batch.new_reports += [ReportRow(number, n, 1, s, s, m, 1.7e9) for s, m in enumerate(metrics, 1)]
    ledger.commit(batch)


@dataclass(slots=True)
class Beside:
    """What the workers saw while something went on: seconds of each acknowledgement; and how long that took."""

    waits: list[float]
    seconds: float


class Load:
    """Workers that report without a pause, one report at a time each."""

    def __init__(self, sessions: Sequence[load.Session]) -> None:
        self._sessions = sessions

    async def during(self, work: Callable[[], Awaitable[None]]) -> Beside:
        """Runs it beside the workers."""
        done, waits = asyncio.Event(), []
        working = [asyncio.create_task(self._report(session, done, waits)) for session in self._sessions]
        start = time.monotonic()
        await work()
        seconds = time.monotonic() - start
        done.set()
        await asyncio.gather(*working)
        return Beside(waits, seconds)

    async def _report(self, session: load.Session, done: asyncio.Event, waits: list[float]) -> None:
        while not done.is_set():
            start = time.monotonic()
            await session.report(1)
            while session.acked < session.sent:
                for known in (await session.read()).acknowledgements:
                    session.acked = known.sequence
            waits.append(time.monotonic() - start)


class Upkeep:
    """Asks for what goes on in the background, and waits for its end."""

    def __init__(self, address: str, database: str) -> None:
        self._client = Client(address)
        self._reader = Reader(database)

    async def thin(self, number: int) -> int:
        """Thins an experiment; how many reports went."""
        await asyncio.to_thread(self._client.thin, number)
        while True:
            thinning = (await asyncio.to_thread(self._client.get, number)).thinning
            if thinning is not None and thinning.end_time is not None:
                return thinning.reports_dropped
            await asyncio.sleep(0.02)

    async def delete(self, number: int) -> None:
        """Deletes an experiment and all its rows."""
        await asyncio.to_thread(self._client.delete, number)
        while True:
            if not await asyncio.to_thread(self._reader.open_deletions):
                return
            await asyncio.sleep(0.02)

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()
        self._reader.close()


@dataclass(frozen=True, slots=True)
class Round:
    """One of each, with the reports that went and the bytes in use before and after the thinning."""

    quiet: Beside
    thinned: Beside
    deleted: Beside
    dropped: int
    bytes_before: int
    bytes_after: int


def _bytes(database: str, experiment_id: int) -> int:
    """Of the reports of an experiment, as text: what the pages hold of them."""
    measure = "SELECT coalesce(sum(length(metrics) + 30), 0) FROM reports WHERE experiment_id = ?"
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(measure, (experiment_id,)).fetchone()[0]


async def _round(number: int, size: Size, loaded: Load, upkeep: Upkeep, database: str) -> Round:
    dropped = 0

    async def thin() -> None:
        nonlocal dropped
        dropped = await upkeep.thin(number)

    before = _bytes(database, number)
    quiet = await loaded.during(lambda: asyncio.sleep(size.quiet_seconds))
    thinned = await loaded.during(thin)
    deleted = await loaded.during(lambda: upkeep.delete(number + 1))
    return Round(quiet, thinned, deleted, dropped, before, _bytes(database, number))


async def _rounds(size: Size, address: str, database: str) -> list[Round]:
    upkeep = Upkeep(address, database)
    await load.create_experiment(address, load.spec(max_trials=size.workers, max_resource=10**12, max_rungs=1))
    async with load.sessions(address, size.workers) as sessions:
        await asyncio.gather(*(session.ask() for session in sessions))
        loaded = Load(sessions)
        await loaded.during(lambda: asyncio.sleep(size.quiet_seconds))  # warm
        found = [await _round(2 * n + 1, size, loaded, upkeep, database) for n in range(size.rounds)]
    upkeep.close()
    return found


def measure(size: Size) -> Result:
    result = Result("retention", __doc__ or "")
    with processes.sqlite() as database:
        ledger = Ledger.open(database, holder="benchmark")
        for number in range(1, 2 * size.rounds + 1):
            _fill(ledger, number, size)
        ledger.close()
        with processes.master(database) as server:
            rounds = asyncio.run(_rounds(size, server.address, database))
    result.figures += _speeds(size, rounds)
    for name, share in (("median", 0.5), ("p99", 0.99)):
        result.figures.append(
            _wait(f"acknowledgement while thinning, {name}", [r.thinned for r in rounds], rounds, share)
        )
        result.figures.append(
            _wait(f"acknowledgement while deleting, {name}", [r.deleted for r in rounds], rounds, share)
        )
    return result


def _speeds(size: Size, rounds: list[Round]) -> list[Figure]:
    reports = size.trials * size.reports
    rows = reports + size.trials * (2 + len(_RUNGS))
    left = quantile([r.bytes_after for r in rounds], 0.5) / quantile([r.bytes_before for r in rounds], 0.5)
    return [
        Figure("thinned, reports dropped", quantile([r.dropped / r.thinned.seconds for r in rounds], 0.5), "reports/s"),
        Figure("deleted, rows of an experiment", quantile([rows / r.deleted.seconds for r in rounds], 0.5), "rows/s"),
        Figure("what is left of thinned reports", left * 100, "% of the bytes", higher_is_better=False),
    ]


def _wait(name: str, beside: list[Beside], rounds: list[Round], share: float) -> Figure:
    values = [quantile(each.waits, share) for each in beside]
    quiet = [quantile(each.quiet.waits, share) for each in rounds]
    ratio = median_ratio(values, quiet)
    return Figure(
        name,
        quantile(values, 0.5) * 1e3,
        "ms",
        higher_is_better=False,
        floor=quantile(quiet, 0.5) * 1e3,
        floor_name="nothing beside it",
        floor_ratio=ratio,
        aim=f"{LATENCY_AIM:g}× of nothing beside it",
        met=ratio <= LATENCY_AIM,
    )


FULL = Size()
QUICK = Size(trials=10, reports=20, rounds=1, workers=2, quiet_seconds=0.1)
