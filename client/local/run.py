"""`run`: a whole search on this machine, master and workers included, from spec to result."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...shared.errors import InvalidInput, Unavailable
from ...shared.net.dashboards import DashboardChild
from ...shared.wire.model import Experiment, ExperimentState
from ..client import Client
from ..fingerprint import code_warning
from ..follow import Display, Snapshot, follow, wants_curve
from ..results import Result
from ..specs import spec_text
from .cluster import LocalCluster, default_workers
from .database import DEFAULT_DATABASE
from .interrupts import interrupted_once

if TYPE_CHECKING:
    from ...shared.spec.spec import Spec

_UNFINISHED = (ExperimentState.ACTIVE, ExperimentState.PAUSED)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is made; `run` says what each means."""

    workers: int | None = None
    slots: int = 1
    database: str = DEFAULT_DATABASE
    log: Path | None = None
    again: bool = False
    train_all: bool = False
    dashboard: DashboardChild | None = None

    def __post_init__(self) -> None:
        if (self.workers is not None and self.workers < 1) or self.slots < 1:
            raise InvalidInput(f"a run needs at least one worker with one slot, got {self.workers} with {self.slots}")


def run(
    spec: str | Path | Mapping[str, Any] | Spec | Callable[..., Any],
    of_function: Mapping[str, Any] | None = None,
    /,
    *,
    workers: int | None = None,
    slots: int = 1,
    database: str = DEFAULT_DATABASE,
    log: Path | None = None,
    display: Display | None = None,
    again: bool = False,
    train_all: bool = False,
) -> Result:
    """Runs a search to its end on this machine, and returns its result.

    A master on `database` (a file for SQLite, or a URL) and `workers` workers (by default one for each GPU, or where
    there is none for each core, at most 4) with `slots` slots each are started as child processes, and end with this
    one, by whatever means it ends. Their output goes to `log`, by default beside the database. Progress goes to
    `display`, by default to stderr.

    Where the database holds an unfinished experiment of the same spec, that one goes on instead of a new one, so that
    an interrupted run is continued by running it again; where it holds one that has completed, that one is the result,
    and nothing is trained. With `again` a new search begins all the same. Other unfinished experiments of the database
    are left as they are; with `train_all` they share the workers for as long as this run lasts.

    Raises InvalidSpec with every problem of a wrong spec, before anything is started, FailedPrecondition where another
    run or a master uses the database, and RungmasterError where master or workers cannot run.

    `run(train, {…})` takes the training function before a spec that is a dict without an entrypoint. Workers import
    it, so that it has to be at the top level of a module: not of a notebook's cell, but of a file beside the notebook.

        result = run(train, {"name": "digits", "metric": {...}, "hyperparameters": {...}, "searcher": {...}})
        result.plot.curves()
    """
    spec = _with_function(spec, of_function)
    options = RunOptions(workers, slots, database, log, again, train_all)
    if display is not None:
        return Result.of(run_to_end(spec, options, display).experiment, database)
    from ..cli.progress import open_display

    with open_display(sys.stderr) as shown:
        return Result.of(run_to_end(spec, options, shown).experiment, database)


def run_to_end(spec: str | Path | Mapping[str, Any] | Spec, options: RunOptions, display: Display) -> Snapshot:
    """`run`, with the last snapshot as its result, which has all metrics of the best trial."""
    from ...shared.rehearsal import rehearse
    from ...shared.spec.spec import parse_spec

    checked = parse_spec(spec_text(spec))
    rehearse(checked, Path.cwd())
    number = options.workers or default_workers()
    log = options.log or default_log(options.database)
    cluster = LocalCluster(options.database, number, options.slots, log)
    with interrupted_once(cluster.send_kill), cluster, Client(cluster.address) as client:
        try:
            if options.dashboard is not None:
                display.say(f"dashboard: {cluster.start_dashboard(options.dashboard)}")
            experiment = _Search(client, checked, options, display).begin()
            if not experiment.state.ended:
                cluster.start_workers(None if options.train_all else experiment.experiment_id)
            return _follow(client, experiment, cluster, display)
        except KeyboardInterrupt:
            display.say("interrupted: the workers save their checkpoints and end (again: they end at once)")
            raise


