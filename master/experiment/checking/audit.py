"""What must hold of an experiment's stored rows, whatever happened to its master and its workers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ....shared.limits import MAX_TOTAL
from ....shared.wire.model import ExperimentState, TrialState
from ....shared.wire.session import ExitOutcome
from ...search.interface import BracketPlan, Goal, Searcher
from ..changes import BracketRow, CheckpointRow, ExperimentRow, LeaseRow, RungResultRow, RungRow, ThinningRow, TrialRow

#: How far the tokens of all live trials are advanced when a database was restored from a backup.
TOKEN_STEP = 1000
_WORKERS_WORD = {outcome.value for outcome in ExitOutcome}
_MASTERS_WORD = {"expired", "cancelled"}


@dataclass(frozen=True, slots=True)
class Contents:
    """What was recorded under one lease: numbers of rows, their sequence numbers, the furthest reported resource."""

    reports: int = 0
    checkpoints: int = 0
    first_sequence: int = 0
    last_sequence: int = 0
    resource: int = 0


@dataclass(slots=True)
class Rows:
    """Every stored row of one experiment, but for reports, which are many, and the journal. Trials by number."""

    experiment: ExperimentRow
    brackets: Sequence[BracketRow]
    rungs: Sequence[RungRow]
    results: Sequence[RungResultRow]
    trials: Sequence[TrialRow]
    leases: Sequence[LeaseRow]
    checkpoints: Sequence[CheckpointRow]
    #: By trial and token.
    contents: Mapping[tuple[int, int], Contents]
    #: How many journal entries of each kind there are.
    journal: Mapping[str, int] = field(default_factory=dict)
    #: None where its reports were never thinned.
    thinning: ThinningRow | None = None
    #: Whether it has ended and some of its trials, leases and checkpoints are still to follow.
    ending: bool = False


def audit(rows: Rows, searcher: Searcher, goal: Goal) -> Iterator[str]:
    """Each rule that is broken, as a sentence. `searcher` is that of the experiment's spec, by what is in force."""
    yield from _experiment(rows, min(searcher.expected_cost().full, MAX_TOTAL))
    yield from _brackets(rows, searcher.plan)
    yield from _rungs(rows, goal)
    yield from _climbs(rows)
    yield from _leases(rows)
    yield from _sequences(rows)
    yield from _states(rows)
    yield from _checkpoints(rows)
    yield from _lineage(rows)
    yield from _journal(rows)


def _experiment(rows: Rows, full: int) -> Iterator[str]:
    row = rows.experiment
    counted = Counter(trial.state for trial in rows.trials)
    kept = {state: number for state, number in row.counts.items() if number}
    if kept != dict(counted):
        yield f"its counts say {kept}, its trials {dict(counted)}"
    if (row.end_time is not None) != ExperimentState(row.state).ended:
        yield f"it is {row.state} with end_time {row.end_time}"
    starts = sum(trial.start_resource for trial in rows.trials)
    spent = min(sum(_furthest(rows).values()) - starts, MAX_TOTAL)
    if row.resource_spent != spent:
        yield f"resource_spent is {row.resource_spent}, its trials trained {spent}"
    if row.resource_full != full:
        yield f"resource_full is {row.resource_full}, its spec says {full}"


def _furthest(rows: Rows) -> dict[int, int]:
    """How far each trial trained. Its own row may lag behind the reports while a lease is held."""
    furthest = {trial.trial_id: trial.resource for trial in rows.trials}
    for (trial_id, _), contents in rows.contents.items():
        furthest[trial_id] = max(furthest.get(trial_id, 0), contents.resource)
    return furthest


def _brackets(rows: Rows, plan: Sequence[BracketPlan]) -> Iterator[str]:
    stored = [(b.bracket_id, b.max_trials, b.max_concurrent_trials) for b in rows.brackets]
    planned = [(i, b.max_trials, b.max_concurrent_trials) for i, b in enumerate(plan)]
    if stored != planned:
        yield f"its brackets are {stored}, its spec says {planned}"
    stored = [(r.bracket_id, r.rung_id, r.resource) for r in rows.rungs]
    planned = [(i, k, resource) for i, b in enumerate(plan) for k, resource in enumerate(b.rungs)]
    if stored != planned:
        yield f"its rungs are {stored}, its spec says {planned}"
    made = Counter(trial.bracket_id for trial in rows.trials if trial.state != TrialState.DISCARDED)
    total = sum(bracket.max_trials for bracket in plan)
    if sum(made.values()) > total:
        yield f"it has {sum(made.values())} trials and may have {total}"
    pooled = plan[0].pooled
    for bracket in rows.brackets:
        number = made[bracket.bracket_id]
        if bracket.trials_created != number or (number > bracket.max_trials and not pooled):
            yield (
                f"bracket {bracket.bracket_id} has {number} trials, counts {bracket.trials_created} "
                f"and may have {bracket.max_trials}"
            )


