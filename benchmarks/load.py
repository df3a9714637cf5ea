"""The load generator: worker sessions that speak WorkerService as workers do, at the least cost to themselves.

It runs in the benchmark's own process, on the same machine as what it measures, and takes part of its CPU: the floor
is measured with the same generator, so that ratios are fair where absolute numbers are not.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc

from rungmaster.proto.v1 import experiment_pb2, experiment_pb2_grpc, worker_pb2, worker_pb2_grpc

#: A metric more than the searcher's, as training code has.
METRICS = {"validation_error": 0.25, "accuracy": 0.75}


def spec(max_trials: int, max_resource: int, **searcher: Any) -> dict[str, Any]:
    """An experiment in whose search space nothing is unusual."""
    return {
        "name": "benchmark",
        "entrypoint": "training:train",
        "metric": {"name": "validation_error", "goal": "minimize"},
        "hyperparameters": {
            "learning_rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
            "width": {"type": "int", "low": 8, "high": 512},
            "activation": {"type": "categorical", "choices": ["relu", "tanh"]},
        },
        "searcher": {"name": "asha", "max_trials": max_trials, "max_resource": max_resource, **searcher},
    }


async def create_experiment(address: str, document: dict[str, Any]) -> int:
    """Submits an experiment to a master and gives its number."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = experiment_pb2_grpc.ExperimentServiceStub(channel)
        request = experiment_pb2.CreateExperimentRequest(spec=json.dumps(document))
        answer: Any = await stub.CreateExperiment(request)
        return answer.experiment.experiment_id


#: Streams on one channel, at most: a master takes no more on a connection.
STREAMS = 100


class Session:
    """One worker's stream with one slot."""

    def __init__(self, name: str, stub: worker_pb2_grpc.WorkerServiceStub) -> None:
        self.name = name
        self._stub = stub
        self._call: Any = None
        self._requests = 0
        self.lease = worker_pb2.LeaseRef()
        self.database_id = ""
        self.target = 0
        self.database_id = ""
        self.sent = self.acked = 0
        self._message = worker_pb2.SessionRequest()

    async def hello(self) -> None:
        """Opens the stream."""
        self._call = self._stub.Session()
        hello = worker_pb2.Hello(session_id=self.name, worker=self.name, slots=1, version="benchmark", host="here")
        await self.write(worker_pb2.SessionRequest(hello=hello))
        await self.read()

    async def ask(self) -> int:
        """Asks for work and waits for it; gives the resource from which to train."""
        self._requests += 1
        asked = worker_pb2.WorkRequest(request_id=f"{self.name}-{self._requests}", free_slots=1)
        await self.write(worker_pb2.SessionRequest(work_request=asked))
        while not (answer := await self.read()).assignments:
            pass
        assignment = answer.assignments[0]
        self.lease, self.target = assignment.lease, assignment.target
        self.database_id = assignment.database_id
        self.sent = self.acked = 0
        return assignment.checkpoints[0].resource if assignment.checkpoints else 0

    async def write(self, message: worker_pb2.SessionRequest) -> None:
        """Sends a bundle."""
        await self._call.write(message)

    async def read(self) -> worker_pb2.SessionResponse:
        """The next bundle. Raises RuntimeError where the stream has ended."""
        message = await self._call.read()
        if not isinstance(message, worker_pb2.SessionResponse):
            raise RuntimeError(f"session {self.name} has ended: {await self._call.code()} {await self._call.details()}")
        return message

    def cancel(self) -> None:
        """Ends the stream without a goodbye."""
        if self._call is not None:
            self._call.cancel()

    async def report(self, count: int) -> None:
        """Sends the next `count` measurements in one message, which is made once and then only numbered anew."""
        events = self._message.events
        while len(events) < count:
            measurement = worker_pb2.Measurement(metrics=METRICS)
            events.append(worker_pb2.LeaseEvent(measurement=measurement))
        del events[count:]
        for event in events:
            self.sent += 1
            event.lease.CopyFrom(self.lease)
            event.sequence = event.measurement.resource = self.sent
        await self._call.write(self._message)

    async def pump(self, window: int, count: int, deadline: float) -> int:
        """Keeps `window` messages of `count` reports under way until the deadline: reports acknowledged before it."""
        first = acked = self.acked
        for _ in range(window):
            await self.report(count)
        while self.acked < self.sent:
            for known in (await self.read()).acknowledgements:
                self.acked = known.sequence
            if time.monotonic() < deadline:
                acked = self.acked
                while self.sent - self.acked < window * count:
                    await self.report(count)
        return acked - first


@asynccontextmanager
async def sessions(
    address: str, count: int, channels: int = 4, prefix: str = "session"
) -> AsyncIterator[list[Session]]:
    """Sessions that have said hello, as streams over a few channels, or over as many as they need."""
    channels = max(channels, -(-count // STREAMS))
    opened = [
        grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) for _ in range(channels)
    ]
    stubs = [worker_pb2_grpc.WorkerServiceStub(channel) for channel in opened]
    made = [Session(f"{prefix}-{i}", stubs[i % channels]) for i in range(count)]
    try:
        # In steps, so that no more than a few hundred hellos wait at once.
        for start in range(0, count, 500):
            await asyncio.gather(*(session.hello() for session in made[start : start + 500]))
        yield made
    finally:
        for session in made:
            session.cancel()
        for channel in opened:
            await channel.close()


async def rate(pumping: Sequence[Session], window: int, count: int, seconds: float) -> float:
    """Reports acknowledged in a second, by all sessions together."""
    start = time.monotonic()
    acked = await asyncio.gather(*(session.pump(window, count, start + seconds) for session in pumping))
    return sum(acked) / seconds
