"""Logs of trials between a worker and those who read them: bounded for each, and in nobody's way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from e2e.cluster import free_port, toy_spec

from rungmaster.client import Client
from rungmaster.master.services import callers, errors
from rungmaster.proto.v1 import experiment_pb2
from rungmaster.proto.v1 import worker_pb2 as pb
from rungmaster.proto.v1.experiment_pb2_grpc import ExperimentServiceStub

from .faulty_store import serving
from .raw_session import PATIENCE_S, RawSession, raw_session

CHUNK = b"x" * 32_768


class Printing:
    """A worker whose trial prints without end, and that counts what it was asked."""

    def __init__(self, session: RawSession) -> None:
        self.session = session
        self.asked = 0
        self.acknowledged = 0
        self.news = asyncio.Event()

    async def work(self) -> None:
        while True:
            answer = await self.session.read()
            for known in answer.acknowledgements:
                self.acknowledged = max(self.acknowledged, known.sequence)
            for asked in answer.log_requests:
                self.asked += 1
                chunk = pb.LogChunk(
                    request_id=asked.request_id, position=asked.position, content=CHUNK, more=True, running=True
                )
                await self.session.write(pb.SessionRequest(log_chunks=[chunk]))
            self.news.set()

    async def quiet(self) -> None:
        """Returns once nobody has asked for anything for a moment."""
        while True:
            self.news.clear()
            try:
                await asyncio.wait_for(self.news.wait(), 0.3)
            except TimeoutError:
                return


def playing(tmp_path: Path, story: Callable[[str, Printing, Any], Awaitable[None]], **hello: Any) -> None:
    """A master in this process, and a worker with a lease of trial 0 whose log the story reads."""
    address = f"127.0.0.1:{free_port()}"

    async def play() -> None:
        async with raw_session(address, "printing") as session, grpc.aio.insecure_channel(address) as channel:
            await session.hello(**({"serves_logs": True} | hello))
            await session.take_work()
            printing = Printing(session)
            working = asyncio.create_task(printing.work())
            try:
                await asyncio.wait_for(story(address, printing, ExperimentServiceStub(channel)), 2 * PATIENCE_S)
            finally:
                working.cancel()

    with serving(f"sqlite:///{tmp_path / 'ledger.db'}", address, lambda store: store):
        with Client(address) as client:
            client.submit(toy_spec(tmp_path / "store"))
        asyncio.run(play())


def request(**changes: Any) -> experiment_pb2.ReadTrialLogRequest:
    return experiment_pb2.ReadTrialLogRequest(**({"experiment_id": 1, "trial_id": 0, "follow": True} | changes))


async def content(call: Any, chunks: int) -> None:
    """Reads so many parts of a log."""
    while chunks:
        answer = await call.read()
        chunks -= bool(answer.content)


async def begins(call: Any) -> Any:
    """The first answer; None where the call is refused."""
    try:
        return await call.read()
    except grpc.aio.AioRpcError:
        return None


async def refusal(call: Any) -> tuple[grpc.StatusCode, str]:
    """How a call ends, whatever is left of it."""
    with contextlib.suppress(grpc.aio.AioRpcError):
        while await call.read() is not grpc.aio.EOF:
            pass
    return await call.code(), await call.details()


def test_a_follower_that_does_not_read_is_cut_off_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "STALL_S", 1.0)

    async def story(address: str, printing: Printing, stub: Any) -> None:
        del address
        stalled = stub.ReadTrialLog(request())
        await content(stalled, 1)
        await printing.quiet()
        # What lies between the two of them is what gRPC holds for one call.
        asked = printing.asked
        assert asked * len(CHUNK) < 8 << 20
        other = stub.ReadTrialLog(request())
        await content(other, 200)
        other.cancel()
        await printing.session.send(printing.session.measurements(1))
        while not printing.acknowledged:
            printing.news.clear()
            await printing.news.wait()
        await asyncio.sleep(callers.STALL_S)
        code, details = await refusal(stalled)
        assert (code, details[:8]) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "cut off,")

    playing(tmp_path, story)


def test_one_caller_reads_only_so_many_logs_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(errors.SHARES, "logs", 2)

    async def story(address: str, printing: Printing, stub: Any) -> None:
        del address, printing
        calls = [stub.ReadTrialLog(request()) for _ in range(2)]
        for call in calls:
            await content(call, 1)
        code, details = await refusal(stub.ReadTrialLog(request()))
        assert (code, details[:23]) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "more than 2 logs of one")
        calls[0].cancel()
        # Its place is free, as soon as the master has noticed.
        while (again := stub.ReadTrialLog(request())) and await begins(again) is None:
            pass
        for call in (calls[1], again):
            call.cancel()

    playing(tmp_path, story)


def test_a_worker_answers_only_what_it_is_asked_and_what_is_asked_is_its_own(tmp_path: Path) -> None:
    async def story(address: str, printing: Printing, stub: Any) -> None:
        async with raw_session(address, "other") as other:
            await other.hello(serves_logs=True)
            forged = pb.LogChunk(request_id="forged", content=b"forged", running=True)
            await other.write(pb.SessionRequest(log_chunks=[forged] * 16))
            call = stub.ReadTrialLog(request())
            await content(call, 3)
            call.cancel()
            assert printing.asked >= 3
            # It is there still, and was asked nothing about the log of another's lease.
            await other.take_work()
            assert (other.lease.trial_id, other.lease.token) != (0, 0)

    playing(tmp_path, story)


@pytest.mark.parametrize(
    ("chunks", "why"),
    [
        ([pb.LogChunk(request_id="r", content=b"x" * 65_537)], "log_chunks[0].content: at most 65,536 bytes"),
        ([pb.LogChunk(request_id="r")] * 17, "log_chunks: at most 16 in one message"),
        ([pb.LogChunk(request_id="\x1b")], "log_chunks[0].request_id: it must not have control"),
        ([pb.LogChunk(request_id="r", error="e" * 1_001)], "log_chunks[0].error: it has at most 1,000 characters"),
    ],
)
def test_a_worker_that_says_too_much_of_a_log_is_cut_off(tmp_path: Path, chunks: list[pb.LogChunk], why: str) -> None:
    async def story(address: str, printing: Printing, stub: Any) -> None:
        del printing, stub
        async with raw_session(address, "loud") as loud:
            await loud.hello()
            await loud.write(pb.SessionRequest(log_chunks=chunks))
            refused = await loud.refusal()
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        assert refused.details.startswith(why)

    playing(tmp_path, story)


def test_of_an_older_worker_it_is_said_that_it_gives_no_logs(tmp_path: Path) -> None:
    async def story(address: str, printing: Printing, stub: Any) -> None:
        del address, printing
        call = stub.ReadTrialLog(request(follow=False))
        told = [answer.missing async for answer in call if answer.missing]
        assert told == ["the worker printing runs 0.1, which gives no logs; use a newer one"]

    playing(tmp_path, story, serves_logs=False, version="0.1")


def test_of_a_worker_that_is_away_it_is_said_when_it_was_last_seen(tmp_path: Path) -> None:
    async def story(address: str, printing: Printing, stub: Any) -> None:
        del address
        printing.session.call.cancel()
        told: list[str] = []
        while not told:
            call = stub.ReadTrialLog(request(follow=False))
            told = [answer.missing async for answer in call if "away" in answer.missing]
        assert told[0].startswith("its worker printing is away (last seen ")

    playing(tmp_path, story)
