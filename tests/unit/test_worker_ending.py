"""When a training process that is to end has taken too long."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import Decision, DecisionKind
from rungmaster.worker.assignment.ending import ENDING_PATIENCE_S, STOP_PATIENCE_S, may_be_of_the_worker, overdue

PAUSE = Decision(LeaseRef(1, 1, 1), 0, DecisionKind.PAUSE)
STOP = Decision(LeaseRef(1, 1, 1), 0, DecisionKind.STOP)
STOP_WITH_SAVE = Decision(LeaseRef(1, 1, 1), 0, DecisionKind.STOP, save_checkpoint=True)
ALL = [PAUSE, STOP, STOP_WITH_SAVE]


@dataclass
class Told:
    knows: bool = True
    disobeys: bool = False
    busy: bool = False
    pace_s: float = 0.0


@pytest.mark.parametrize("decision", ALL)
def test_a_process_that_goes_on_reporting_has_its_time_from_the_decision(decision: Decision) -> None:
    assert overdue(decision, STOP_PATIENCE_S - 0.1, Told(disobeys=True)) is None
    assert "goes on reporting" in (overdue(decision, STOP_PATIENCE_S, Told(disobeys=True)) or "")


@pytest.mark.parametrize("decision", ALL)
def test_a_silent_process_may_save_but_not_for_ever(decision: Decision) -> None:
    assert overdue(decision, ENDING_PATIENCE_S - 0.1, Told()) is None
    assert "has not ended" in (overdue(decision, ENDING_PATIENCE_S, Told()) or "")


@pytest.mark.parametrize("decision", [PAUSE, STOP_WITH_SAVE])
def test_a_process_with_something_to_save_may_finish_a_step_of_the_usual_length(decision: Decision) -> None:
    assert overdue(decision, 599.0, Told(knows=False, pace_s=300.0)) is None
    assert overdue(decision, 600.0, Told(knows=False, pace_s=300.0))
    assert overdue(decision, STOP_PATIENCE_S, Told(knows=False, pace_s=1.0))


def test_a_process_with_nothing_to_save_may_not() -> None:
    assert overdue(STOP, STOP_PATIENCE_S, Told(knows=False, pace_s=300.0))


def test_time_in_which_the_worker_takes_a_checkpoint_over_is_not_the_processs() -> None:
    assert overdue(PAUSE, 10 * ENDING_PATIENCE_S, Told(busy=True)) is None


@pytest.mark.parametrize("code", [-15, -2, -1, 143, 130])
def test_an_end_by_signal_may_be_the_workers_also_while_the_process_saves(code: int) -> None:
    assert may_be_of_the_worker(code, knows=False)
    assert may_be_of_the_worker(code, knows=True)


@pytest.mark.parametrize("code", [0, 1, 3])
def test_an_early_end_may_be_the_workers_until_the_process_was_told(code: int) -> None:
    assert may_be_of_the_worker(code, knows=False)
    assert not may_be_of_the_worker(code, knows=True)


@pytest.mark.parametrize("code", [-9, -11, -6])
def test_a_crash_is_not_the_workers(code: int) -> None:
    assert not may_be_of_the_worker(code, knows=False)
