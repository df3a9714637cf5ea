"""Slots go to trials in the order in which they came; those of a trial that is about to end are given away ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.worker.seats import Seat, Seats, Ticket
from rungmaster.worker.slots import Slots


def with_seats(count: int, story: Callable[[Seats, Slots], None], devices: tuple[str, ...] = ()) -> None:
    async def run() -> None:
        slots = Slots(count, devices)
        story(Seats(slots), slots)

    asyncio.run(run())


def seated(ticket: Ticket | None) -> Seat:
    assert ticket is not None
    assert ticket.taken is not None
    return ticket.taken


def test_free_slots_are_taken_at_once_with_their_devices() -> None:
    def story(seats: Seats, slots: Slots) -> None:
        assert seated(seats.admit(2)) == Seat((0, 1), ("5", "6"))
        assert seats.offered == 1

    with_seats(3, story, devices=("5", "6", "7"))


@pytest.mark.parametrize("wanted", [0, 3])
def test_nobody_is_admitted_without_a_prospect_of_slots(wanted: int) -> None:
    with_seats(2, lambda seats, slots: _assert(seats.admit(wanted) is None))


def _assert(condition: bool) -> None:
    assert condition


def test_the_slots_of_a_trial_that_is_about_to_end_are_offered_once() -> None:
    def story(seats: Seats, slots: Slots) -> None:
        ending = seats.admit(1)
        assert ending is not None
        assert seats.offered == 0
        seats.leaving(ending)
        assert seats.offered == 1
        follower = seats.admit(1)
        assert follower is not None
        assert follower.taken is None, "it has to wait until the process is gone"
        assert seats.offered == 0
        assert seats.admit(1) is None
        seats.leave(ending)
        assert seated(follower).slots == (0,)

    with_seats(1, story)


def test_a_trial_that_stays_longer_than_thought_promises_nothing_any_more() -> None:
    def story(seats: Seats, slots: Slots) -> None:
        ending = seats.admit(1)
        assert ending is not None
        seats.leaving(ending)
        waiting = seats.admit(1)
        assert waiting is not None
        seats.give_up(waiting)
        seats.stays(ending)
        assert seats.offered == 0
        seats.leave(ending)
        assert waiting.taken is None, "what was given back stays given back"
        assert slots.free == 1

    with_seats(1, story)


def test_nobody_overtakes_a_trial_that_waits_for_more_slots() -> None:
    def story(seats: Seats, slots: Slots) -> None:
        first, second = seats.admit(1), seats.admit(1)
        assert first is not None
        assert second is not None
        for ticket in (first, second):
            seats.leaving(ticket)
        wide = seats.admit(2)
        assert wide is not None
        seats.leave(first)
        assert seats.admit(1) is None
        seats.leave(second)
        assert seated(wide).slots == (0, 1)

    with_seats(2, story)


@given(st.lists(st.tuples(st.sampled_from(["admit", "leaving", "stays", "give_up", "leave"]), st.integers(0, 9))))
def test_slots_are_never_given_twice_and_never_lost(steps: list[tuple[str, int]]) -> None:
    def story(seats: Seats, slots: Slots) -> None:
        here: list[Ticket] = []
        for step, number in steps:
            if step == "admit":
                ticket = seats.admit(1 + number % 3)
                here += [ticket] if ticket else []
            elif here:
                ticket = here[number % len(here)]
                getattr(seats, step)(ticket)
                if step == "leave":
                    here.remove(ticket)
            taken = [slot for ticket in here if ticket.taken for slot in ticket.taken.slots]
            assert len(taken) == len(set(taken))
            assert len(taken) + slots.free == slots.count
        for ticket in here:
            seats.leave(ticket)
        assert slots.free == slots.count
        assert seats.waiting == 0

    with_seats(4, story)
