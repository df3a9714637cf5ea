"""What people read: experiments, trials and events as lines of plain text. Everything here is a pure function."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any

from ...shared.text.stop_limits import limits_told
from ...shared.text.visible import json_text, visible
from ...shared.wire.model import (
    SEARCH_ENDED,
    Checkpoint,
    Experiment,
    TrialInfo,
    TrialState,
    Worker,
    WorkerState,
)

_ROWS_AT_ONCE = 1000
_WORD = re.compile(r"[^\W\d][\w./:+@-]*")


def number(value: float | None) -> str:
    """A number with at most six significant digits; "-" for none."""
    return "-" if value is None else f"{value:.6g}"


def duration(seconds: float) -> str:
    """A length of time, as 0:42 or 1:02:03."""
    whole = max(0, int(seconds))
    minutes, rest = whole // 60, whole % 60
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def elapsed(experiment: Experiment, now: datetime) -> float:
    """Seconds from an experiment's creation to its end, or to `now`."""
    return max(0.0, ((experiment.end_time or now) - experiment.create_time).total_seconds())


def metrics(values: Mapping[str, float]) -> str:
    """Metrics in one line."""
    return " ".join(f"{name}={number(value)}" for name, value in values.items())


def hparams(values: Mapping[str, Any]) -> str:
    """Hyperparameters in one line, floats with at most six significant digits."""
    return " ".join(f"{name}={rounded(value)}" for name, value in values.items())


def exactly(value: Any) -> str:
    """A hyperparameter's value as a spec has it, with its type and all its digits: 1.0 is not 1, and "1" is neither."""
    plain = isinstance(value, str) and _WORD.fullmatch(value) and value not in ("true", "false", "null")
    return value if plain else json_text(value)


