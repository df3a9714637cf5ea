"""What is large goes through a few at a time, in the order in which it came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from rungmaster.master.services.limits.admission import Admission


async def settle() -> None:
    """Lets everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


class Crowd:
    """Those who want through, by name."""

    def __init__(self, width: int) -> None:
        self.admission = Admission(width)
        self.through: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, size: int) -> None:
        async def enter() -> None:
            await self.admission.enter(size)
            self.through.append(name)

        self.tasks[name] = asyncio.create_task(enter())
        await settle()


async def who_fits_enters_and_the_others_wait_in_line() -> None:
    crowd = Crowd(10)
    for name, size in (("a", 6), ("b", 4), ("c", 5), ("d", 1)):
        await crowd.come(name, size)
    assert crowd.through == ["a", "b"], "nobody overtakes who waits"
    crowd.admission.leave(4)
    await settle()
    assert crowd.through == ["a", "b"]
    crowd.admission.leave(6)
    await settle()
    assert crowd.through == ["a", "b", "c", "d"]


async def who_is_wider_than_the_weir_goes_alone() -> None:
    crowd = Crowd(10)
    await crowd.come("a", 1)
    await crowd.come("wide", 100)
    assert crowd.through == ["a"]
    crowd.admission.leave(1)
    await settle()
    assert crowd.through == ["a", "wide"]
    await crowd.come("b", 1)
    assert crowd.through == ["a", "wide"]
    crowd.admission.leave(100)
    await settle()
    assert crowd.through == ["a", "wide", "b"]


async def who_gives_up_holds_up_nobody() -> None:
    crowd = Crowd(10)
    await crowd.come("a", 6)
    await crowd.come("b", 6)
    await crowd.come("c", 4)
    crowd.tasks["b"].cancel()
    await settle()
    assert crowd.through == ["a", "c"]


async def who_gives_up_when_it_is_let_through_leaves_its_room() -> None:
    crowd = Crowd(10)
    await crowd.come("a", 10)
    await crowd.come("b", 10)
    crowd.admission.leave(10)
    crowd.tasks["b"].cancel()
    await settle()
    await crowd.come("c", 10)
    assert crowd.through == ["a", "c"]


@pytest.mark.parametrize(
    "scenario",
    [
        who_fits_enters_and_the_others_wait_in_line,
        who_is_wider_than_the_weir_goes_alone,
        who_gives_up_holds_up_nobody,
        who_gives_up_when_it_is_let_through_leaves_its_room,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_at_a_weir(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # pyright: ignore[reportArgumentType]
