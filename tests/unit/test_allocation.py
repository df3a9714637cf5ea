"""The order in which experiments are offered a worker, and which worker a big trial waits for."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from rungmaster.master.dispatcher.scheduling.allocation import Demand, FairQueue, Offer, Reservations, fits_labels


def demand(number: int, priority: int = 0, weight: float = 1.0, in_use: int = 0, **labels: str) -> Demand:
    return Demand(number, priority, weight, slots=1, slots_in_use=in_use, labels=labels)


def line_of(listed: Iterable[Demand]) -> FairQueue:
    line = FairQueue()
    for each in listed:
        line.put(each)
    return line


def order(listed: Iterable[Demand], waiting: int | None = None) -> list[Demand]:
    return list(line_of(listed).offered(waiting))


def offer(session: str, **labels: str) -> Offer:
    return Offer(session, free_slots=1, capacity=4, labels=labels)


demands = st.lists(
    st.builds(
        Demand,
        st.integers(1, 100),
        st.integers(-2, 2),
        st.sampled_from([0.5, 1.0, 3.0]),
        st.integers(1, 4),
        st.integers(0, 20),
        st.just({}),
    ),
    unique_by=lambda d: d.experiment_id,
)


def test_priority_comes_before_fairness_and_fairness_before_age() -> None:
    listed = [demand(4), demand(3, in_use=5), demand(2, in_use=5, weight=10), demand(1, priority=1, in_use=99)]
    assert [d.experiment_id for d in order(listed)] == [1, 4, 2, 3]


def test_the_experiment_for_which_a_worker_is_kept_free_comes_first_among_its_equals() -> None:
    listed = [demand(1), demand(2, in_use=3), demand(3, priority=1)]
    assert [d.experiment_id for d in order(listed, waiting=2)] == [3, 2, 1]


@given(demands)
def test_the_order_does_not_depend_on_how_the_experiments_are_listed(listed: list[Demand]) -> None:
    ordered = order(listed)
    assert ordered == order(reversed(listed))
    assert sorted(ordered, key=lambda d: -d.priority) == ordered


@given(demands, st.integers(1, 100), st.data())
def test_it_offers_what_stands_in_it_at_that_moment(listed: list[Demand], waiting: int, data: st.DataObject) -> None:
    line, offered = line_of(listed), []
    for each in line.offered(waiting):
        offered.append(each)
        if data.draw(st.booleans(), "it has nothing"):
            line.drop(each.experiment_id)
    assert offered == order(listed, waiting)
    assert sorted(each.experiment_id for each in offered) == sorted(each.experiment_id for each in listed)


def test_an_experiment_that_took_slots_moves_back() -> None:
    line = line_of([demand(1), demand(2)])
    line.put(demand(1, in_use=1))
    assert [each.experiment_id for each in line.offered()] == [2, 1]
    line.drop(2)
    assert 2 not in line
    assert [each.experiment_id for each in line.offered()] == [1]


def test_a_worker_needs_every_label_that_is_asked_for() -> None:
    wanted = demand(1, gpu="a100", zone="b")
    assert fits_labels(wanted, offer("s", gpu="a100", zone="b", rack="1"))
    assert not fits_labels(wanted, offer("s", gpu="a100"))
    assert not fits_labels(wanted, offer("s", gpu="a100", zone="c"))
    assert fits_labels(demand(1), offer("s"))


def test_an_experiment_waits_for_one_worker_and_a_worker_for_one_experiment() -> None:
    reservations = Reservations({1: "a"})
    assert reservations.may_reserve(demand(1), offer("a"))
    assert not reservations.may_reserve(demand(1), offer("b"))
    assert not reservations.may_reserve(demand(2), offer("a"))
    assert reservations.may_reserve(demand(2), offer("b"))


def test_reservations_that_lead_nowhere_end() -> None:
    reservations = Reservations({1: "a", 2: "b", 3: "c"})
    reservations.keep(lambda experiment, session: experiment != 1 and session != "c")
    assert reservations.by_experiment == {2: "b"}
