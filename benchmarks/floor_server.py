"""The floors: gRPC servers that do nothing but answer, or store and answer. Their messages are those of WorkerService.

The bare echo answers every bundle of events at once by one acknowledgement, with nothing stored, checked or decided:
what any master in Python over grpc.aio must do at the least. A bare unary call is there for the other way to carry a
report. With the path of a database as its argument it is the durable echo: it puts the events as they came into one
SQLite table, by a thread and with one commit for all that waited, and answers after that. No master that keeps its
promise does less.
Started by `processes.floor`; prints its address when it serves.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import sys

import grpc
from google.protobuf.empty_pb2 import Empty

from rungmaster.proto.v1 import worker_pb2, worker_pb2_grpc

UNARY = "/benchmarks.Floor/Report"


_trials = itertools.count()


class Echo(worker_pb2_grpc.WorkerServiceServicer):
    async def Session(self, request_iterator: object, context: grpc.aio.ServicerContext) -> None:  # noqa: N802, ARG002
        while isinstance(request := await context.read(), worker_pb2.SessionRequest):
            await context.write(_answer(request))


class DurableEcho(worker_pb2_grpc.WorkerServiceServicer):
    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for statement in (
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "CREATE TABLE events (experiment INTEGER, trial INTEGER, token INTEGER, sequence INTEGER, event BLOB, "
            "PRIMARY KEY (experiment, trial, token, sequence)) WITHOUT ROWID",
        ):
            self._connection.execute(statement)
        self._waiting: list[tuple[worker_pb2.SessionRequest, asyncio.Queue[worker_pb2.SessionResponse]]] = []
        self._filled = asyncio.Event()

    async def Session(self, request_iterator: object, context: grpc.aio.ServicerContext) -> None:  # noqa: N802, ARG002
        answers: asyncio.Queue[worker_pb2.SessionResponse] = asyncio.Queue()
        writing = asyncio.create_task(_write(answers, context))
        try:
            while isinstance(request := await context.read(), worker_pb2.SessionRequest):
                if request.events:
                    self._waiting.append((request, answers))
                    self._filled.set()
                else:
                    answers.put_nowait(_answer(request))
        finally:
            writing.cancel()

    async def commit(self) -> None:
        """Stores what waits, again and again; each stream is answered once for all of it."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            batch, self._waiting = self._waiting, []
            await asyncio.to_thread(self._store, [request for request, _ in batch])
            for answers, request in {answers: request for request, answers in batch}.items():
                answers.put_nowait(_answer(request))

    def _store(self, requests: list[worker_pb2.SessionRequest]) -> None:
        rows = [_row(event) for request in requests for event in request.events]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
        self._connection.execute("COMMIT")


async def _write(answers: asyncio.Queue[worker_pb2.SessionResponse], context: grpc.aio.ServicerContext) -> None:
    while True:
        await context.write(await answers.get())


def _row(event: worker_pb2.LeaseEvent) -> tuple[int, int, int, int, bytes]:
    lease = event.lease
    return lease.experiment_id, lease.trial_id, lease.token, event.sequence, event.SerializeToString()


def _answer(request: worker_pb2.SessionRequest) -> worker_pb2.SessionResponse:
    if request.events:
        last = request.events[-1]
        known = worker_pb2.Acknowledgement(lease=last.lease, sequence=last.sequence)
        return worker_pb2.SessionResponse(acknowledgements=[known])
    if request.HasField("work_request"):
        lease = worker_pb2.LeaseRef(experiment_id=1, trial_id=next(_trials), token=1)
        return worker_pb2.SessionResponse(assignments=[worker_pb2.Assignment(lease=lease, target=1)])
    return worker_pb2.SessionResponse(welcome=worker_pb2.Welcome(term=1))


async def _report(request: worker_pb2.SessionRequest, context: grpc.aio.ServicerContext) -> Empty:  # noqa: ARG001
    return Empty()


async def serve(database: str | None) -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    committing = None
    if database is None:
        worker_pb2_grpc.add_WorkerServiceServicer_to_server(Echo(), server)
    else:
        durable = DurableEcho(database)
        worker_pb2_grpc.add_WorkerServiceServicer_to_server(durable, server)
        committing = asyncio.create_task(durable.commit())
    unary = grpc.unary_unary_rpc_method_handler(
        _report,  # pyright: ignore[reportArgumentType] - grpc.aio takes coroutines
        request_deserializer=worker_pb2.SessionRequest.FromString,
        response_serializer=Empty.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("benchmarks.Floor", {"Report": unary}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"ready on 127.0.0.1:{port}", flush=True)
    await (committing or server.wait_for_termination())


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)  # as the master has it
    asyncio.run(serve(sys.argv[1] if len(sys.argv) > 1 else None))
