"""The honest ones: a worker that reports steadily, and a prober of the health and of a read. Prints what each felt.

    python -m attack.honest ADDRESS HEALTH FOLDER

One line for each thing done: [when it began, what it was, seconds, error].
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2
from integration.raw_session import Refused, raw_session
from integration.secure_cluster import VIEWER, WORKER

from rungmaster.proto.v1 import experiment_pb2, experiment_pb2_grpc
from rungmaster.shared.net.channel import open_async_channel
from rungmaster.shared.net.credentials import Credentials

#: Seconds between two of the same kind, and until one counts as lost.
PACE, NEW_PACE, PATIENCE_S = 0.05, 0.5, 10.0
CHECK = "/grpc.health.v1.Health/Check"


async def main(address: str, health: str, folder: Path) -> None:
    """Works until SIGTERM."""
    authority = folder / "authority.pem"
    worker, viewer = (Credentials(tls_ca=authority, token=token) for _, _, token in (WORKER, VIEWER))
    anybody = Credentials(tls_ca=authority)
    tasks = [
        asyncio.create_task(_report(address, worker)),
        asyncio.create_task(_probe(address, anybody, viewer)),
        asyncio.create_task(_knock("new check", address, anybody)),
        asyncio.create_task(_knock("probe", health, Credentials())),
    ]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    for task in tasks:
        task.cancel()


def tell(kind: str, began: float, error: str = "") -> None:
    """One line."""
    print(json.dumps([began, kind, time.time() - began, error]), flush=True)


async def timed(kind: str, action: Callable[[], Awaitable[object]]) -> None:
    """Does something once, and tells how that went."""
    began = time.time()
    try:
        await asyncio.wait_for(action(), PATIENCE_S)
    except TimeoutError:
        tell(kind, began, "no answer")
    except grpc.aio.AioRpcError as error:
        tell(kind, began, f"{error.code().name}: {(error.details() or '')[:80]}")
    except Refused as error:
        tell(kind, began, str(error)[:100])
        raise
    else:
        tell(kind, began)


def check(channel: grpc.aio.Channel) -> Awaitable[object]:
    """Asks whether the master serves."""
    answer = health_pb2.HealthCheckResponse.FromString
    method: Any = channel.unary_unary(CHECK, health_pb2.HealthCheckRequest.SerializeToString, answer)
    return method(health_pb2.HealthCheckRequest(), wait_for_ready=True)


async def _report(address: str, credentials: Credentials) -> None:
    """A worker; where its stream breaks it comes back under another lease."""
    number = 0
    while True:
        number += 1
        try:
            async with raw_session(address, f"honest-{number}", credentials=credentials) as session:
                await session.hello()
                await session.take_work()

                async def report(session: object = session) -> None:
                    await session.send(session.measurements(1))  # pyright: ignore[reportAttributeAccessIssue]
                    await session.acknowledged(session.sequence)  # pyright: ignore[reportAttributeAccessIssue]

                while True:
                    await timed("report", report)
                    await asyncio.sleep(PACE)
        except Refused:
            await asyncio.sleep(PACE)


async def _probe(address: str, anybody: Credentials, viewer: Credentials) -> None:
    async with open_async_channel(address, anybody) as open_one, open_async_channel(address, viewer) as known:
        reads = experiment_pb2_grpc.ExperimentServiceStub(known)
        while True:
            await timed("check", lambda: check(open_one))
            await timed("read", lambda: reads.ListExperiments(experiment_pb2.ListExperimentsRequest(page_size=1)))
            await asyncio.sleep(PACE)


async def _knock(kind: str, address: str, anybody: Credentials) -> None:
    """Checks the health by a new connection each time, as most probes do."""

    async def knock() -> None:
        async with open_async_channel(address, anybody) as channel:
            await check(channel)

    while True:
        await timed(kind, knock)
        await asyncio.sleep(NEW_PACE)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
