"""Waiting for a store: what is logged, what is shown, and when it ends."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from rungmaster.shared.errors import Unavailable
from rungmaster.shared.wire.session import CheckpointRef
from rungmaster.worker.checkpoints import outages
from rungmaster.worker.checkpoints import store as store_module
from rungmaster.worker.checkpoints.outages import Outages, StillAway
from rungmaster.worker.checkpoints.store import CheckpointStore


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "_FIRST_S", 0.001)
    monkeypatch.setattr(outages, "_LONGEST_S", 0.001)


class World:
    """A clock that each attempt moves on, and a store that answers at a time."""

    def __init__(self, back_at: float = 0.0, takes: float = 1.0) -> None:
        self.time, self.back_at, self.takes = 0.0, back_at, takes
        self.shown: list[str] = []
        self.outages = Outages(lambda: self.shown.append(self.outages.text), lambda: self.time)

    async def attempt(self) -> str:
        self.time += self.takes
        if self.time < self.back_at:
            raise Unavailable("it cannot be written") from OSError(errno.ESTALE, "Stale file handle")
        return "done"

    def bridge(self, attempt: Callable[[], Awaitable[str]] | None = None, *, wanted: bool = True) -> Awaitable[str]:
        unwanted = asyncio.Event()
        if not wanted:
            unwanted.set()
        return self.outages.bridge("ck", attempt or self.attempt, unwanted)


def run(story: Callable[[], Awaitable[str]]) -> str:
    async def begin() -> str:
        return await story()

    return asyncio.run(begin())


def test_a_store_that_answers_is_not_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World()
    assert run(world.bridge) == "done"
    assert (world.shown, caplog.messages) == ([], [])


def test_an_outage_is_shown_from_its_beginning_to_its_end() -> None:
    world = World(back_at=5)
    assert run(world.bridge) == "done"
    began = "the checkpoint store 'ck' does not answer since 0 s: [Errno 116] Stale file handle"
    assert world.shown == [began, ""]


def test_a_long_outage_is_logged_ever_more_rarely_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World(back_at=500)
    run(world.bridge)
    times = [message.split("since ")[1].split(" s")[0] for message in caplog.messages[:-1]]
    assert times == ["0", "30", "90", "210", "450"]
    assert caplog.messages[-1] == "the checkpoint store 'ck' answers again, after 499 s"


def test_one_of_many_that_wait_does_not_end_the_outage_for_the_others(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World(back_at=20)

    async def together() -> str:
        patient = asyncio.ensure_future(world.bridge())
        with pytest.raises(StillAway, match="does not answer since"):
            await world.bridge(wanted=False)
        assert world.outages.text, "the other one still waits"
        return await patient

    assert run(together) == "done"
    assert len(world.shown) == 2
    assert len([message for message in caplog.messages if "since 0 s" in message]) == 1


def test_nobody_waits_for_what_is_not_wanted(caplog: pytest.LogCaptureFixture) -> None:
    world = World(back_at=5)
    with pytest.raises(StillAway, match=r"does not answer since 0 s: .*Stale file handle"):
        run(lambda: world.bridge(wanted=False))
    assert world.outages.text == ""
    assert "answers again" not in caplog.text


def test_a_store_that_hangs_is_shown_and_left_alone_once_nobody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "SILENCE_S", 0.01)
    world = World()

    async def story() -> str:
        unwanted, shown = asyncio.Event(), asyncio.Event()
        waiting = Outages(shown.set, lambda: world.time)
        world.time = 12
        hanging = asyncio.ensure_future(waiting.bridge("ck", asyncio.Event().wait, unwanted))
        await shown.wait()
        world.time = 24
        assert waiting.text == "a load or a save in the checkpoint store 'ck' is still under way after 12 s"
        unwanted.set()
        with pytest.raises(StillAway, match="still under way"):
            await hanging
        return waiting.text

    assert run(story) == ""


def test_what_takes_long_is_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "SILENCE_S", 0.01)
    begun: list[None] = []

    async def story() -> str:
        shown, done = asyncio.Event(), asyncio.Event()
        waiting = Outages(shown.set)

        async def attempt() -> str:
            begun.append(None)
            await done.wait()
            return "done"

        slow = asyncio.ensure_future(waiting.bridge("ck", attempt, asyncio.Event()))
        await shown.wait()
        done.set()
        return await slow

    assert run(story) == "done"
    assert len(begun) == 1


def test_what_is_no_outage_is_not_tried_again() -> None:
    world = World()

    async def broken() -> str:
        world.time += 1
        raise ValueError("no outage")

    with pytest.raises(ValueError, match="no outage"):
        run(lambda: world.bridge(broken))
    assert world.time == 1


def test_a_disk_that_has_no_room_for_what_is_loaded_is_no_outage_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(checkpoint: CheckpointRef, folder: Path, directory: Path) -> None:
        folder.mkdir()
        raise Unavailable("cannot be read") from OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module, "fetch", full)
    with pytest.raises(OSError, match="No space left on device"):
        CheckpointStore(tmp_path).load("there", [CheckpointRef("there/1/1/1-1-ab", 1, "")], tmp_path / "loaded")
    assert not (tmp_path / "loaded").exists()
