"""How deletions of checkpoints are shared out over the workers, and what becomes of those that fail."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rungmaster.master.dispatcher.upkeep.deletions import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    OUTSTANDING,
    PATIENCE_S,
    Deletions,
    pause_after,
)

WORKERS = ("a", "b", "c")


def uris(number: int, store: str = "store") -> list[str]:
    """Addresses of so many checkpoints in one store."""
    return [f"{store}/1/{n}/1-1-ab" for n in range(number)]


def test_deletions_are_shared_out_over_the_workers() -> None:
    asked = Deletions(uris(30)).ask(WORKERS, 0.0)
    assert {worker: len(given) for worker, given in asked.items()} == dict.fromkeys(WORKERS, 10)
    assert sorted(uri for given in asked.values() for uri in given) == sorted(uris(30))


def test_a_few_deletions_at_a_time_are_not_always_asked_of_the_same_worker() -> None:
    deletions, asked = Deletions([]), Counter[str]()
    for uri in uris(9):
        deletions.add([uri])
        asked.update(deletions.ask(WORKERS, 0.0).keys())
    assert asked == dict.fromkeys(WORKERS, 3)


def test_a_worker_is_asked_for_no_more_than_it_can_have_outstanding() -> None:
    deletions = Deletions(uris(1_000))
    (asked,) = deletions.ask(["a"], 0.0).values()
    assert len(asked) == OUTSTANDING
    assert deletions.ask(["a"], 1.0) == {}
    deletions.done("a", asked[0])
    assert len(deletions.ask(["a"], 1.0)["a"]) == 1


def test_a_worker_that_is_slow_gets_less() -> None:
    deletions, done = Deletions(uris(500)), Counter[str]()
    for second in range(50):
        for worker, asked in deletions.ask(["slow", "fast"], second).items():
            for uri in asked if worker == "fast" else ():
                done[worker] += deletions.done(worker, uri)
    assert done["fast"] == 500 - OUTSTANDING


def test_what_fails_is_tried_elsewhere_next() -> None:
    deletions = Deletions(uris(1))
    ((first, (uri,)),) = deletions.ask(WORKERS, 0.0).items()
    deletions.failed(first, uri, "Stale file handle", 0.0)
    ((second, _),) = deletions.ask(WORKERS, FIRST_PAUSE_S).items()
    assert second != first
    assert deletions.done(second, uri)


def test_what_fails_with_the_only_worker_there_is_is_tried_there_again_with_growing_pauses() -> None:
    deletions, times, now = Deletions(uris(1)), [0.0], 0.0
    while len(times) < 12:
        for uri in deletions.ask(["a"], now).get("a", ()):
            times.append(now)
            deletions.failed("a", uri, "Permission denied", now)
        now += 1.0
    pauses = [after - before for before, after in pairwise(times[1:])]
    assert pauses == [pause_after(n) for n in range(1, 11)]
    assert pauses[-1] == LONGEST_PAUSE_S


def test_a_store_that_is_away_is_asked_for_by_one_deletion_at_a_time_until_it_is_back() -> None:
    deletions, tries = Deletions(uris(1_000)), Counter[float]()
    for second in range(600):
        for worker, asked in deletions.ask(WORKERS, second).items():
            for uri in asked:
                tries[second] += 1
                deletions.failed(worker, uri, "No such device", second)
    del tries[0]
    assert sum(tries.values()) < 30
    back = sum(len(deletions.ask(WORKERS, now)) for now in range(600, 900))
    assert back >= len(WORKERS)


def test_after_one_deletion_that_goes_well_a_worker_gets_as_many_as_before() -> None:
    deletions = Deletions(uris(100))
    for uri in deletions.ask(["a"], 0.0)["a"]:
        deletions.failed("a", uri, "No such device", 0.0)
    (probe,) = deletions.ask(["a"], 10.0)["a"]
    assert deletions.ask(["a"], 11.0) == {}
    deletions.done("a", probe)
    assert len(deletions.ask(["a"], 11.0)["a"]) == OUTSTANDING


def test_a_store_that_is_away_does_not_keep_what_lies_in_another() -> None:
    deletions = Deletions(uris(5, "away") + uris(5, "here"))
    asked = [uri for given in deletions.ask(["a"], 0.0).values() for uri in given]
    for uri in asked:
        if uri.startswith("away"):
            deletions.failed("a", uri, "No such device", 0.0)
        else:
            deletions.done("a", uri)
    deletions.add(["here/2/0/1-1-ab"])
    assert deletions.ask(["a"], 0.0) == {"a": ["here/2/0/1-1-ab"]}


def test_what_is_not_answered_in_time_is_asked_elsewhere_and_the_silent_one_gets_no_more_in_its_place() -> None:
    deletions = Deletions(uris(OUTSTANDING))
    (stuck,) = deletions.ask(["silent"], 0.0).values()
    asked = deletions.ask(["silent", "other"], PATIENCE_S + FIRST_PAUSE_S) or deletions.ask(
        ["silent", "other"], PATIENCE_S + 2 * FIRST_PAUSE_S
    )
    assert set(asked) == {"other"}
    assert sorted(asked["other"]) == sorted(stuck)
    deletions.add(["store/9/9/1-1-ab"])
    assert deletions.done("other", stuck[0])
    assert "silent" not in deletions.ask(["silent"], 10 * PATIENCE_S)


def test_a_late_answer_of_a_worker_that_was_asked_counts_and_one_of_another_does_not() -> None:
    deletions = Deletions(uris(1))
    ((_, (uri,)),) = deletions.ask(["late"], 0.0).items()
    deletions.ask(["other"], PATIENCE_S)
    deletions.ask(["other"], PATIENCE_S + FIRST_PAUSE_S)
    assert not deletions.done("stranger", uri)
    assert deletions.done("late", uri)
    assert not deletions.done("other", uri)


def test_what_a_worker_that_has_gone_was_asked_for_is_asked_of_the_others_at_once() -> None:
    deletions = Deletions(uris(9))
    deletions.ask(["gone"], 0.0)
    deletions.ask_others("gone")
    assert sum(map(len, deletions.ask(WORKERS, 0.0).values())) == 9


def test_people_see_what_a_worker_cannot_delete_until_it_can() -> None:
    deletions = Deletions(uris(1, "s3://bucket/db"))
    ((_, (uri,)),) = deletions.ask(["a"], 0.0).items()
    deletions.failed("a", uri, "Access denied", 0.0)
    (told,) = deletions.trouble_of("a", 1.0)
    assert told == "cannot delete checkpoints in s3://bucket/db: Access denied (tried again in 1 s)"
    assert deletions.trouble_of("b", 1.0) == []
    deletions.ask(["a"], 5.0)
    deletions.done("a", uri)
    assert deletions.trouble_of("a", 6.0) == []


class AnyOrder(RuleBasedStateMachine):
    """Workers that delete, fail, fall silent and go, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.deletions = Deletions([])
        self.now = 0.0
        self.added: set[str] = set()
        self.deleted: set[str] = set()
        #: What each has not answered; to be asked again for what it is at changes nothing.
        self.asked: dict[str, dict[str, None]] = {worker: {} for worker in WORKERS}

    @rule(number=st.integers(1, 60), store=st.sampled_from(["x", "y"]))
    def add(self, number: int, store: str) -> None:
        new = [f"{store}/1/{len(self.added) + n}/1-1-ab" for n in range(number)]
        self.deletions.add(new)
        self.added.update(new)

    @rule(seconds=st.sampled_from([0.0, 1.0, 5.0, PATIENCE_S, LONGEST_PAUSE_S]))
    def ask(self, seconds: float) -> None:
        self.now += seconds
        for worker, uris in self.deletions.ask(WORKERS, self.now).items():
            self.asked[worker] |= dict.fromkeys(uris)

    @rule(worker=st.sampled_from(WORKERS), well=st.booleans(), number=st.integers(1, OUTSTANDING))
    def answer(self, worker: str, well: bool, number: int) -> None:
        for uri in list(self.asked[worker])[:number]:
            del self.asked[worker][uri]
            if not well:
                self.deletions.failed(worker, uri, "no", self.now)
            elif self.deletions.done(worker, uri):
                assert uri not in self.deleted
                self.deleted.add(uri)

    @rule(worker=st.sampled_from(WORKERS))
    def leave(self, worker: str) -> None:
        self.deletions.forget(worker)
        self.asked[worker].clear()

    @invariant()
    def no_worker_has_too_much(self) -> None:
        assert all(len(asked) <= OUTSTANDING for asked in self.asked.values())

    def teardown(self) -> None:
        """Once all goes well, everything is deleted."""
        for _ in range(len(self.added) + 10):
            self.ask(LONGEST_PAUSE_S)
            for worker in WORKERS:
                self.answer(worker, well=True, number=OUTSTANDING)
        assert self.deleted == self.added
        assert not self.deletions.due(self.now + LONGEST_PAUSE_S)


TestAnyOrder = AnyOrder.TestCase
