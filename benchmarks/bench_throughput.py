"""Durable reports a second: 64 worker streams into a real master and its real database, beside the bare echo.

A report counts once its acknowledgement has come back, which the master sends after the commit (SQLite: WAL,
synchronous=FULL; PostgreSQL: its own settings, fsync on). All trials are of one experiment and far from their targets.
A window is how many messages each session keeps under way; a message carries one report or ten. Floor and masters are
measured in turn, round by round, with the same load generator, and the ratio is the median of the rounds' ratios.
The bare echo stores nothing. The durable echo ("peer" in the table) puts events as they came into one SQLite table and
decides nothing: what is left of the bare echo once commits are waited for. The CPU that each takes for a report tells
what is left to gain: two cores, shared with the load generator, are the limit of all of them.

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
BARE, DURABLE = ECHOES = ("bare echo", "durable echo")


@dataclass(frozen=True, slots=True)
class Size:
    sessions: int = 64
    rounds: int = 3
    seconds: float = 1.25
    databases: tuple[str, ...] = ("SQLite", "PostgreSQL")


@dataclass(frozen=True, slots=True)
class Round:
    """Reports a second, and seconds of the server's CPU for each."""

    rate: float
    cpu: float


Rounds = dict[tuple[str, tuple[int, int]], list[Round]]


async def _rounds(size: Size, servers: dict[str, processes.Server]) -> Rounds:
    rounds: Rounds = {(name, shape): [] for name in servers for shape in SHAPES}
    async with AsyncExitStack() as stack:
        streams = {
            name: await stack.enter_async_context(load.sessions(server.address, size.sessions))
            for name, server in servers.items()
        }
        for sessions in streams.values():
            await asyncio.gather(*(session.ask() for session in sessions))
            await load.rate(sessions, 1, 1, size.seconds)  # warm
        for _ in range(size.rounds):
            for shape in SHAPES:
                for name, sessions in streams.items():
                    before = servers[name].cpu
                    rate = await load.rate(sessions, *shape, size.seconds)
                    used = servers[name].cpu - before
                    rounds[name, shape].append(Round(rate, used / max(1.0, rate * size.seconds)))
    return rounds


async def _measure(size: Size, servers: dict[str, processes.Server]) -> Rounds:
    document = load.spec(max_trials=size.sessions, max_resource=10**12, max_rungs=1)
    for name, server in servers.items():
        if name not in ECHOES:
            await load.create_experiment(server.address, document)
    return await _rounds(size, servers)


def measure(size: Size) -> Result:
    result = Result("throughput", __doc__ or "")
    with ExitStack() as stack:
        durable = stack.enter_context(processes.sqlite())
        servers = {
            BARE: stack.enter_context(processes.floor()),
            DURABLE: stack.enter_context(processes.floor(durable)),
        }
        for name in size.databases:
            database = stack.enter_context(processes.DATABASES[name]())
            servers[name] = stack.enter_context(processes.master(database))
        rounds = asyncio.run(_measure(size, servers))
    for shape, aim in SHAPES.items():
        result.figures += [_figure(rounds, name, shape, aim) for name in size.databases]
    result.figures += [_cost(rounds, name, shape) for shape in SHAPES for name in size.databases]
    result.plots.append(_plot(rounds, (*ECHOES, *size.databases)))
    return result


def _rates(rounds: Rounds, name: str, shape: tuple[int, int]) -> list[float]:
    return [each.rate for each in rounds[name, shape]]


def _cpu(rounds: Rounds, name: str, shape: tuple[int, int]) -> float:
    """Microseconds a report."""
    return 1e6 * statistics.median(each.cpu for each in rounds[name, shape])


def _cost(rounds: Rounds, name: str, shape: tuple[int, int]) -> Figure:
    window, count = shape
    return Figure(
        f"{name}, window {window}, {count} a message: CPU of the server a report",
        _cpu(rounds, name, shape),
        "µs",
        higher_is_better=False,
        floor=_cpu(rounds, BARE, shape),
        floor_name="bare echo",
        peer=_cpu(rounds, DURABLE, shape),
        peer_name="durable echo",
    )


def _figure(rounds: Rounds, name: str, shape: tuple[int, int], aim: float) -> Figure:
    window, count = shape
    values, floors = _rates(rounds, name, shape), _rates(rounds, BARE, shape)
    ratio = median_ratio(values, floors)
    if name == "SQLite":
        what, met = f"{aim} of the echo", ratio >= aim
    else:
        what = f"{POSTGRESQL_AIM} of SQLite's"
        met = (
            median_ratio(values, _rates(rounds, "SQLite", shape)) >= POSTGRESQL_AIM
            if ("SQLite", shape) in rounds
            else None
        )
    return Figure(
        f"{name}, window {window}, {count} a message",
        statistics.median(values),
        "reports/s",
        floor=statistics.median(floors),
        floor_name="bare grpc.aio echo",
        floor_ratio=ratio,
        peer=statistics.median(_rates(rounds, DURABLE, shape)),
        peer_name=DURABLE,
        aim=what,
        met=met,
    )


def _plot(rounds: Rounds, names: tuple[str, ...]) -> Plot:
    series = {
        f"{name}, window {window}": [
            (float(count), statistics.median(_rates(rounds, name, (window, count))))
            for w, count in SHAPES
            if w == window
        ]
        for name in names
        for window in (1, 8)
    }
    return Plot("Durable reports", "reports in a message", "reports/s", series, log_y=True)


FULL = Size()
QUICK = Size(sessions=4, rounds=1, seconds=0.2, databases=("SQLite",))