def _with_function(
    spec: str | Path | Mapping[str, Any] | Spec | Callable[..., Any], of_function: Mapping[str, Any] | None
) -> str | Path | Mapping[str, Any] | Spec:
    """The spec, with the function that was given before it as its entrypoint."""
    if not callable(spec):
        if of_function is not None:
            raise InvalidInput(f"run(train, spec): the first must be a function, got {type(spec).__name__}")
        return spec
    if not isinstance(of_function, Mapping):
        raise InvalidInput(f"run(train, spec): the spec must be a dict, got {type(of_function).__name__}")
    if "entrypoint" in of_function:
        raise InvalidInput("run(train, spec): the spec has an entrypoint already; leave one of the two out")
    return {**of_function, "entrypoint": spec}


def default_log(database: str) -> Path:
    """Where master and workers log: beside an SQLite file with the ending `.log`, else `rungmaster.log` here."""
    return Path("rungmaster.log") if "://" in database else Path(database).with_suffix(".log")


def _follow(client: Client, experiment: Experiment, cluster: LocalCluster, display: Display) -> Snapshot:
    last = None
    try:
        for last in follow(client, experiment.experiment_id, curve=wants_curve(display)):
            cluster.check()
            if not experiment.state.ended:
                display.show(last)
    except Unavailable:
        # Why the master does not come back says more than that it does not answer.
        cluster.check()
        raise
    assert last is not None, "follow gives at least one snapshot"
    return last


class _Search:
    """Which experiment of the database a run is about."""

    def __init__(self, client: Client, spec: Spec, options: RunOptions, display: Display) -> None:
        self._client = client
        self._spec = spec
        self._options = options
        self._display = display

    def begin(self) -> Experiment:
        """The experiment of this spec that goes on or has completed, or a new one; it says which."""
        same = None if self._options.again else self._known(_UNFINISHED)
        completed = None if self._options.again or same else self._known((ExperimentState.COMPLETED,))
        self._tell_of_others(same or completed)
        if completed is not None:
            self._say(completed, "of this spec has completed; to search again: --again (in Python: again=True)")
            self._tell_of_changes(completed, "this is the result of the code from before")
            return completed
        if same is None:
            experiment, warnings = self._client.submit_quietly(self._spec)
            self._say(experiment, "begins")
            for warning in warnings:
                self._display.say(f"warning: {warning}")
            return experiment
        ended = sum(count for state, count in same.trial_counts.items() if state.ended)
        self._say(same, f"goes on: {ended} of {same.planned_trials} trials have ended")
        self._tell_of_changes(same, "trials from before and from now on are of different code (--again searches anew)")
        return self._client.resume(same.experiment_id) if same.state is ExperimentState.PAUSED else same

    def _known(self, states: tuple[ExperimentState, ...]) -> Experiment | None:
        """The newest experiment of this spec in one of these states."""
        for listed in self._client.list(states=states, name_contains=self._spec.name):
            experiment = self._client.get(listed.experiment_id)
            if _is_of(experiment, self._spec):
                return experiment
        return None

    def _tell_of_others(self, own: Experiment | None) -> None:
        for other in self._client.list(states=(ExperimentState.ACTIVE,)):
            if own is not None and (own.state.ended or own.experiment_id == other.experiment_id):
                continue
            what = "shares the workers" if self._options.train_all else "is left as it is (--all trains it as well)"
            self._say(other, f"is unfinished too, and {what}")

    def _tell_of_changes(self, experiment: Experiment, meaning: str) -> None:
        if changed := self._client.code_changes(experiment.experiment_id):
            self._display.say(f"warning: {code_warning(experiment, changed)}: {meaning}")

    def _say(self, experiment: Experiment, words: str) -> None:
        self._display.say(f"experiment {experiment.experiment_id} ({experiment.name}) {words}")


def _is_of(experiment: Experiment, spec: Spec) -> bool:
    from ...shared.spec.spec import is_spec_of

    return is_spec_of(experiment.spec, spec)
