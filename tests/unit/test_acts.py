"""What people do comes into the audit trail with what it changed, and only then."""

from __future__ import annotations

from typing import Any

import pytest
from unit.master_harness import Master, make_spec
from unit.master_store import plain_blueprint

from rungmaster.master.dispatcher.acts import Actor, AuditedAct, Command, on_experiment, on_worker
from rungmaster.master.dispatcher.core import Core
from rungmaster.master.experiment.changes import ActRow
from rungmaster.shared.errors import FailedPrecondition, Unavailable
from rungmaster.shared.spec.settings import ExperimentSettings

ALICE = Actor("alice", "token", "10.0.0.5")


@pytest.fixture
def master() -> Master:
    return Master()


def do(master: Master, kind: str, command: Command[Any], actor: Actor = ALICE, **data: Any) -> Any:
    act = on_experiment(AuditedAct(kind, actor, "toy", data), command)
    return master.do(lambda core: act(core, master.now))


def submit(master: Master, request_id: str = "") -> int:
    setup = plain_blueprint(make_spec())
    return do(master, "submit", lambda core, _: core.create(setup, request_id))


def acts(master: Master) -> list[ActRow]:
    return master.store.rows.acts


def told(master: Master, kind: str) -> list[dict[str, Any]]:
    return [dict(event.data) for event in master.store.rows.events if event.kind == kind]


def test_an_act_says_who_did_what_to_what_and_from_where(master: Master) -> None:
    assert submit(master) == 1
    do(master, "set", lambda core, _: core.change(1, ExperimentSettings(priority=5)), priority=5)
    assert acts(master) == [
        ActRow(master.wall, "submit", 1, "toy", "alice", "token", "10.0.0.5", {}),
        ActRow(master.wall, "set", 1, "toy", "alice", "token", "10.0.0.5", {"priority": 5}),
    ]


def test_the_journal_says_whose_act_an_entry_is(master: Master) -> None:
    submit(master)
    do(master, "pause", lambda core, _: core.pause(1))
    do(master, "resume", lambda core, _: core.resume(1), Actor(host="127.0.0.1"))
    (paused,), (resumed,) = told(master, "experiment_paused"), told(master, "experiment_active")
    assert (paused["by"], paused["host"]) == ("alice", "10.0.0.5")
    assert (resumed.get("by"), resumed["host"]) == (None, "127.0.0.1")


def test_what_changes_nothing_is_no_act(master: Master) -> None:
    submit(master, "once")
    assert submit(master, "once") == 1
    for _ in range(2):
        do(master, "pause", lambda core, _: core.pause(1))
    do(master, "set", lambda core, _: core.change(1, ExperimentSettings(priority=0)))
    do(master, "cancel", lambda core, _: core.cancel(1))
    with pytest.raises(FailedPrecondition):
        do(master, "cancel", lambda core, _: core.cancel(1))
    assert [act.kind for act in acts(master)] == ["submit", "pause", "cancel"]


def test_an_act_is_committed_with_what_it_changed_or_not_at_all(master: Master) -> None:
    submit(master)
    for fault, kinds in (("before", ["submit"]), ("after", ["submit", "cancel"])):
        master.commit_faults.append(fault)
        with pytest.raises(Unavailable):
            do(master, "cancel", lambda core, _: core.cancel(1))
        assert [act.kind for act in acts(master)] == kinds
        assert (master.experiment().state == "cancelled") == ("cancel" in kinds)


def test_only_what_a_person_did_bears_the_name(master: Master) -> None:
    """In one batch with others."""
    submit(master)
    second = plain_blueprint(make_spec())

    def several(core: Core) -> None:
        core.create(second, "")
        core.pause(2)
        on_experiment(AuditedAct("pause", ALICE, "toy"), lambda core, _: core.pause(1))(core, master.now)

    master.do(several)
    assert [entry.get("by") for entry in told(master, "experiment_paused")] == [None, "alice"]
    assert [(act.kind, act.experiment_id) for act in acts(master)] == [("submit", 1), ("pause", 1)]


def test_a_drain_names_the_worker(master: Master) -> None:
    worker = master.worker("gpu-7")
    drain = on_worker("drain", ALICE, lambda core, now: core.drain(worker.session_id, now))
    master.do(lambda core: drain(core, master.now))
    (act,) = acts(master)
    assert (act.kind, act.experiment_id, act.subject) == ("drain", None, "gpu-7")
    assert act.data == {"session_id": worker.session_id}
