"""A search of very many live trials is cancelled: how long that takes, and what others feel of it meanwhile.

A real master, with a standby that waits on the same database, has a paused search of 200,000 trials that have not
ended, each with a checkpoint. Workers of another search have one report under way each, without a pause, and a client
asks the health service again and again, which the event loop answers without the database: the longest wait for it is
the longest stall of the loop, and a bit more. Then the search is cancelled, and all goes on until its counts are final.
The floor is the same for some seconds before. A term that changes means that the standby took over from a master that
was well.

How it could mislead: master, standby, generator and database share the same two cores, and whatever else runs there
makes stalls of its own; those of the floor are of that kind. The trials were written at one go.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import text

import load
import processes
from figures import Figure, Result, quantile
from large_search import ETA, fill
from rungmaster.client import Client
from rungmaster.master.ledger.engine import parse_database, reading_engine, transaction
from rungmaster.shared.errors import RungmasterError

STALL_AIM = 0.25
#: Seconds between two questions to the health service.
PACE = 0.005


@dataclass(frozen=True, slots=True)
class Size:
    trials: int = 200_000
    workers: int = 16
    quiet_seconds: float = 5.0
    #: After so many seconds it is not waited for any longer.
    patience: float = 150.0
    databases: tuple[str, ...] = tuple(processes.DATABASES)


@dataclass(slots=True)
class Felt:
    """What others felt for a while, in seconds each; what broke, if anything did."""

    checks: list[float] = field(default_factory=list)
    acknowledged: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


@contextlib.asynccontextmanager
async def _others(address: str, sessions: Sequence[load.Session]) -> AsyncIterator[Felt]:
    """Workers that report and a client that asks, for as long as the block lasts."""
    felt, over = Felt(), asyncio.Event()
    working = [asyncio.create_task(_report(session, over, felt)) for session in sessions]
    working.append(asyncio.create_task(_check(address, over, felt)))
    try:
        yield felt
    finally:
        over.set()
        for outcome in await asyncio.gather(*working, return_exceptions=True):
            if isinstance(outcome, BaseException):
                felt.broken.append(repr(outcome))


async def _report(session: load.Session, over: asyncio.Event, felt: Felt) -> None:
    while not over.is_set():
        start = time.monotonic()
        await session.report(1)
        while session.acked < session.sent:
            for known in (await session.read()).acknowledgements:
                session.acked = known.sequence
        felt.acknowledged.append(time.monotonic() - start)


async def _check(address: str, over: asyncio.Event, felt: Felt) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        while not over.is_set():
            start = time.monotonic()
            await stub.Check(health_pb2.HealthCheckRequest())
            felt.checks.append(time.monotonic() - start)
            await asyncio.sleep(PACE)


@dataclass(frozen=True, slots=True)
class Ended:
    """One cancellation: seconds until the call was answered and until the counts were final; whether that was so."""

    answered: float
    final: float
    finished: bool
    terms: int
    quiet: Felt
    meanwhile: Felt


async def _cancel(client: Client, patience: float) -> tuple[float, float, bool]:
    start = time.monotonic()
    with contextlib.suppress(RungmasterError):
        await asyncio.to_thread(client.cancel, 1)
    answered = time.monotonic() - start
    while time.monotonic() - start < patience:
        with contextlib.suppress(RungmasterError):
            found = await asyncio.to_thread(client.get, 1)
            live = sum(count for state, count in found.trial_counts.items() if not state.ended)
            if found.state.ended and not live:
                return answered, time.monotonic() - start, True
        await asyncio.sleep(0.1)
    return answered, time.monotonic() - start, False


def _term(database: str) -> int:
    """Asked of the database itself: there may be no master left that answers."""
    address = parse_database(database)
    engine = reading_engine(address, 10.0)
    try:
        with transaction(engine, address) as connection:
            return connection.scalar(text("SELECT term FROM mastership")) or 0
    finally:
        engine.dispose()


async def _story(addresses: tuple[str, str], database: str, size: Size) -> Ended:
    with closing(Client(addresses, timeout=min(30.0, size.patience))) as client:
        await asyncio.to_thread(client.pause, 1)
        term = _term(database)
        await load.create_experiment(addresses[0], load.spec(size.workers, 10**12, max_rungs=1))
        async with load.sessions(addresses[0], size.workers) as sessions:
            await asyncio.gather(*(session.ask() for session in sessions))
            async with _others(addresses[0], sessions) as quiet:
                await asyncio.sleep(size.quiet_seconds)
            async with _others(addresses[0], sessions) as meanwhile:
                answered, final, finished = await _cancel(client, size.patience)
    return Ended(answered, final, finished, _term(database) - term, quiet, meanwhile)


def measure(size: Size) -> Result:
    result = Result("ending", __doc__ or "")
    for kind in size.databases:
        with processes.DATABASES[kind]() as database:
            # Of the results a quarter was promoted, and those trials have failed since.
            fill(database, size.trials * ETA // (ETA - 1), checkpoints=True)
            with processes.master(database) as server, processes.standby(database) as standby:
                ended = asyncio.run(_story((server.address, standby), database, size))
        result.figures += _figures(f"{kind}, {size.trials:,} trials cancelled", ended)
        if not ended.finished:
            result.notes.append(f"{kind}: not finished after {ended.final:.0f} s")
        result.notes += [f"{kind}: {trouble}" for trouble in dict.fromkeys(ended.meanwhile.broken)]
    return result


def _figures(what: str, ended: Ended) -> list[Figure]:
    stall = max(ended.meanwhile.checks, default=ended.final)
    quiet = ended.quiet.acknowledged
    waits = ended.meanwhile.acknowledged or [ended.final]
    aim = {"aim": f"below {STALL_AIM * 1e3:.0f} ms", "met": stall < STALL_AIM}
    return [
        Figure(f"{what}: longest stall", stall * 1e3, "ms", False, max(ended.quiet.checks) * 1e3, "before", **aim),
        Figure(f"{what}: the call is answered", ended.answered, "s", False),
        Figure(f"{what}: all trials have ended", ended.final, "s", False),
        Figure(f"{what}: acknowledgement, p99", _p99(waits) * 1e3, "ms", False, _p99(quiet) * 1e3, "before"),
        Figure(f"{what}: acknowledgement, longest", max(waits) * 1e3, "ms", False, max(quiet) * 1e3, "before"),
        Figure(f"{what}: changes of term", ended.terms, "", False, aim="none", met=ended.terms == 0),
    ]


def _p99(waits: Sequence[float]) -> float:
    return quantile(waits, 0.99)


FULL = Size()
QUICK = Size(trials=300, workers=2, quiet_seconds=0.2, patience=30.0, databases=("SQLite",))

if __name__ == "__main__":
    import page

    found = measure(QUICK if "--quick" in sys.argv else FULL)
    print(page.table([found]))
    print("\n".join(found.notes))
