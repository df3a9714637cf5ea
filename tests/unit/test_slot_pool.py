"""Slots go to trials in the order in which they came; those of a trial that is about to end are given away ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.worker.slots.slot_pool import GrantedSlots, SlotPool, SlotRequest


def with_slots(count: int, story: Callable[[SlotPool], None], devices: tuple[str, ...] = ()) -> None:
    async def run() -> None:
        story(SlotPool(count, devices))

    asyncio.run(run())


def granted(slot_request: SlotRequest | None) -> GrantedSlots:
    assert slot_request is not None
    assert slot_request.taken is not None
    return slot_request.taken


def test_free_slots_are_taken_at_once_with_their_devices() -> None:
    def story(slot_pool: SlotPool) -> None:
        assert granted(slot_pool.admit(2)) == GrantedSlots((0, 1), ("5", "6"))
        assert slot_pool.offered == 1

    with_slots(3, story, devices=("5", "6", "7"))


def test_the_lowest_slots_are_given_first() -> None:
    def story(slot_pool: SlotPool) -> None:
        first, second = slot_pool.admit(2), slot_pool.admit(1)
        assert (granted(first).slots, granted(second).slots) == ((0, 1), (2,))
        assert first is not None
        slot_pool.leave(first)
        assert slot_pool.free == 3
        assert granted(slot_pool.admit(3)).slots == (0, 1, 3)

    with_slots(4, story)


def test_slots_given_back_twice_count_once() -> None:
    def story(slot_pool: SlotPool) -> None:
        first = slot_pool.admit(1)
        assert first is not None
        slot_pool.leave(first)
        slot_pool.leave(first)
        assert slot_pool.free == 2
        assert granted(slot_pool.admit(1)).slots == (0,)
        slot_pool.leave(first)
        assert slot_pool.free == 1, "nor are they those of whoever has them now"

    with_slots(2, story)


def test_a_worker_has_at_least_one_slot() -> None:
    with pytest.raises(ValueError, match="at least 1 slot, got 0"):
        SlotPool(0)


@pytest.mark.parametrize(
    ("count", "devices", "behind"),
    [(2, ("0", "1"), [("0", "1")]), (4, ("0", "1"), [("0", "1"), ("0", "1")]), (3, ("0", "1"), [("0", "1"), ("0",)])],
)
def test_each_slot_stands_for_a_gpu_and_more_slots_share_them(
    count: int, devices: tuple[str, ...], behind: list[tuple[str, ...]]
) -> None:
    def story(slot_pool: SlotPool) -> None:
        assert [granted(slot_pool.admit(min(2, slot_pool.free))).devices for _ in behind] == behind

    with_slots(count, story, devices)


def test_the_slots_of_one_trial_may_stand_for_one_gpu_and_without_gpus_for_none() -> None:
    def sharing(slot_pool: SlotPool) -> None:
        assert granted(slot_pool.admit(1)).slots == (0,)
        odd = slot_pool.admit(1), slot_pool.admit(1), slot_pool.admit(1)
        assert [granted(each).devices for each in odd] == [("1",), ("0",), ("1",)]
        for each in (odd[0], odd[2]):
            assert each is not None
            slot_pool.leave(each)
        assert granted(slot_pool.admit(2)) == GrantedSlots((1, 3), ("1",))

    with_slots(4, sharing, ("0", "1"))
    with_slots(2, lambda slot_pool: _assert(granted(slot_pool.admit(1)).devices is None))


@pytest.mark.parametrize("wanted", [0, 3])
def test_nobody_is_admitted_without_a_prospect_of_slots(wanted: int) -> None:
    with_slots(2, lambda slot_pool: _assert(slot_pool.admit(wanted) is None))


def _assert(condition: bool) -> None:
    assert condition


def test_the_slots_of_a_trial_that_is_about_to_end_are_offered_once() -> None:
    def story(slot_pool: SlotPool) -> None:
        ending = slot_pool.admit(1)
        assert ending is not None
        assert slot_pool.offered == 0
        slot_pool.leaving(ending)
        assert slot_pool.offered == 1
        follower = slot_pool.admit(1)
        assert follower is not None
        assert follower.taken is None, "it has to wait until the process is gone"
        assert slot_pool.offered == 0
        assert slot_pool.admit(1) is None
        slot_pool.leave(ending)
        assert granted(follower).slots == (0,)

    with_slots(1, story)


def test_a_trial_that_stays_longer_than_thought_promises_nothing_any_more() -> None:
    def story(slot_pool: SlotPool) -> None:
        ending = slot_pool.admit(1)
        assert ending is not None
        slot_pool.leaving(ending)
        waiting = slot_pool.admit(1)
        assert waiting is not None
        slot_pool.give_up(waiting)
        slot_pool.stays(ending)
        assert slot_pool.offered == 0
        slot_pool.leave(ending)
        assert waiting.taken is None, "what was given back stays given back"
        assert slot_pool.free == 1

    with_slots(1, story)


def test_nobody_overtakes_a_trial_that_waits_for_more_slots() -> None:
    def story(slot_pool: SlotPool) -> None:
        first, second = slot_pool.admit(1), slot_pool.admit(1)
        assert first is not None
        assert second is not None
        for slot_request in (first, second):
            slot_pool.leaving(slot_request)
        wide = slot_pool.admit(2)
        assert wide is not None
        slot_pool.leave(first)
        assert slot_pool.admit(1) is None
        slot_pool.leave(second)
        assert granted(wide).slots == (0, 1)

    with_slots(2, story)


@given(st.lists(st.tuples(st.sampled_from(["admit", "leaving", "stays", "give_up", "leave"]), st.integers(0, 9))))
def test_slots_are_never_given_twice_and_never_lost(steps: list[tuple[str, int]]) -> None:
    def story(slot_pool: SlotPool) -> None:
        here: list[SlotRequest] = []
        for step, number in steps:
            if step == "admit":
                slot_request = slot_pool.admit(1 + number % 3)
                here += [slot_request] if slot_request else []
            elif here:
                slot_request = here[number % len(here)]
                getattr(slot_pool, step)(slot_request)
                if step == "leave":
                    here.remove(slot_request)
            taken = [slot for slot_request in here if slot_request.taken for slot in slot_request.taken.slots]
            assert len(taken) == len(set(taken))
            assert len(taken) + slot_pool.free == slot_pool.count
        for slot_request in here:
            slot_pool.leave(slot_request)
        assert slot_pool.free == slot_pool.count
        assert slot_pool.waiting == 0

    with_slots(4, story)
