"""A session is of who opened it, before and after the master starts anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rungmaster.master.dispatcher.core import Core
from rungmaster.master.dispatcher.sessions.owners import SessionOwner, SessionOwners
from rungmaster.shared.errors import PermissionDenied
from rungmaster.shared.wire.session import Hello

from .master_harness import LEASE_TTL, Line, Master, make_spec

SECRET, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
HELLO = Hello("known", "gpu-7", 1, secret=SECRET)


@pytest.mark.parametrize(
    ("hello", "identity"),
    [
        (replace(HELLO, secret=OTHER), "gpu"),
        (replace(HELLO, secret=""), "gpu"),
        (HELLO, "another"),
        (HELLO, ""),
        (replace(HELLO, secret=OTHER), "another"),
    ],
    ids=["another secret", "no secret", "another token", "no token", "another of both"],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_a_session_is_opened_again_by_its_own_worker_only(hello: Hello, identity: str, restarted: bool) -> None:
    master = Master()
    master.submit(make_spec())
    connect(master, HELLO, "gpu")
    if restarted:
        master.restart()
    with pytest.raises(PermissionDenied, match="session known was opened "):
        connect(master, hello, identity)
    connect(master, replace(HELLO, worker="by another name"), "gpu")


def test_who_is_refused_changes_nothing_for_the_worker_that_is_there() -> None:
    master = Master()
    master.submit(make_spec())
    worker = master.worker()
    assignment = worker.work()
    own = worker.hello(assignment.lease)
    master.restart()
    line = Line()
    connect(master, replace(own, secret=SECRET), "", line)
    with pytest.raises(PermissionDenied):
        connect(master, replace(own, secret=OTHER), "")
    assert not line.closed
    assert master.lease(assignment.lease).end_time is None


def test_the_session_of_an_older_worker_that_brought_no_secret_is_bound_once_it_brings_one() -> None:
    owners = SessionOwners({"known": SessionOwner("", "")})
    owners.admit(HELLO, "gpu")
    with pytest.raises(PermissionDenied):
        owners.admit(replace(HELLO, secret=OTHER), "gpu")


def test_a_session_that_is_over_stays_its_workers() -> None:
    master = Master()
    connect(master, HELLO, "gpu")
    master.advance(2 * LEASE_TTL)
    assert "known" not in master.core.sessions
    with pytest.raises(PermissionDenied):
        connect(master, replace(HELLO, secret=OTHER), "gpu")


def test_people_see_whose_token_a_worker_has_beside_the_name_that_it_gives_itself() -> None:
    master = Master()
    connect(master, HELLO, "gpu")
    (shown,) = master.core.workers(master.now)
    assert (shown.worker, shown.identity) == ("gpu-7", "gpu")
    assert SECRET not in repr(shown) + repr(HELLO) + repr(master.store.rows.workers)


def test_a_worker_holds_no_more_leases_than_it_has_slots_whatever_it_claims() -> None:
    master = Master()
    master.submit(make_spec())
    worker = master.worker(slots=2)
    held = [worker.ask(free_slots=1_000) for _ in range(5)]
    assert [assignment is not None for assignment in held] == [True, True, False, False, False]
    (shown,) = master.core.workers(master.now)
    assert shown.waiting_reason == "its slots are taken by leases that have not ended"


def test_what_was_told_to_pause_makes_room_for_as_many_leases_again_and_no_more() -> None:
    master = Master()
    master.submit(make_spec())
    worker = master.worker(slots=1)
    first = worker.work()
    decided(worker.report(first, first.target, 1.0))
    second = worker.work()
    decided(worker.report(second, second.target, 1.0))
    assert worker.ask() is None, "two leases are held, and it has one slot"
    assert worker.exit(first).assignments


def decided(decision: object) -> None:
    assert decision is not None


def connect(master: Master, hello: Hello, identity: str, line: Line | None = None) -> None:
    def act(core: Core) -> None:
        core.connect(hello, line or Line(), master.now, identity)

    master.do(act)
