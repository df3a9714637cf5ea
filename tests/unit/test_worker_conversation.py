"""What a worker answers its training process, whatever comes first: the report, the decision or the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import Decision, DecisionKind, Measurement
from rungmaster.worker.assignment.conversation import Conversation
from rungmaster.worker.trial.protocol import TrialStart

LEASE = LeaseRef(1, 2, 3)
PAUSE = Decision(LEASE, 0, DecisionKind.PAUSE)
START = TrialStart({"rate": 0.5}, 1, 2, 5, 0, 3, "loss", None, "test")


class Talk:
    """A conversation whose measurements are kept in a list."""

    def __init__(self, *, full_disk: bool = False, ends_at: float = 0.0) -> None:
        self.full_disk = full_disk
        self.measured: list[Measurement] = []
        self.taken: list[tuple[int, Path]] = []
        self.conversation = Conversation(
            START, self.record, self.take, lambda: False, lambda: 0.0, ends_search=lambda loss: loss == ends_at
        )

    async def record(self, measurement: Measurement) -> int:
        self.measured.append(measurement)
        return len(self.measured)

    async def take(self, resource: int, folder: Path) -> None:
        if self.full_disk:
            raise OSError(28, "No space left on device")
        self.taken.append((resource, folder))

    async def ask(self, **request: Any) -> dict[str, Any]:
        return await self.conversation.handle(json.dumps(request).encode())

    async def report(self, resource: int) -> dict[str, Any]:
        return await self.ask(op="report", resource=resource, metrics={"loss": 1.0})


Reply = asyncio.Task[dict[str, Any]]


async def waiting(request: Coroutine[Any, Any, dict[str, Any]]) -> Reply:
    """The request as a task that has got as far as the master's decision; nothing else makes it wait."""
    task = asyncio.create_task(request)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    return task


def test_a_report_below_the_target_is_answered_at_once() -> None:
    talk = Talk()
    assert asyncio.run(talk.report(2)) == {"decision": "continue", "target": 3, "save": False}


def test_a_report_at_the_target_waits_for_its_own_decision() -> None:
    async def story() -> None:
        talk = Talk()
        await talk.report(1)
        reply = await waiting(talk.report(3))
        talk.conversation.decide(Decision(LEASE, 1, DecisionKind.CONTINUE, target=3))
        await asyncio.sleep(0)
        assert not reply.done(), "the decision on an earlier report, come again, is not meant"
        talk.conversation.decide(Decision(LEASE, 2, DecisionKind.CONTINUE, target=9))
        assert await reply == {"decision": "continue", "target": 9, "save": False}

    asyncio.run(story())


def test_a_report_that_ends_the_search_waits_for_its_decision_below_the_target() -> None:
    async def story() -> None:
        talk = Talk(ends_at=1.0)
        reply = await waiting(talk.report(1))
        talk.conversation.decide(Decision(LEASE, 1, DecisionKind.PAUSE))
        assert await reply == {"decision": "pause", "target": 3, "save": True}

    asyncio.run(story())


def test_a_trial_that_goes_on_is_asked_once_for_the_checkpoint_that_the_master_wants() -> None:
    async def story() -> None:
        talk = Talk()
        reply = await waiting(talk.report(3))
        talk.conversation.decide(Decision(LEASE, 1, DecisionKind.CONTINUE, target=9, save_checkpoint=True))
        assert await reply == {"decision": "continue", "target": 9, "save": True}
        assert await talk.report(4) == {"decision": "continue", "target": 9, "save": False}

    asyncio.run(story())


def test_a_wish_of_the_master_answers_the_next_report() -> None:
    async def story() -> None:
        talk = Talk()
        talk.conversation.decide(PAUSE)
        assert await talk.report(1) == {"decision": "pause", "target": 3, "save": True}

    asyncio.run(story())


def test_a_wish_taken_back_in_time_has_no_effect() -> None:
    async def story() -> None:
        talk = Talk()
        talk.conversation.decide(PAUSE)
        talk.conversation.decide(Decision(LEASE, 0, DecisionKind.CONTINUE, target=3))
        assert (await talk.report(1))["decision"] == "continue"

    asyncio.run(story())


def test_a_wish_also_ends_the_waiting_at_the_target() -> None:
    async def story() -> None:
        talk = Talk()
        reply = await waiting(talk.report(3))
        talk.conversation.decide(PAUSE)
        assert (await reply)["decision"] == "pause"

    asyncio.run(story())


def test_after_the_end_nothing_can_be_reported_but_a_checkpoint_can_be_saved() -> None:
    async def story() -> None:
        talk = Talk()
        talk.conversation.decide(PAUSE)
        await talk.report(1)
        assert "was told to pause" in (await talk.report(2))["error"]
        assert await talk.ask(op="checkpoint", resource=1, path="/folder") == {"ok": True}
        assert talk.taken == [(1, Path("/folder"))]

    asyncio.run(story())


def test_a_full_disk_is_nobodys_fault() -> None:
    async def story() -> None:
        talk = Talk(full_disk=True)
        assert "No space left on device" in (await talk.ask(op="checkpoint", resource=1, path="/folder"))["error"]
        assert talk.conversation.environment_reason is not None
        assert talk.conversation.fault_reason is None

    asyncio.run(story())


def test_what_was_refused_was_not_measured() -> None:
    async def story() -> None:
        talk = Talk()
        await talk.report(2)
        for resource in (2, 1, 0, -1, True, None, 2.5, 2**63):
            assert "resource" in (await talk.ask(op="report", resource=resource, metrics={"loss": 1}))["error"]
        assert "'loss' is missing" in (await talk.ask(op="report", resource=3, metrics={}))["error"]
        assert [measurement.resource for measurement in talk.measured] == [2]

    asyncio.run(story())
