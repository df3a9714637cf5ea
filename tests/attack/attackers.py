"""The attacks, each by its name. Prints what the attacker was told.

python -m attack.attackers NAME ADDRESS FOLDER SECONDS SOURCE EXPERIMENT
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
from integration.raw_session import PATIENCE_S, RawSession, Refused, raw_session

from rungmaster.proto.v1 import experiment_pb2, experiment_pb2_grpc, worker_pb2
from rungmaster.shared.net.channel import open_async_channel
from rungmaster.shared.net.credentials import Credentials

from .http2 import RawConnection
from .scene import NOSY, ROGUE

CHECK = "/grpc.health.v1.Health/Check"
#: As many events as fit below 4 MiB where next to nothing is in them: a sequence, and a measurement of nothing.
EMPTY_EVENTS = b"\x1a\x04\x10\x01\x1a\x00" * 699_040


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to attack, for how long, from which address, and who one is."""

    address: str
    authority: Path
    seconds: float
    source: str
    experiment_id: int

    def credentials(self, caller: tuple[str, str, str]) -> Credentials:
        """What this caller shows."""
        return Credentials(tls_ca=self.authority, token=caller[2])


Told = Counter[str]


async def one_message(target: Target, told: Told) -> None:
    """One message below 4 MiB with 699,040 empty events."""
    await _empty_events(target, told, "rogue-0")


async def four_messages(target: Target, told: Told) -> None:
    """The same from four streams at once."""
    await asyncio.gather(*(_empty_events(target, told, f"rogue-{number}") for number in range(4)))


async def _empty_events(target: Target, told: Told, name: str) -> None:
    async with open_async_channel(target.address, target.credentials(ROGUE)) as channel:
        call = channel.stream_stream("/rungmaster.v1.WorkerService/Session")()
        hello = worker_pb2.Hello(session_id=name, worker=name, slots=1)
        await call.write(worker_pb2.SessionRequest(hello=hello).SerializeToString())
        await call.read()
        with contextlib.suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
            await call.write(EMPTY_EVENTS)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await call.read()
        told[f"{(await call.code()).name}: {await call.details()}"] += 1


async def large_reports(target: Target, told: Told) -> None:
    """Messages of 2,000 events with 100 metrics each, from four streams, as fast as they are taken."""
    await asyncio.gather(*(_reports(target, told, f"rogue-{number}", 2_000, 100) for number in range(4)))


async def many_values(target: Target, told: Told) -> None:
    """Messages as large as they may be, of 500 events with 100 metrics each, from four streams, without a rest."""
    await asyncio.gather(*(_reports(target, told, f"rogue-{number}", 500, 100) for number in range(4)))


async def _reports(target: Target, told: Told, name: str, events: int, metrics: int) -> None:
    until = time.monotonic() + target.seconds
    values = {f"m{number}": number / 7 for number in range(metrics - 2)}
    async with raw_session(target.address, name, credentials=target.credentials(ROGUE)) as session:
        await session.hello()
        await session.take_work()
        reading = asyncio.create_task(_read_on(session, told))
        sent = 0
        while time.monotonic() < until and not reading.done():
            bundle = session.measurements(events)
            for event in bundle:
                event.measurement.metrics.update(values)
            # Not by the session's own `write`, which reads where the stream is broken: that is done already.
            with contextlib.suppress(Exception):
                await session.call.write(worker_pb2.SessionRequest(events=bundle))
                sent += 1
        told[f"{name}: {sent} messages sent"] += 1
        session.call.cancel()
        await asyncio.wait((reading,))


async def _read_on(session: RawSession, told: Told) -> None:
    try:
        while True:
            await session.read()
    except (Refused, TimeoutError) as ended:
        told[str(ended) or f"nothing for {PATIENCE_S:.0f} s"] += 1


async def half_open(target: Target, told: Told) -> None:
    """Without a token: 22,500 calls of Health/Check over four connections, begun and never said."""

    def attack() -> None:
        connections = [_connection(target) for _ in range(4)]
        for _ in range(57):
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.open_calls(CHECK, 100)
            time.sleep(0.05)
        time.sleep(target.seconds)
        _tell_connections(connections, told)

    await asyncio.to_thread(attack)


