"""Runs training code alone, without master or worker."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...shared.errors import InvalidInput
from ..trial.protocol import Reply, TrialStart, check_has_metric, checked_metrics, checked_resource
from ..trial.seeds import trial_seed
from ..trial.takeover import take_over
from ..trial.trial import Trial


@dataclass(frozen=True, slots=True)
class RecordedReport:
    """One measurement that training code handed in."""

    resource: int
    metrics: dict[str, float]


@dataclass(slots=True)
class _Imitation:
    """Stands in for the worker: collects reports, keeps checkpoints, pauses at the target."""

    begin: TrialStart
    folder: Path
    reports: list[RecordedReport] = field(default_factory=list)
    saved: tuple[int, Path] | None = None

    def start(self) -> TrialStart:
        return self.begin

    def report(self, resource: int, metrics: Mapping[str, float]) -> Reply:
        reached = checked_resource(resource, self.reports[-1].resource if self.reports else self.begin.resource)
        checked = checked_metrics(metrics)
        check_has_metric(self.begin.metric, checked, reached, self.begin.target)
        self.reports.append(RecordedReport(reached, checked))
        done = reached >= self.begin.target
        return Reply("pause" if done else "continue", self.begin.target, save=done)

    def new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="save-", dir=self.folder))

    def checkpoint(self, resource: int, folder: Path) -> None:
        staged = Path(tempfile.mkdtemp(prefix="checkpoint-", dir=self.folder))
        take_over(folder, staged, self.folder)
        self.saved = (resource, staged)

    def invalid(self, reason: str) -> None:
        """Nobody needs to be told: the exception that follows says it."""


def train_alone(
    train: Callable[[Trial], object],
    hparams: Mapping[str, Any],
    target: int,
    *,
    metric: str,
    pauses: Iterable[int] = (),
    experiment_seed: int = 0,
    trial_id: int = 0,
) -> list[RecordedReport]:
    """Trains one trial to `target` (in units) in this process and returns its reports, in order.

    `metric` is the searcher's. At each resource in `pauses` the trial is saved, and goes on from that checkpoint in a
    new call of `train`: reports that differ from those of a run without pauses tell of state that `save` forgets.
    With the experiment's seed and a trial's id and hyperparameters the trial is trained as it was in the search.
    What `train` raises comes through, and `Trial.invalid` as InvalidHparams; InvalidInput for impossible pauses.
    """
    targets = [*sorted(set(pauses)), target]
    if targets[0] < 1 or targets != sorted(set(targets)):
        raise InvalidInput(f"train_alone: needs 0 < pauses < target, got pauses {targets[:-1]} and target {target}")
    reports: list[RecordedReport] = []
    seed = trial_seed(experiment_seed, trial_id)
    with tempfile.TemporaryDirectory(prefix="rungmaster-alone-") as folder:
        saved: tuple[int, Path] | None = None
        for goal in targets:
            if reports and reports[-1].resource >= goal:
                continue
            resource, checkpoint = saved or (0, None)
            path = None if checkpoint is None else str(checkpoint)
            start = TrialStart(dict(hparams), 0, trial_id, seed, resource, goal, metric, path, "alone")
            imitation = _Imitation(start, Path(folder))
            trial = Trial(imitation)
            train(trial)
            trial.check_finished()
            reports += [report for report in imitation.reports if not reports or report.resource > reports[-1].resource]
            saved = imitation.saved
    return reports
