"""`run`: a whole search on this machine, master and workers included, from spec to result."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shared.errors import InvalidInput
from ..shared.model import Experiment, ExperimentState
from ..shared.structs import struct_from_proto, struct_to_proto
from .client import Client
from .cluster import LocalCluster, default_workers
from .database import DEFAULT_DATABASE
from .follow import Display, Snapshot, follow
from .specs import spec_text

if TYPE_CHECKING:
    from ..shared.spec import Spec

_UNFINISHED = (ExperimentState.ACTIVE, ExperimentState.PAUSED)


def run(
    spec: str | Path | Mapping[str, Any] | Spec,
    *,
    workers: int | None = None,
    slots: int = 1,
    database: str = DEFAULT_DATABASE,
    log: Path | None = None,
    display: Display | None = None,
) -> Experiment:
    """Runs a search to its end on this machine, and returns it.

    A master on `database` (a file for SQLite, or a URL) and `workers` workers (by default one for each GPU, or where
    there is none for each core, at most 4) with `slots` slots each are started as child processes, and end with this
    one, by whatever means it ends. Their output goes to `log`, by default beside the database. Progress goes to
    `display`, by default to stderr.

    Where the database holds an unfinished experiment of the same spec, that one goes on instead of a new one, so that
    an interrupted run is continued by running it again. Raises InvalidSpec with every problem of a wrong spec, before
    anything is started, and RungmasterError where master or workers cannot run.
    """
    if display is None:
        from .cli.progress import open_display

        with open_display(sys.stderr) as shown:
            return run_to_end(spec, workers, slots, database, log, shown).experiment
    return run_to_end(spec, workers, slots, database, log, display).experiment


def run_to_end(
    spec: str | Path | Mapping[str, Any] | Spec,
    workers: int | None,
    slots: int,
    database: str,
    log: Path | None,
    display: Display,
) -> Snapshot:
    """`run`, with the last snapshot as its result, which has all metrics of the best trial."""
    from ..shared.spec import parse_spec

    checked = parse_spec(spec_text(spec))
    if (workers is not None and workers < 1) or slots < 1:
        raise InvalidInput(f"a run needs at least one worker with one slot, got {workers} with {slots}")
    number = default_workers() if workers is None else workers
    with LocalCluster(database, number, slots, log or default_log(database)) as cluster:
        return _follow(checked, cluster, display)


def default_log(database: str) -> Path:
    """Where master and workers log: beside an SQLite file with the ending `.log`, else `rungmaster.log` here."""
    return Path("rungmaster.log") if "://" in database else Path(database).with_suffix(".log")


def _follow(spec: Spec, cluster: LocalCluster, display: Display) -> Snapshot:
    with Client(cluster.address) as client:
        try:
            last = None
            experiment = _begin(client, spec, display)
            for last in follow(client.calls.connection, experiment.experiment_id):
                cluster.check()
                display.show(last)
        except KeyboardInterrupt:
            display.say("interrupted: the workers save their checkpoints and end (again: they end at once)")
            raise
    assert last is not None, "follow gives at least one snapshot"
    return last


def _begin(client: Client, spec: Spec, display: Display) -> Experiment:
    """The unfinished experiment of this spec in the database, or a new one."""
    unfinished = [client.get(other.experiment_id) for other in client.list(states=_UNFINISHED)]
    same = next((experiment for experiment in unfinished if _is_of(experiment, spec)), None)
    for other in unfinished:
        if other is not same and other.state is ExperimentState.ACTIVE:
            display.say(f"experiment {other.experiment_id} ({other.name}) is unfinished too, and shares the workers")
    if same is None:
        experiment = client.submit(spec)
        display.say(f"experiment {experiment.experiment_id} ({experiment.name}) begins")
        return experiment
    ended = sum(count for state, count in same.trial_counts.items() if state.ended)
    display.say(
        f"experiment {same.experiment_id} ({same.name}) goes on: {ended} of {same.planned_trials} trials have ended"
    )
    return client.resume(same.experiment_id) if same.state is ExperimentState.PAUSED else same


def _is_of(experiment: Experiment, spec: Spec) -> bool:
    from ..shared.spec import spec_to_json

    return dict(experiment.spec) == struct_from_proto(struct_to_proto(spec_to_json(spec)))
