"""`Trial` as training code uses it, tried with `train_alone`: no master, no worker, no socket."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rungmaster.shared.errors import FailedPrecondition, InvalidInput
from rungmaster.worker.testing import RecordedReport, train_alone
from rungmaster.worker.trial.seeds import trial_seed
from rungmaster.worker.trial.trial import InvalidHparams, Trial


def alone(train: Callable[[Trial], object], target: int = 3, **options: Any) -> list[RecordedReport]:
    return train_alone(train, {"rate": 0.5}, target, metric="loss", **options)


class Sum:
    """Training whose whole state is one number."""

    def __init__(self) -> None:
        self.total = 0.0
        self.saves = 0
        self.loads = 0

    def save(self, folder: Path) -> None:
        self.saves += 1
        (folder / "total").write_text(str(self.total))

    def load(self, folder: Path) -> None:
        self.loads += 1
        self.total = float((folder / "total").read_text())


def summing(trial: Trial) -> None:
    state = Sum()
    for step in trial.steps(state.save, state.load):
        state.total += trial.hparams["rate"] * (step + 1)
        trial.report(loss=state.total)


def test_each_step_is_reported_at_its_number_plus_one() -> None:
    assert [report.resource for report in alone(summing)] == [1, 2, 3]


def test_a_trial_that_was_paused_on_the_way_reports_the_same() -> None:
    assert alone(summing, 9, pauses=(1, 3)) == alone(summing, 9)


def test_without_save_and_load_a_paused_trial_begins_again() -> None:
    begun: list[int] = []

    def train(trial: Trial) -> None:
        begun.append(trial.resource)
        for step in trial.steps():
            trial.report(loss=step)

    assert [report.resource for report in alone(train, 5, pauses=(2,))] == [1, 2, 3, 4, 5]
    assert begun == [0, 0]


def test_state_that_save_forgets_shows_as_a_difference() -> None:
    def train(trial: Trial) -> None:
        state, momentum = Sum(), 0.0
        for _ in trial.steps(state.save, state.load):
            momentum = momentum / 2 + 1
            state.total += momentum
            trial.report(loss=state.total)

    assert alone(train, 4, pauses=(2,)) != alone(train, 4)


def test_save_and_load_are_called_only_when_they_are_needed() -> None:
    states: list[Sum] = []

    def train(trial: Trial) -> None:
        states.append(Sum())
        for _ in trial.steps(states[-1].save, states[-1].load):
            trial.report(loss=1)

    alone(train, 5, pauses=(2,))
    assert [(state.saves, state.loads) for state in states] == [(1, 0), (1, 1)]


def test_a_loop_of_ones_own_sees_the_decisions() -> None:
    def train(trial: Trial) -> None:
        state = Sum()
        if trial.checkpoint:
            state.load(trial.checkpoint)
        while not trial.ended:
            state.total += 1
            answer = trial.report(trial.resource + 10, loss=state.total)
            if answer.save:
                trial.save(state.save)

    reports = alone(train, 40, pauses=(20,))
    assert [(report.resource, report.metrics["loss"]) for report in reports] == [(10, 1), (20, 2), (30, 3), (40, 4)]


def test_a_step_may_stand_for_more_than_one_unit() -> None:
    steps: list[int] = []

    def train(trial: Trial) -> None:
        for step in trial.steps():
            steps.append(step)
            trial.report(step + 100, loss=1)

    assert [report.resource for report in alone(train, 250)] == [100, 200, 300]
    assert steps == [0, 100, 200]


def test_steps_below_the_target_need_no_report() -> None:
    def train(trial: Trial) -> None:
        for step in trial.steps():
            if (step + 1) % 3 == 0:
                trial.report(loss=step)

    assert [report.resource for report in alone(train, 6)] == [3, 6]


def test_numbers_of_other_libraries_are_numbers() -> None:
    numpy = pytest.importorskip("numpy")

    def train(trial: Trial) -> None:
        trial.report(numpy.int64(3), loss=numpy.float32(0.5), best=numpy.array(2), diverged=numpy.nan)

    (report,) = alone(train)
    assert (report.metrics["loss"], report.metrics["best"]) == (0.5, 2.0)
    assert math.isnan(report.metrics["diverged"])


def test_the_seed_is_the_trials_own_and_fits_every_library() -> None:
    seeds: list[int] = []

    def train(trial: Trial) -> None:
        seeds.append(trial.seed)
        summing(trial)

    for trial_id in (3, 3, 4):
        alone(train, experiment_seed=1, trial_id=trial_id)
    assert seeds[0] == seeds[1] == trial_seed(1, 3) != seeds[2]
    assert all(0 <= trial_seed(-5, trial_id) < 2**31 for trial_id in range(1_000))


def test_invalid_hyperparameters_end_the_training() -> None:
    def train(trial: Trial) -> None:
        try:
            trial.invalid("too wide")
        except Exception:  # noqa: BLE001 - as training code may do
            pytest.fail("an ordinary except clause must not hold it up")

    with pytest.raises(InvalidHparams, match="too wide") as caught:
        alone(train)
    assert caught.value.reason == "too wide"


def no_report(trial: Trial) -> None:
    for _ in trial.steps():
        pass


def leaves_early(trial: Trial) -> None:
    for _ in trial.steps():
        trial.report(loss=1)
        return


def leaves_before_saving(trial: Trial) -> None:
    for _ in trial.steps(lambda folder: None, lambda folder: None):
        if trial.report(loss=1).ends:
            return


def goes_on(trial: Trial) -> None:
    for _ in trial.steps():
        trial.report(loss=1)
    trial.report(4, loss=1)


def outside(trial: Trial) -> None:
    trial.report(loss=1)


def two_loops(trial: Trial) -> None:
    for _ in trial.steps():
        trial.report(loss=1)
    trial.steps()


def writes_nothing(trial: Trial) -> None:
    for _ in trial.steps(lambda folder: None, lambda folder: None):
        trial.report(loss=1)


@pytest.mark.parametrize(
    ("train", "complaint"),
    [
        (no_report, r"step 2 reached the target \(3\) without a report.*trial.report\(loss=…\)"),
        (leaves_early, r"ended at resource 1, before its target \(3\)"),
        (leaves_before_saving, "left before the paused trial could be saved"),
        (goes_on, r"the trial is over \(pause\)"),
        (outside, "outside a step of steps"),
        (two_loops, "one loop of steps"),
        (writes_nothing, "nothing was written"),
    ],
)
def test_what_a_trial_cannot_do_now_is_refused(train: Callable[[Trial], object], complaint: str) -> None:
    with pytest.raises(FailedPrecondition, match=complaint):
        alone(train)


@pytest.mark.parametrize(
    ("report", "complaint"),
    [
        (lambda trial: trial.report(3, los=1), "'loss' is missing at resource 3.*got los"),
        (lambda trial: trial.report(3), "'loss' is missing at resource 3.*got no metrics"),
        (lambda trial: trial.report(1, loss="0.5"), "loss must be a number, got '0.5' .str."),
        (lambda trial: trial.report(1, loss=None), "loss must be a number, got 'None'"),
        (lambda trial: trial.report(1, loss=True), "loss must be a number, got 'True' .bool."),
        (lambda trial: trial.report(1, loss=1j), "loss must be a number"),
        (lambda trial: trial.report(1.5, loss=1), "whole number of units, got 1.5"),
        (lambda trial: trial.report(0, loss=1), "must grow from report to report, got 0 after 0"),
        (lambda trial: trial.report(2**63, loss=1), "must be at most"),
        (lambda trial: trial.report(1, **{"": 1}), "1 to 100 characters"),
        (lambda trial: trial.report(1, **{"x" * 101: 1}), "1 to 100 characters"),
        (lambda trial: trial.report(1, **{f"m{i}": i for i in range(101)}), "at most 100 in one report, got 101"),
        (lambda trial: trial.steps(save=lambda folder: None), "both save and load"),
    ],
)
def test_what_is_wrong_in_itself_is_refused(report: Callable[[Trial], object], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        alone(report)


def test_a_resource_that_goes_back_is_refused() -> None:
    def train(trial: Trial) -> None:
        trial.report(2, loss=1)
        trial.report(1, loss=1)

    with pytest.raises(InvalidInput, match="got 1 after 2"):
        alone(train)


@pytest.mark.parametrize("pauses", [(0,), (3,), (4,), (-1, 2)])
def test_pauses_that_cannot_be_are_refused(pauses: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="0 < pauses < target"):
        alone(summing, 3, pauses=pauses)


def test_outside_a_worker_there_is_no_trial_to_connect_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNGMASTER_SOCKET", raising=False)
    with pytest.raises(FailedPrecondition, match=r"not started by a Rungmaster worker.*train_alone"):
        Trial.connect()
