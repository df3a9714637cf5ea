"""Durable reports a second: 64 worker streams into a real master and its real database, beside the bare echo.

A report counts once its acknowledgement has come back, which the master sends after the commit (SQLite: WAL,
synchronous=FULL; PostgreSQL: its own settings, fsync on). All trials are of one experiment and far from their targets.
A window is how many messages each session keeps under way; a message carries one report or ten. Floor and masters are
measured in turn, round by round, with the same load generator, and the ratio is the median of the rounds' ratios.

How it could mislead: the load generator takes about half of the two cores, so all numbers are lower than a master has
alone, the floor's too. With a window above 1 the master answers many messages by one cumulative acknowledgement while
the echo answers each: ratios above 1 are possible and mean just that. A disk that lies about fsync flatters SQLite.
"""

from __future__ import annotations

import asyncio
import statistics
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass

import load
import processes
from figures import Figure, Plot, Result, median_ratio

#: (window, reports in a message), with the ratio to the floor that SQLite is to reach; 0 for none.
SHAPES = {(1, 1): 0.8, (8, 1): 0.8, (1, 10): 0.6, (8, 10): 0.6}
POSTGRESQL_AIM = 0.6


@dataclass(frozen=True, slots=True)
class Size:
    sessions: int = 64
    rounds: int = 4
    seconds: float = 1.25
    databases: tuple[str, ...] = ("SQLite", "PostgreSQL")


Rates = dict[tuple[str, tuple[int, int]], list[float]]


async def _rounds(size: Size, addresses: dict[str, str]) -> Rates:
    rates: Rates = {(name, shape): [] for name in addresses for shape in SHAPES}
    async with AsyncExitStack() as stack:
        streams = {
            name: await stack.enter_async_context(load.sessions(address, size.sessions))
            for name, address in addresses.items()
        }
        for sessions in streams.values():
            await asyncio.gather(*(session.ask() for session in sessions))
            await load.rate(sessions, 1, 1, size.seconds)  # warm
        for _ in range(size.rounds):
            for shape in SHAPES:
                for name, sessions in streams.items():
                    rates[name, shape].append(await load.rate(sessions, *shape, size.seconds))
    return rates


async def _measure(size: Size, addresses: dict[str, str]) -> Rates:
    document = load.spec(max_trials=size.sessions, max_resource=10**12, max_rungs=1)
    for name, address in addresses.items():
        if name != "floor":
            await load.create_experiment(address, document)
    return await _rounds(size, addresses)


def measure(size: Size) -> Result:
    result = Result("throughput", __doc__ or "")
    with ExitStack() as stack:
        addresses = {"floor": stack.enter_context(processes.floor()).address}
        for name in size.databases:
            database = stack.enter_context(processes.DATABASES[name]())
            addresses[name] = stack.enter_context(processes.master(database)).address
        rates = asyncio.run(_measure(size, addresses))
    for shape, aim in SHAPES.items():
        for name in size.databases:
            result.figures.append(_figure(rates, name, shape, aim))
    result.plots.append(_plot(rates, ("floor", *size.databases)))
    return result


def _figure(rates: Rates, name: str, shape: tuple[int, int], aim: float) -> Figure:
    window, count = shape
    values, floors = rates[name, shape], rates["floor", shape]
    ratio = median_ratio(values, floors)
    if name == "SQLite":
        what, met = f"{aim} of the echo", ratio >= aim
    else:
        what = f"{POSTGRESQL_AIM} of SQLite's"
        met = median_ratio(values, rates["SQLite", shape]) >= POSTGRESQL_AIM if ("SQLite", shape) in rates else None
    return Figure(
        f"{name}, window {window}, {count} a message",
        statistics.median(values),
        "reports/s",
        floor=statistics.median(floors),
        floor_name="bare grpc.aio echo",
        floor_ratio=ratio,
        aim=what,
        met=met,
    )


def _plot(rates: Rates, names: tuple[str, ...]) -> Plot:
    series = {
        f"{name}, window {window}": [
            (float(count), statistics.median(rates[name, (window, count)])) for w, count in SHAPES if w == window
        ]
        for name in names
        for window in (1, 8)
    }
    return Plot("Durable reports", "reports in a message", "reports/s", series, log_y=True)


FULL = Size()
QUICK = Size(sessions=4, rounds=1, seconds=0.2, databases=("SQLite",))
