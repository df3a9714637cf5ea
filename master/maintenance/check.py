"""Whether a database is whole: every rule of its rows, and its journal replayed by the real searcher."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ...shared.errors import InvalidInput
from ...shared.spec.spec import Spec, stored_spec
from ...shared.wire.model import ExperimentState
from ..experiment.checking.audit import Rows, audit
from ..experiment.checking.replay import Replay, same_future
from ..experiment.life.early_end import early_end
from ..experiment.life.lifecycle import put_in_force, take_up
from ..ledger.read.inspection import Inspection, inspect_database
from ..search.interface import Goal, NotExtendable
from ..search.registry import searcher_of


@dataclass(slots=True)
class Findings:
    """What a check found, and how much it looked at."""

    experiments: int = 0
    trials: int = 0
    reports: int = 0
    violations: list[str] = field(default_factory=list)


def check_database(url: str) -> Findings:
    """Checks one snapshot of a database, beside its running master or without one.

    Raises InvalidInput, DatabaseError or Unavailable where it cannot be read.
    """
    findings = Findings()
    with inspect_database(url) as inspection:
        findings.violations += inspection.problems()
        findings.reports = inspection.reports()
        for experiment_id in inspection.experiment_ids():
            rows = inspection.rows(experiment_id)
            findings.experiments += 1
            findings.trials += len(rows.trials)
            findings.violations += (f"experiment {experiment_id}: {line}" for line in _check(inspection, rows))
    return findings


def _check(inspection: Inspection, rows: Rows) -> Iterator[str]:
    try:
        spec = stored_spec(rows.experiment.spec, rows.experiment.spec_rules)
    except InvalidInput as error:
        yield f"its spec is refused: {'; '.join(str(error).splitlines())}"
        return
    goal = Goal(spec.metric.goal)
    searcher = searcher_of(spec)
    try:
        put_in_force(searcher, rows.experiment)
    except NotExtendable as error:
        yield f"it was extended to {rows.experiment.max_trials} trials, which its searcher does not allow: {error}"
        return
    yield from audit(rows, searcher, goal)
    yield from _replay(inspection, rows, spec)


def _replay(inspection: Inspection, rows: Rows, spec: Spec) -> Iterator[str]:
    searcher = searcher_of(spec)
    different = list(Replay(searcher).run(inspection.entries(rows.experiment.experiment_id), rows.results))
    yield from different
    if (
        not different
        and rows.experiment.state == ExperimentState.COMPLETED
        and not (searcher.done or _ended_early(rows, spec))
    ):
        yield "it is completed, and the search that its journal tells goes on"
    if not different and not ExperimentState(rows.experiment.state).ended:
        restored = searcher_of(spec)
        kept = {row.trial_id for row in rows.checkpoints if row.delete_time is None}
        take_up(restored, rows.experiment, rows.trials, rows.results, kept)
        if difference := same_future(searcher, restored):
            yield difference


def _ended_early(rows: Rows, spec: Spec) -> bool:
    """Whether the search ended by its spec's `stop`."""
    sign = Goal(spec.metric.goal).sign
    ranks = ((sign * t.best_metric, t.trial_id, t.best_resource) for t in rows.trials if t.best_metric is not None)
    return bool(early_end(spec, rows.experiment, min(ranks, default=None), rows.experiment.end_time or 0.0))
