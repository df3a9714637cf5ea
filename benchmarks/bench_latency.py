"""From a report at its target to the decision about it, with 1,000 workers connected; then 10,000 workers.

Every worker trains as real ones do (ASHA with rungs at 1, 3, 9 and 27: report, obey, save, leave, ask again) at random
intervals, all of them together at the given rate; what is timed is a report that reaches its target, from before it is
sent until its decision is read, commit included. The bare round trip is the bare echo of `floor_server.py` with as
many streams at the same rate of reports, measured in turn with the master. No decision can be durable before the disk
says so: the durable echo stores each report, commits, and answers; it decides nothing.

How it could mislead: the load generator's own turn-around is in both numbers, and it shares two cores with the master,
so p99 tells as much about the machine's scheduling as about the master. The echoes get no checkpoints, exits
and requests for work: their load is a third of the master's. "Memory per worker" is the growth of the master's resident
memory from no worker to all of them, each with an assignment, divided by their number.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass

import load
import processes
from figures import Figure, Plot, Result, median_ratio, quantile
from steps import Times, Trainer

MEDIAN_AIM, P99_AIM = 3.0, 0.020


@dataclass(frozen=True, slots=True)
class Size:
    workers: int = 1_000
    many_workers: int = 10_000
    rate: float = 300.0
    rounds: int = 4
    seconds: float = 3.0


async def train(trainers: Sequence[Trainer], seconds: float) -> Times:
    """All of them train for a while: what they saw."""
    deadline = time.monotonic() + seconds
    all_times = Times()
    for times in await asyncio.gather(*(trainer.train(deadline) for trainer in trainers)):
        all_times.add(times)
    return all_times


async def _begin(trainers: Sequence[Trainer]) -> None:
    for start in range(0, len(trainers), 500):
        await asyncio.gather(*(trainer.begin() for trainer in trainers[start : start + 500]))


def _trainers(sessions: Sequence[load.Session], rate: float, echo: bool = False) -> list[Trainer]:
    return [Trainer(s, rate / len(sessions), random.Random(i), echo) for i, s in enumerate(sessions)]


@dataclass(frozen=True, slots=True)
class Round:
    """What one round saw of the bare echo, the durable echo, and the master."""

    bare: Times
    durable: Times
    real: Times


async def _side_by_side(size: Size, bare: str, durable: str, master: str) -> list[Round]:
    """The rounds, each of them on both echoes and the master in turn."""
    await load.create_experiment(master, load.spec(max_trials=10**6, max_resource=27, divisor=3))
    async with AsyncExitStack() as stack:
        crews = []
        for address in (bare, durable, master):
            sessions = await stack.enter_async_context(load.sessions(address, size.workers))
            crews.append(_trainers(sessions, size.rate, echo=address != master))
            await _begin(crews[-1])
            # The first results of a search promote at once, and everything is cold.
            await train(crews[-1], size.seconds)
        return [Round(*[await train(crew, size.seconds) for crew in crews]) for _ in range(size.rounds)]


@dataclass(frozen=True, slots=True)
class Crowd:
    """What many workers saw, and what they cost: bytes of the master for each."""

    times: Times
    bytes_per_worker: float
    connect_seconds: float


async def _crowd(size: Size, server: processes.Server) -> Crowd:
    await load.create_experiment(server.address, load.spec(max_trials=10**6, max_resource=27, divisor=3))
    before, start = server.memory, time.monotonic()
    async with load.sessions(server.address, size.many_workers, channels=10) as sessions:
        trainers = _trainers(sessions, size.rate)
        await _begin(trainers)
        connected = time.monotonic() - start
        grown = server.memory - before
        times = await train(trainers, size.seconds * 2)
    return Crowd(times, grown / size.many_workers, connected)


def measure(size: Size) -> Result:
    result = Result("latency", __doc__ or "")
    with ExitStack() as stack:
        bare = stack.enter_context(processes.floor())
        durable = stack.enter_context(processes.floor(stack.enter_context(processes.sqlite())))
        master = stack.enter_context(processes.master(stack.enter_context(processes.sqlite())))
        rounds = asyncio.run(_side_by_side(size, bare.address, durable.address, master.address))
    result.figures += _figures(size, rounds)
    result.plots.append(_plot(rounds))
    with processes.sqlite() as database, processes.master(database) as master:
        crowd = asyncio.run(_crowd(size, master))
    result.figures += _crowd_figures(size, crowd)
    result.notes.append(
        f"{size.many_workers:,} workers had said hello and had their first assignments after "
        f"{crowd.connect_seconds:.1f} s; all stayed connected until the end"
    )
    return result


def _figures(size: Size, rounds: list[Round]) -> list[Figure]:
    figures = []
    for name, share in (("median", 0.5), ("p99", 0.99)):
        values = [quantile(each.real.decided, share) for each in rounds]
        bare = [quantile(each.bare.decided, share) for each in rounds]
        durable = [quantile(each.durable.decided, share) for each in rounds]
        aim, met = f"{P99_AIM * 1e3:g} ms", quantile(values, 0.5) <= P99_AIM
        if name == "median":
            aim, met = f"{MEDIAN_AIM:g}× bare", median_ratio(values, bare) <= MEDIAN_AIM
        what = f"decision, {name}, {size.workers:,} workers"
        figures.append(_beside(what, values, bare, "bare round trip", aim, met))
        figures.append(_beside(what, values, durable, "durable echo", "", None))
    return figures


def _beside(what: str, values: list[float], floors: list[float], floor: str, aim: str, met: bool | None) -> Figure:
    return Figure(
        what,
        quantile(values, 0.5) * 1e3,
        "ms",
        higher_is_better=False,
        floor=quantile(floors, 0.5) * 1e3,
        floor_name=floor,
        floor_ratio=median_ratio(values, floors),
        aim=aim,
        met=met,
    )


def _crowd_figures(size: Size, crowd: Crowd) -> list[Figure]:
    workers = f"{size.many_workers:,} workers"
    times = crowd.times.decided
    return [
        Figure(f"decision, median, {workers}", quantile(times, 0.5) * 1e3, "ms", higher_is_better=False),
        Figure(f"decision, p99, {workers}", quantile(times, 0.99) * 1e3, "ms", higher_is_better=False),
        Figure(f"memory per worker, {workers}", crowd.bytes_per_worker / 1024, "KiB", higher_is_better=False),
    ]


def _plot(rounds: list[Round]) -> Plot:
    """Distributions: the share of round trips that took at most so long."""
    shares = [i / 200 for i in range(1, 200)]
    seen = {
        "bare echo": [seconds for each in rounds for seconds in each.bare.decided],
        "durable echo": [seconds for each in rounds for seconds in each.durable.decided],
        "decision, committed": [seconds for each in rounds for seconds in each.real.decided],
    }
    series = {name: [(quantile(times, share) * 1e3, share) for share in shares] for name, times in seen.items()}
    return Plot("Round trips", "ms", "share that took at most so long", series)


FULL = Size()
QUICK = Size(workers=8, many_workers=16, rate=100, rounds=1, seconds=0.3)