def _rungs(rows: Rows, goal: Goal) -> Iterator[str]:
    by_rung: dict[tuple[int, int], list[RungResultRow]] = defaultdict(list)
    for result in rows.results:
        by_rung[result.bracket_id, result.rung_id].append(result)
    best = min if goal is Goal.MINIMIZE else max
    for rung in rows.rungs:
        results = by_rung.pop((rung.bracket_id, rung.rung_id), [])
        metrics = [result.metric for result in results if result.metric is not None]
        promoted = sum(result.promoted for result in results)
        found = (len(results), promoted, len(results) - len(metrics), best(metrics, default=None))
        kept = (rung.entered, rung.promoted, rung.failed, rung.best_metric)
        if found != kept:
            names = "entered, promoted, failed, best metric"
            yield f"rung {rung.rung_id} of bracket {rung.bracket_id} counts {kept} ({names}), its results {found}"
        for result in results:
            if result.metric is not None and result.resource < rung.resource:
                yield (
                    f"trial {result.trial_id} entered rung {rung.rung_id} with resource {result.resource}, "
                    f"below the rung's {rung.resource}"
                )
    for bracket_id, rung_id in by_rung:
        yield f"there are results of rung {rung_id} of bracket {bracket_id}, which does not exist"


def _climbs(rows: Rows) -> Iterator[str]:
    """Each trial entered the rungs of its bracket one after the other, by promotions; its own row agrees."""
    climbed: dict[int, list[RungResultRow]] = defaultdict(list)
    for result in sorted(rows.results, key=lambda result: result.rung_id):
        climbed[result.trial_id].append(result)
    for trial in rows.trials:
        results = climbed.pop(trial.trial_id, [])
        name = f"trial {trial.trial_id}"
        if any(result.bracket_id != trial.bracket_id for result in results):
            yield f"{name} of bracket {trial.bracket_id} has results in another bracket"
        # A trial that starts from another's checkpoint begins above the rungs that it need not reach any more.
        first = results[0].rung_id if results and trial.parent is not None else 0
        if [result.rung_id for result in results] != list(range(first, first + len(results))):
            yield f"{name} entered rungs {[result.rung_id for result in results]}"
        if not all(result.promoted for result in results[:-1]):
            yield f"{name} entered a rung without a promotion from the one below"
        last = results[-1] if results else None
        begun = 0 if trial.parent is None else trial.rung_id
        expected = (last.rung_id + last.promoted, last.metric, last.resource) if last else (begun, None, 0)
        if (trial.rung_id, trial.metric, trial.metric_resource) != expected:
            have = (trial.rung_id, trial.metric, trial.metric_resource)
            yield f"{name} says {have} (rung, metric, metric_resource), its results {expected}"
    for trial_id in climbed:
        yield f"there are results of trial {trial_id}, which does not exist"


def _leases(rows: Rows) -> Iterator[str]:
    """Tokens only grow, without gaps but those of a restored backup; at most the last lease of a trial is held."""
    by_trial: dict[int, list[LeaseRow]] = defaultdict(list)
    for lease in sorted(rows.leases, key=lambda lease: (lease.trial_id, lease.token)):
        by_trial[lease.trial_id].append(lease)
    restored = rows.journal.get("restored", 0)
    for trial in rows.trials:
        leases = by_trial.pop(trial.trial_id, [])
        tokens = [lease.token for lease in leases]
        steps = [later - earlier for earlier, later in zip([0, *tokens], [*tokens, trial.token], strict=True)]
        gaps = [step - 1 for step in steps[:-1]] + [steps[-1]]
        if any(gap < 0 or gap % TOKEN_STEP for gap in gaps) or sum(gaps) > restored * TOKEN_STEP:
            yield f"trial {trial.trial_id} has token {trial.token}, its leases {tokens}"
        held = [lease.token for lease in leases if lease.end_time is None]
        if held not in ([], [trial.token]):
            yield f"leases {held} of trial {trial.trial_id} are held, its token is {trial.token}"
    for trial_id in by_trial:
        yield f"there are leases of trial {trial_id}, which does not exist"


def _sequences(rows: Rows) -> Iterator[str]:
    """What happened under a lease is there once, from the first to the last, but for what was thinned away."""
    known, missing = set(), 0
    for lease in rows.leases:
        key = (lease.trial_id, lease.token)
        known.add(key)
        name = f"lease {lease.token} of trial {lease.trial_id}"
        contents = rows.contents.get(key, Contents())
        number = contents.reports + contents.checkpoints
        if lease.end_time is not None and lease.outcome not in _WORKERS_WORD | _MASTERS_WORD:
            yield f"{name} ended with the unknown outcome {lease.outcome!r}"
        happened = lease.last_sequence - (lease.outcome in _WORKERS_WORD)
        if rows.thinning is not None and lease.end_time is not None and contents.last_sequence <= happened:
            missing += happened - number
        else:
            yield from _whole_sequence(lease, contents, name)
    for trial_id, token in rows.contents.keys() - known:
        yield f"there are reports or checkpoints under lease {token} of trial {trial_id}, which does not exist"
    dropped = rows.thinning.reports_dropped if rows.thinning else 0
    if missing != dropped:
        yield f"{dropped} reports were thinned away, and {missing} are missing"