def rounded(value: Any) -> str:
    """A hyperparameter's value with its type, a float with at most six significant digits."""
    return exactly(float(number(value)) if isinstance(value, float) else value)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: frozenset[int] = frozenset()) -> Iterator[str]:
    """Aligned lines, the columns `left` to the left and all others to the right; the last line breaks freely.

    Of very long tables each thousand rows are aligned for themselves, so that they come as they are fetched.
    """
    source, shown = (tuple(map(visible, row)) for row in rows), False
    while (part := [tuple(map(visible, header)), *islice(source, _ROWS_AT_ONCE)]) and (len(part) > 1 or not shown):
        widths = [max(len(row[column]) for row in part) for column in range(len(header))]
        for row in part[shown:]:
            cells = [
                cell.ljust(width) if column in left else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            yield "  ".join(cells).rstrip()
        shown = True


def rung_table(experiment: Experiment) -> list[str]:
    """Brackets and rungs: what came, went on and failed, and the best metric of each."""
    header = ("bracket", "rung", experiment.unit, "entered", "promoted", "failed", f"best {experiment.metric}")
    rows = [
        (
            str(bracket.bracket_id),
            str(rung.rung_id),
            str(rung.resource),
            str(rung.entered),
            str(rung.promoted),
            str(rung.failed),
            number(rung.best_metric),
        )
        for bracket in experiment.brackets
        for rung in bracket.rungs
    ]
    return list(table(header, rows))


def counts(experiment: Experiment) -> str:
    """How many trials there are, by state, in one line."""
    made = sum(count for state, count in experiment.trial_counts.items() if state is not TrialState.DISCARDED)
    states = [f"{count} {state}" for state, count in experiment.trial_counts.items() if count]
    return f"{made} of {experiment.planned_trials} trials" + (f": {', '.join(states)}" if states else "")


def trained(experiment: Experiment) -> str:
    """The resource spent so far beside that of training every trial in full."""
    spent, full = experiment.resource_spent, experiment.resource_full
    return f"trained {spent:,} of {full:,} {experiment.unit}" + (f" ({spent / full:.1%})" if full else "")


def saved(experiment: Experiment) -> str:
    """How much training the search saved, against training every trial in full."""
    spent, full, unit = experiment.resource_spent, experiment.resource_full, experiment.unit
    if not 0 < spent <= full:
        return f"trained {spent:,} {unit}; every trial in full would be {full:,}"
    return (
        f"trained {spent:,} {unit} instead of {full:,} for every trial in full: "
        f"{1 - spent / full:.1%} saved, {full / spent:.1f} times less"
    )


def limits(experiment: Experiment, now: datetime) -> list[str]:
    """What ends the search earlier by its spec's `stop`, and how far each of it is; nothing where nothing does."""
    so_far = {
        "metric": f"best {number(experiment.leading_trial.best_metric if experiment.leading_trial else None)}",
        "time": duration(elapsed(experiment, now)),
        "resource": f"{experiment.resource_spent:,}",
    }
    stop = experiment.spec.get("stop") or {}
    told = limits_told(stop, experiment.metric, experiment.goal, experiment.unit, so_far)
    return ["ends earlier at: " + ", or ".join(told)] if told else []


def thinned_lines(experiment: Experiment) -> list[str]:
    """How many reports are gone, and which stayed; nothing where all are there."""
    thinning = experiment.thinning
    if thinning is None:
        return []
    every = f", and every {thinning.keep_every:,}th" if thinning.keep_every else ""
    so_far = "" if thinning.end_time else " so far, it goes on"
    return [
        f"thinned: {thinning.reports_dropped:,} reports dropped{so_far}; kept: those that decided, each trial's best "
        f"and last{every}"
    ]


def best_so_far(experiment: Experiment) -> str:
    """The best result of any report in one line; it never gets worse."""
    trial = experiment.leading_trial
    if trial is None:
        return f"no {experiment.metric} yet"
    return f"best {experiment.metric} {_result(experiment, trial, trial.best_metric, trial.best_resource)}"


def best_lines(experiment: Experiment) -> list[str]:
    """The best trial by the result that counts; before it, where they are others, the best result of any report and the
    best of the trials that were trained furthest."""
    best, leading, furthest = experiment.best_trial, experiment.leading_trial, experiment.furthest_trial
    if best is None:
        return [best_so_far(experiment)]
    results = {"": _result(experiment, best, *experiment.result_of(best))}
    if leading is not None:
        results["of any report "] = _result(experiment, leading, leading.best_metric, leading.best_resource)
    if furthest is not None and furthest.metric is not None:
        results["of those trained furthest "] = _result(experiment, furthest, furthest.metric, furthest.metric_resource)
    others = [what for what, result in results.items() if what and result != results[""]]
    return [f"best {experiment.metric} {what}{results[what]}" for what in [*others, ""]]


def _result(experiment: Experiment, trial: TrialInfo, metric: float | None, resource: int) -> str:
    return f"{number(metric)} (trial {trial.trial_id} at {resource} {experiment.unit})"


def heading(experiment: Experiment, now: datetime) -> str:
    """An experiment's name, state and age in one line."""
    name = f"experiment {experiment.experiment_id} ({experiment.name})"
    plain = experiment.state_reason in ("", SEARCH_ENDED)
    reason = "" if plain else f" ({experiment.state_reason})"
    ending = ", its trials are being ended" if experiment.ending else ""
    return f"{name} {experiment.state}{reason}, {duration(elapsed(experiment, now))}{ending}"


def settings(experiment: Experiment) -> str:
    """How it shares the slots with others, as it is in force."""
    limit = experiment.max_concurrent_trials
    at_once = "no limit on concurrent trials" if limit is None else f"at most {limit:,} trials at once"
    extended = "" if experiment.max_trials is None else f", extended to {experiment.max_trials:,} trials"
    return f"priority {experiment.priority}, weight {experiment.weight:g}, {at_once}{extended}"


def workers_line(workers: Sequence[Worker] | None) -> str:
    """How many workers are there with how many slots, in use and in all, and how many were lost a moment ago.

    None is for workers of which nothing is known.
    """
    if workers is None:
        return "read from the database, which does not know the workers"
    present = [worker for worker in workers if worker.state is not WorkerState.DISCONNECTED]
    used, slots = sum(worker.slots_used for worker in present), sum(worker.slots for worker in present)
    away = len(workers) - len(present)
    line = f"{len(present)} worker{'' if len(present) == 1 else 's'}, {used} of {slots} slots in use"
    return f"{line}, {away} out of reach" if away else line


def sampler_lines(experiment: Experiment) -> list[str]:
    """What is wrong with its sampler; nothing where it answers."""
    if experiment.state.ended or not experiment.sampler_problem:
        return []
    first, *stderr = map(visible, experiment.sampler_problem.splitlines())
    return [f"its trials are drawn at random: {first}", *(f"  {line}" for line in stderr)]


def overview(
    experiment: Experiment,
    now: datetime,
    workers: Sequence[Worker] | None = (),
    other_metrics: Mapping[str, float] = MappingProxyType({}),
    *,
    rungs: bool = True,
) -> list[str]:
    """Where an experiment stands: state, counts, rungs, best trial; and the savings once it has ended."""
    ended = experiment.state.ended
    lines = [heading(experiment, now), counts(experiment), saved(experiment) if ended else trained(experiment)]
    lines += thinned_lines(experiment) if ended else [*limits(experiment, now), workers_line(workers)]
    others = (f"  {name} {number(value)}" for name, value in other_metrics.items())
    best = [*best_lines(experiment), *others]
    values = experiment.best_trial.hparams if experiment.best_trial else {}
    shown = ["", *rung_table(experiment)] if rungs else []
    return [*lines, *sampler_lines(experiment), *shown, "", *best, *(["with", *listing(values)] if values else [])]


def listing(values: Mapping[str, Any]) -> list[str]:
    """Hyperparameters, one a line."""
    names = list(map(visible, values))
    width = max(map(len, names), default=0)
    return [f"  {name.ljust(width)}  {exactly(value)}" for name, value in zip(names, values.values(), strict=True)]


def trial_row(trial: TrialInfo) -> tuple[str, ...]:
    """A trial as a row of `TRIAL_HEADER`."""
    return (
        str(trial.trial_id),
        trial.state.value,
        str(trial.bracket_id),
        str(trial.rung_id),
        str(trial.resource),
        number(trial.metric),
        number(trial.best_metric),
        str(trial.restarts),
        trial.worker or "-",
        hparams(trial.hparams) if trial.origin or trial.hparams else trial.state_reason,
    )


def model_lines(experiment: Experiment, trial: TrialInfo, model: Checkpoint | None) -> list[str]:
    """Where a trial's model lies, and how to have it."""
    if model is None:
        return ["no checkpoint of it is kept"]
    fetch = f"to have its files: rungmaster checkpoint {trial.experiment_id} {trial.trial_id} --to DIR"
    return [checkpoint(model, experiment.unit), *other_model(experiment, trial, model), fetch]


def other_model(experiment: Experiment, trial: TrialInfo, model: Checkpoint) -> list[str]:
    """That a checkpoint is not the one with the trial's result; nothing where it is."""
    resource = experiment.result_of(trial)[1]
    if model.resource == resource:
        return []
    return [f"its result is that of {resource} {experiment.unit}, of which no checkpoint is kept"]


def checkpoint(value: Checkpoint, unit: str) -> str:
    """A checkpoint in one line: how far it is trained, its size, and where it lies."""
    return f"checkpoint at {value.resource} {unit} ({value.size_bytes:,} bytes) of {value.uri}"


def trial_lines(experiment: Experiment, trial: TrialInfo, other_metrics: Mapping[str, float]) -> list[str]:
    """One trial: where it stands and why, its results, and its hyperparameters, one a line."""
    metric, unit = experiment.metric, experiment.unit
    reason = f" ({trial.state_reason})" if trial.state_reason else ""
    value, resource = experiment.result_of(trial)
    result = f"no {metric} yet" if value is None else f"{metric} {number(value)} at {resource} {unit}"
    return [
        f"trial {trial.trial_id} of experiment {trial.experiment_id}: {trial.state}{reason}",
        f"bracket {trial.bracket_id}, rung {trial.rung_id}, trained to {trial.resource} {unit}",
        result,
        *(f"  {name} {number(value)}" for name, value in other_metrics.items()),
        *_other_result(experiment, trial),
        *([f"hyperparameters from: {trial.origin}"] if trial.origin else []),
        *_took_over(trial, unit),
        *(["with", *listing(trial.hparams)] if trial.hparams else []),
        *schedule_lines(trial, unit),
    ]


def _took_over(trial: TrialInfo, unit: str) -> list[str]:
    """From which trial's checkpoint it started; nothing where it had no parent."""
    if trial.parent is None:
        return []
    start = f"its checkpoint at {trial.start_resource} {unit}" if trial.start_resource else "nothing"
    return [f"parent: trial {trial.parent}; started from {start}"]


def schedule_lines(trial: TrialInfo, unit: str) -> list[str]:
    """With which hyperparameters its model was trained, from where to where; nothing where it had no parent."""
    if not trial.schedule:
        return []
    rows = [
        (str(entry.from_resource), str(entry.to_resource), str(entry.trial_id), hparams(entry.hparams))
        for entry in trial.schedule
    ]
    shown = table(("from", "to", "trial", "hyperparameters"), rows, left=frozenset({3}))
    return [f"schedule of its model, in {unit}", *(f"  {line}" for line in shown)]


def _other_result(experiment: Experiment, trial: TrialInfo) -> list[str]:
    """The result that does not count when the best is named, where it is another."""
    if experiment.best_by == "any":
        what, value, resource = "at its last rung", trial.metric, trial.metric_resource
    else:
        what, value, resource = "its best", trial.best_metric, trial.best_resource
    if value is None or (value, resource) == experiment.result_of(trial):
        return []
    return [f"{what} {experiment.metric} {number(value)} at {resource} {experiment.unit}"]


TRIAL_HEADER = (
    *("trial", "state", "bracket", "rung", "resource", "metric", "best"),
    *("restarts", "worker", "hyperparameters"),
)
TRIAL_LEFT = frozenset({1, 8, 9})
