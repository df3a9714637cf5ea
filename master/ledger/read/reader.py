"""Answers queries from the database, beside the writer and without holding it up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple, replace
from functools import partial
from typing import Any

from sqlalchemy import Connection

from ....shared.checkpoints.paths import CheckpointPath
from ....shared.errors import FailedPrecondition, InvalidInput
from ....shared.wire.model import (
    Act,
    Checkpoint,
    Event,
    Experiment,
    ExperimentState,
    Lease,
    Report,
    TrialInfo,
    TrialOrder,
    TrialState,
    Trouble,
)
from ....shared.wire.positions import ReportPosition
from ...experiment.changes import StoredRows, ThinningRow
from ...experiment.life.retention import Measured
from ...experiment.saved.orphans import is_orphan
from ..engine import parse_database, reading_engine, transaction
from ..files.database_files import DatabaseFiles
from ..leadership.lock import is_held
from ..leadership.mastership import MastershipHolder, read_owner
from . import recovery, retention
from .paging import parse_page
from .queries import acts as act_queries
from .queries import curves as curve_queries
from .queries import experiments as experiment_queries
from .queries import lineage as lineage_queries
from .queries import logs as log_queries
from .queries import orphans as orphan_queries
from .queries import overview as overview_queries
from .queries import reports as report_queries
from .queries import sampling as sampling_queries
from .queries import trials as trial_queries
from .queries import troubles as trouble_queries
from .queries.acts import ActFilter
from .queries.experiments import ExperimentStatus
from .queries.sampling import SampledResult
from .read_only import ReadOnly

PAGE, LARGEST_PAGE = 100, 1_000
REPORTS, LARGEST_REPORTS = 1_000, 10_000
LARGEST_EVENTS = 10_000
#: Seconds that a query may take, waiting included.
READ_TIMEOUT_S = 10.0


class Reader:
    """Queries of one database, as values of `shared/wire/model.py`. It may be used from several threads at once.

    Each method reads one snapshot: what it returns was all true at one moment. Every wait is bounded: Unavailable is
    raised where the database is out of reach or too busy. Lists come in pages, and a page costs the same wherever it
    lies. Page sizes of 0 mean the usual size; those out of bounds, and page tokens that no list gave, raise
    InvalidInput.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = READ_TIMEOUT_S,
        from_outside: bool = False,
        files: DatabaseFiles | None = None,
    ) -> None:
        """Connects when it is first used; `Ledger.open` must have made the database. `timeout_s` is in seconds.

        With `from_outside` nothing is made or changed, not even files beside it. Then DatabaseError is raised where it
        is no database of this version. With `files` nothing is read from others than those: DatabaseLost is raised
        where they are not there any more.
        """
        self.database = parse_database(url)
        self._unchanged: Callable[[], AbstractContextManager[None]]
        if from_outside:
            source = ReadOnly(self.database, timeout_s)
            self._engine, self._unchanged, self._close = source.engine, source.unchanged, source.close
            source.check_schema()
        else:
            self._engine = reading_engine(self.database, timeout_s, files)
            self._unchanged = partial(_checking, files)
            self._close = self._engine.dispose

    def owner(self) -> MastershipHolder | None:
        """The master that runs on the database now; None where there is none.

        To be asked from outside only: a process that holds the lock of a file loses it by looking.
        """
        with self._snapshot() as connection:
            owner = read_owner(connection)
            return owner if owner is not None and is_held(self.database, connection, owner.term) else None

    def get_experiment(self, experiment_id: int) -> Experiment:
        """One experiment with its brackets, rungs and best trial. Raises NotFound."""
        with self._snapshot() as connection:
            return experiment_queries.get_experiment(connection, experiment_id)

    def troubles(self, experiment_id: int) -> list[Trouble]:
        """What went wrong in an experiment, alike things counted together."""
        with self._snapshot() as connection:
            return trouble_queries.troubles(connection, experiment_id)

    def list_experiments(
        self,
        states: Sequence[ExperimentState] = (),
        name_contains: str = "",
        page_size: int = 0,
        page_token: str = "",
    ) -> tuple[list[Experiment], str]:
        """Experiments in any of `states` (empty: all), newest first, and the next page's token (empty: the last)."""
        query = ["experiments", sorted(states), name_contains]
        page = parse_page(query, (int,), page_size, page_token, LARGEST_PAGE, PAGE)
        with self._snapshot() as connection:
            return experiment_queries.list_experiments(connection, states, name_contains, page)

    def list_trials(
        self,
        experiment_id: int,
        states: Sequence[TrialState] = (),
        order: TrialOrder = TrialOrder.ID,
        page_size: int = 0,
        page_token: str = "",
    ) -> tuple[list[TrialInfo], str]:
        """Trials in any of `states` (empty: all) and the next page's token. Raises NotFound.

        Those with equal metrics go by their number; in the order BEST those without a metric are left out.
        """
        query = ["trials", experiment_id, sorted(states), order]
        kinds = (int,) if order is TrialOrder.ID else (float, int)
        page = parse_page(query, kinds, page_size, page_token, LARGEST_PAGE, PAGE)
        with self._snapshot() as connection:
            goal, best = experiment_queries.order_of(connection, experiment_id)
            return trial_queries.list_trials(connection, experiment_id, goal, best, states, order, page)

    def get_trial(self, experiment_id: int, trial_id: int) -> tuple[TrialInfo, list[Lease], list[Checkpoint], int]:
        """One trial with its leases and checkpoints, oldest first, and how many children it has. Raises NotFound."""
        with self._snapshot() as connection:
            experiment_queries.order_of(connection, experiment_id)
            trial = trial_queries.get_trial(connection, experiment_id, trial_id)
            return (
                replace(trial, schedule=lineage_queries.schedule_of(connection, trial)),
                trial_queries.leases_of(connection, experiment_id, trial_id),
                trial_queries.checkpoints_of(connection, experiment_id, trial_id),
                lineage_queries.children_of(connection, trial),
            )

    def trial_leases(self, experiment_id: int, trial_id: int) -> log_queries.TrialLeases:
        """Under which leases a trial was trained, and by whom: where its log can be. Raises NotFound."""
        with self._snapshot() as connection:
            return log_queries.trial_leases(connection, experiment_id, trial_id)

    def list_reports(
        self, experiment_id: int, trial_id: int, page_size: int = 0, page_token: str = ""
    ) -> tuple[list[Report], str]:
        """A trial's reports in the order of their acceptance, and the next page's token. Raises NotFound."""
        query = ["reports", experiment_id, trial_id]
        page = parse_page(query, (int, int), page_size, page_token, LARGEST_REPORTS, REPORTS)
        with self._snapshot() as connection:
            experiment_queries.order_of(connection, experiment_id)
            trial_queries.get_trial(connection, experiment_id, trial_id)
            return trial_queries.list_reports(connection, experiment_id, trial_id, page)

    def list_acts(self, wanted: ActFilter, page_size: int = 0, page_token: str = "") -> tuple[list[Act], str]:
        """What people did, and the next page's token."""
        page = parse_page(["acts", *astuple(wanted)], (int,), page_size, page_token, LARGEST_PAGE, PAGE)
        with self._snapshot() as connection:
            return act_queries.list_acts(connection, wanted, page)

    def events_after(self, experiment_id: int, after_event_id: int, limit: int) -> list[Event]:
        """At most `limit` entries of an experiment's journal after the given one, in order; none where there are none.

        No entry with a lower number than one that was returned appears later.
        """
        if not 1 <= limit <= LARGEST_EVENTS:
            raise InvalidInput(f"limit: must be 1 to {LARGEST_EVENTS:,}, got {limit}")
        with self._snapshot() as connection:
            return trial_queries.events_after(connection, experiment_id, after_event_id, limit)

    def news(self, experiment_id: int, after_event_id: int, limit: int) -> tuple[list[Event], ExperimentStatus]:
        """At most `limit` entries of an experiment's journal after the given one, and its status then.

        Raises NotFound.
        """
        with self._snapshot() as connection:
            status = experiment_queries.get_status(connection, experiment_id)
            return trial_queries.events_after(connection, experiment_id, after_event_id, limit), status

    def reported(self, experiment_id: int, after: ReportPosition, limit: int) -> tuple[list[Report], ExperimentStatus]:
        """At most `limit` reports of an experiment after a position, in the order in which they were stored, and its
        status then.

        No report with a lower position than one that was returned appears later. Raises NotFound.
        """
        with self._snapshot() as connection:
            status = experiment_queries.get_status(connection, experiment_id)
            return report_queries.reports_after(connection, experiment_id, after, limit), status

    def curves_source(self, experiment_id: int) -> curve_queries.CurvesSource:
        """What has to be known to make curves of an experiment's reports. Raises NotFound."""
        with self._snapshot() as connection:
            return curve_queries.curves_source(connection, experiment_id)

    def metric_page(
        self, part: curve_queries.ReportsPart, metric: str, create_time: float
    ) -> curve_queries.MetricPage | None:
        """Reports of an experiment as columns, with one metric; None where there are no more. Raises NotFound."""
        with self._snapshot() as connection:
            return curve_queries.metric_page(connection, part, metric, create_time)

    def training_page(self, part: curve_queries.ReportsPart) -> curve_queries.TrainingPage | None:
        """The same without what they measured."""
        with self._snapshot() as connection:
            return curve_queries.training_page(connection, part)

    def open_thinnings(self) -> list[ThinningRow]:
        """Those that have not ended, longest waiting first."""
        with self._snapshot() as connection:
            return retention.open_thinnings(connection)

    def open_deletions(self) -> list[int]:
        """Experiments that are gone, and have rows left."""
        with self._snapshot() as connection:
            return retention.open_deletions(connection)

    def stored(self, experiment_id: int) -> StoredRows:
        """All that an experiment goes on with, whether it has ended or not. Raises NotFound.

        Raises FailedPrecondition while its reports are being thinned: those of a search that goes on must not be.
        """
        with self._snapshot() as connection:
            if any(row.experiment_id == experiment_id for row in retention.open_thinnings(connection)):
                text = f"the reports of experiment {experiment_id} are being thinned; try again when that is done"
                raise FailedPrecondition(text, experiment_id=experiment_id)
            return recovery.stored_experiment(connection, experiment_id)

    def unthinned(self, ended_before: float) -> list[int]:
        """Experiments that ended before that time (seconds since the epoch) and were not thinned since."""
        with self._snapshot() as connection:
            return retention.unthinned(connection, ended_before)

    def needed_checkpoints(self, experiment_id: int, limit: int) -> list[str]:
        """At most `limit` URIs of an experiment's checkpoints that are not given up, a deleted experiment's too."""
        with self._snapshot() as connection:
            return retention.needed_checkpoints(connection, experiment_id, limit)

    def measured(
        self, experiment_id: int, metric: str, after: tuple[int, int, int], limit: int
    ) -> tuple[list[Measured], dict[int, Collection[int]]]:
        """Reports after a (trial, token, sequence), and at which resources their trials entered rungs."""
        with self._snapshot() as connection:
            found = retention.measured(connection, experiment_id, metric, after, limit)
            if not found:
                return [], {}
            first, last = found[0].trial_id, found[-1].trial_id
            return found, retention.deciding(connection, experiment_id, first, last)

    def results_after(self, experiment_id: int, after_event_id: int, limit: int) -> list[SampledResult]:
        """At most `limit` results of an experiment's trials after an entry of its journal, in the order in which they
        came."""
        with self._snapshot() as connection:
            return sampling_queries.results_after(connection, experiment_id, after_event_id, limit)

    def under_way(self, experiment_id: int, limit: int) -> dict[int, Mapping[str, Any]]:
        """The hyperparameters of at most `limit` trials that are in training or wait for it, by trial."""
        with self._snapshot() as connection:
            return sampling_queries.under_way(connection, experiment_id, limit)

    def last_event_id(self) -> int:
        """The number of the latest entry of the journal, of any experiment; 0 where there is none."""
        with self._snapshot() as connection:
            return overview_queries.last_event_id(connection)

    def overview(self, after_event_id: int) -> overview_queries.Overview:
        """The database in numbers, with the entries of the journal after the given one."""
        with self._snapshot() as connection:
            return overview_queries.overview(connection, after_event_id)

    def storages(self) -> tuple[str, list[str]]:
        """The database's id, and where its experiments keep checkpoints, as it is written in their specs."""
        with self._snapshot() as connection:
            return orphan_queries.storages(connection)

    def orphans(self, paths: Iterable[str]) -> list[str]:
        """Those of the checkpoints that were found in a store, by their paths, which nothing can ever need."""
        places = {path: place for path in paths if (place := CheckpointPath.parse(path)) is not None}
        with self._snapshot() as connection:
            known = orphan_queries.known(connection, places.values())
        return [path for path, place in places.items() if is_orphan(place, known)]

    def deleted_among(self, experiments: Collection[int]) -> list[int]:
        """Those of the experiments that were deleted, lowest first."""
        with self._snapshot() as connection:
            return sorted(orphan_queries.deleted_among(connection, experiments))

    def close(self) -> None:
        """Closes the connections that are not in use."""
        self._close()

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        with self._unchanged(), transaction(self._engine, self.database) as connection:
            yield connection


@contextmanager
def _checking(files: DatabaseFiles | None) -> Iterator[None]:
    yield
    if files is not None:
        files.check()