def _whole_sequence(lease: LeaseRow, contents: Contents, name: str) -> Iterator[str]:
    number = contents.reports + contents.checkpoints
    if number and (contents.first_sequence, contents.last_sequence) != (1, number):
        span = f"{contents.first_sequence} to {contents.last_sequence}"
        yield f"{name} has {number} reports and checkpoints, with sequence numbers from {span}"
    if lease.end_time is None:
        if lease.last_sequence > number or lease.outcome:
            yield f"{name} is held with outcome {lease.outcome!r}, last_sequence {lease.last_sequence} of {number}"
    elif lease.last_sequence != number + (lease.outcome in _WORKERS_WORD):
        yield f"{name} ended {lease.outcome} with last_sequence {lease.last_sequence} and {number} events before"


def _states(rows: Rows) -> Iterator[str]:
    held = {lease.trial_id for lease in rows.leases if lease.end_time is None}
    over = ExperimentState(rows.experiment.state).ended
    if rows.ending and not over:
        yield f"it is {rows.experiment.state}, and its trials are being ended"
    over = over and not rows.ending
    if over and held:
        yield f"it is {rows.experiment.state}, and leases of its trials {sorted(held)} are held"
    if [trial.trial_id for trial in rows.trials] != list(range(len(rows.trials))):
        yield "its trials are not numbered from 0 without gaps"
    for trial in rows.trials:
        ended = TrialState(trial.state).ended
        if ended != (trial.end_time is not None):
            yield f"trial {trial.trial_id} is {trial.state} with end_time {trial.end_time}"
        if over and not ended:
            yield f"trial {trial.trial_id} is {trial.state}, and its experiment is {rows.experiment.state}"
        if trial.state == TrialState.RUNNING and trial.trial_id not in held:
            yield f"trial {trial.trial_id} is running without a lease"
        if not trial.origin and trial.token > 0:
            yield f"trial {trial.trial_id} waits for its hyperparameters, and was trained under {trial.token} leases"


def _checkpoints(rows: Rows) -> Iterator[str]:
    pinned = {trial.start_uri for trial in rows.trials if trial.start_uri}
    needed = Counter(row.trial_id for row in rows.checkpoints if row.delete_time is None and row.uri not in pinned)
    for trial_id, number in needed.items():
        if number > 3:
            yield f"trial {trial_id} keeps {number} checkpoints, three are needed at most"
    for row in rows.checkpoints:
        if row.deleted and row.delete_time is None:
            yield f"the files of a checkpoint of trial {row.trial_id} at {row.resource} are gone, and it is needed"


def _lineage(rows: Rows) -> Iterator[str]:
    """Trials start from the checkpoints of older ones, which stay until they have one of their own or have ended."""
    by_uri = {row.uri: row for row in rows.checkpoints}
    owners = {row.trial_id for row in rows.checkpoints if row.delete_time is None}
    for trial in rows.trials:
        name = f"trial {trial.trial_id}"
        if trial.parent is None:
            if trial.start_resource or trial.start_uri:
                yield f"{name} has no parent, and starts at {trial.start_resource} from {trial.start_uri!r}"
            continue
        if not 0 <= trial.parent < trial.trial_id:
            yield f"{name} has the parent {trial.parent}, which is no older trial"
        if not 0 <= trial.start_resource <= trial.resource:
            yield f"{name} starts at {trial.start_resource}, and has trained to {trial.resource}"
        if not trial.start_uri:
            continue
        start = by_uri.get(trial.start_uri)
        if trial.end_time is not None or trial.trial_id in owners:
            yield f"{name} has ended or has a checkpoint of its own, and keeps {trial.start_uri} of another"
        elif start is None or start.delete_time is not None or start.resource != trial.start_resource:
            yield f"{name} starts at {trial.start_resource} from {trial.start_uri}, which is not kept"


def _journal(rows: Rows) -> Iterator[str]:
    ended = sum(lease.end_time is not None for lease in rows.leases)
    expected = {
        "experiment_created": 1,
        "trial_created": len(rows.trials),
        "assigned": len(rows.leases),
        "lease_ended": ended,
    }
    found = {kind: rows.journal.get(kind, 0) for kind in expected}
    if found != expected:
        yield f"its journal has {found}, its rows {expected}"