async def silent(target: Target, told: Told) -> None:
    """1,100 connections on which nothing is ever said."""
    host, _, port = target.address.rpartition(":")
    opened: list[socket.socket] = []
    for _ in range(1_100):
        try:
            opened.append(socket.create_connection((host, int(port)), 5, (target.source, 0) if target.source else None))
        except OSError as error:
            told[f"connect: {error}"] += 1
            break
    await asyncio.sleep(target.seconds)
    for one in opened:
        one.setblocking(False)
        try:
            told["closed by the master" if not one.recv(1) else "answered"] += 1
        except BlockingIOError:
            told["still open"] += 1
        except OSError as error:
            told[str(error)] += 1
        one.close()


async def resets(target: Target, told: Told) -> None:
    """Calls of Health/Check that are begun and taken back at once, as many as one process can."""

    def attack() -> None:
        until = time.monotonic() + target.seconds
        connections: list[RawConnection] = []
        lock = threading.Lock()

        def flood() -> None:
            while time.monotonic() < until:
                try:
                    connection = _connection(target)
                except OSError as error:
                    with lock:
                        told[f"connect: {type(error).__name__}"] += 1
                    time.sleep(0.05)
                    continue
                connections.append(connection)
                with contextlib.suppress(OSError):
                    while time.monotonic() < until and not connection.ended.is_set():
                        connection.open_and_reset_calls(CHECK, 1_000)
                        with lock:
                            told["calls begun"] += 1_000

        threads = [threading.Thread(target=flood) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        _tell_connections(connections, told)

    await asyncio.to_thread(attack)


def _connection(target: Target) -> RawConnection:
    return RawConnection(target.address, target.authority, target.source)


def _tell_connections(connections: list[RawConnection], told: Told) -> None:
    for connection in connections:
        told["connections"] += 1
        told["connections that the master ended"] += connection.ended.is_set()
        told["calls answered"] += connection.answered
        told["calls reset"] += connection.reset
        if connection.goodbye:
            told[f"goodbye: {connection.goodbye}"] += 1
        connection.close()


async def all_watches(target: Target, told: Told) -> None:
    """A viewer opens 1,100 watches and holds them."""
    await _watch(target, told, 1_100, 0, channels=11)


async def long_journal(target: Target, told: Told) -> None:
    """200 watchers of a journal of 50,000 events, from its begin."""
    await _watch(target, told, 200, 0, channels=4, whole=50_000)


async def _watch(target: Target, told: Told, count: int, after: int, channels: int, whole: int = 0) -> None:
    until = time.monotonic() + target.seconds
    opened = [open_async_channel(target.address, target.credentials(NOSY)) for _ in range(channels)]
    stubs = [experiment_pb2_grpc.ExperimentServiceStub(channel) for channel in opened]
    request = experiment_pb2.WatchExperimentRequest(experiment_id=target.experiment_id, after_event_id=after)

    async def one(number: int) -> None:
        call = stubs[number % channels].WatchExperiment(request)
        seen = 0
        try:
            while (left := until - time.monotonic()) > 0:
                answer = await asyncio.wait_for(call.read(), left)
                told["events read"] += len(getattr(answer, "events", ()))
                seen += len(getattr(answer, "events", ()))
                if whole and seen >= whole:
                    told[f"had seen all after {time.monotonic() - until + target.seconds:.0f} s"] += 1
                    break
        except TimeoutError:
            told["held until the end"] += 1
        except grpc.aio.AioRpcError as error:
            told[f"{error.code().name}: {error.details()}"] += 1
        call.cancel()

    await asyncio.gather(*map(one, range(count)))
    for channel in opened:
        await channel.close()


ATTACKS: dict[str, Callable[[Target, Told], Awaitable[None]]] = {
    attack.__name__.replace("_", "-"): attack
    for attack in (
        one_message,
        four_messages,
        large_reports,
        many_values,
        half_open,
        silent,
        resets,
        all_watches,
        long_journal,
    )
}


async def main(name: str, address: str, folder: str, seconds: str, source: str, experiment: str) -> None:
    """Attacks, and prints what the attacker was told."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    told: Told = Counter()
    target = Target(address, Path(folder) / "authority.pem", float(seconds), source, int(experiment))
    await ATTACKS[name](target, told)
    for line, count in sorted(told.items()):
        print(f"{count:,} × {line}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
