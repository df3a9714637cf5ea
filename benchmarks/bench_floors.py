"""What this machine can do at most: bare gRPC and bare databases, without Rungmaster.

Streams: the messages of WorkerService over grpc.aio, each answered by one message, 64 streams, one or ten reports a
message. Unary: the same message as a call, one at a time and 64 under way. SQLite: WAL, synchronous=FULL, through
Python's sqlite3 alone, rows as the table of reports has them. PostgreSQL: COPY through psycopg, fsync on.

How it could mislead: the load generator shares the machine, and a disk that lies about fsync makes commits look cheap.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc
from google.protobuf.empty_pb2 import Empty

import load
import processes
from figures import Figure, Result, quantile
from floor_server import UNARY
from rungmaster.proto.v1 import worker_pb2

ROW = (1, 7, 1, '{"validation_error":0.25,"accuracy":0.75}', 1.7e9)
TABLE = (
    "CREATE TABLE reports (experiment_id INTEGER, trial_id INTEGER, token INTEGER, sequence BIGINT, resource BIGINT, "
    "metrics TEXT, receive_time DOUBLE PRECISION, PRIMARY KEY (experiment_id, trial_id, token, sequence))"
)


@dataclass(frozen=True, slots=True)
class Size:
    seconds: float = 2.0
    streams: int = 64
    postgresql: bool = True


def _report() -> worker_pb2.SessionRequest:
    measurement = worker_pb2.Measurement(resource=1, metrics=load.METRICS)
    lease = worker_pb2.LeaseRef(experiment_id=1, trial_id=1, token=1)
    return worker_pb2.SessionRequest(events=[worker_pb2.LeaseEvent(lease=lease, sequence=1, measurement=measurement)])


async def _unary(address: str, at_once: int, seconds: float) -> list[float]:
    """Seconds that each of the calls took."""
    taken: list[float] = []
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary(
            UNARY,
            request_serializer=worker_pb2.SessionRequest.SerializeToString,
            response_deserializer=Empty.FromString,
        )

        async def caller() -> None:
            while (start := time.monotonic()) < deadline:
                await call(_report())
                taken.append(time.monotonic() - start)

        deadline = time.monotonic() + seconds
        await asyncio.gather(*(caller() for _ in range(at_once)))
    return taken


async def _grpc(size: Size) -> list[Figure]:
    figures = []
    with processes.floor() as server:
        async with load.sessions(server.address, size.streams) as sessions:
            for window, count in ((1, 1), (8, 1), (1, 10), (8, 10)):
                await load.rate(sessions, window, count, 0.2)
                rate = await load.rate(sessions, window, count, size.seconds)
                name = f"{size.streams} echo streams, window {window}, {count} a message"
                figures.append(Figure(name, rate, "reports/s"))
        for at_once in (1, size.streams):
            taken = await _unary(server.address, at_once, size.seconds)
            figures.append(Figure(f"unary, {at_once} under way", len(taken) / size.seconds, "calls/s"))
            if at_once == 1:
                figures.append(Figure("unary round trip, p50", quantile(taken, 0.5) * 1e3, "ms", False))
    return figures


def _rate(commit: Callable[[int], None], rows: int, seconds: float) -> float:
    """Rows a second when `commit(first)` makes `rows` rows durable."""
    start, done = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        commit(done)
        done += rows
    return done / (time.monotonic() - start)


def _sqlite(rows: int, seconds: float) -> float:
    with processes.sqlite() as path:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(TABLE + " WITHOUT ROWID")

        def commit(first: int) -> None:
            connection.execute("BEGIN IMMEDIATE")
            values = [(*ROW[:3], first + i, first + i, *ROW[3:]) for i in range(rows)]
            connection.executemany("INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            connection.execute("COMMIT")

        rate = _rate(commit, rows, seconds)
        connection.close()
    return rate


def _postgresql(url: str, rows: int, seconds: float) -> float:
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS reports")
        connection.execute(TABLE.encode())

        def commit(first: int) -> None:
            with connection.cursor().copy("COPY reports FROM STDIN") as copy:
                for i in range(rows):
                    copy.write_row((*ROW[:3], first + i, first + i, *ROW[3:]))
            connection.commit()

        return _rate(commit, rows, seconds)


def measure(size: Size) -> Result:
    result = Result("floors", __doc__ or "", asyncio.run(_grpc(size)))
    for rows in (1, 100):
        rate = _sqlite(rows, size.seconds)
        result.figures.append(Figure(f"SQLite, {rows} a commit", rate, "rows/s"))
    if size.postgresql:
        with processes.postgresql() as url:
            for rows in (1, 100):
                rate = _postgresql(url, rows, size.seconds)
                result.figures.append(Figure(f"PostgreSQL COPY, {rows} a commit", rate, "rows/s"))
    return result


FULL = Size()
QUICK = Size(0.1, 4, postgresql=False)
