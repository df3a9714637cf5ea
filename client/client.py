"""`Client`: a master's experiments, trials and workers as Python values."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ..proto.v1 import cluster_pb2, experiment_pb2
from ..shared.errors import NotFound
from ..shared.net.addresses import DEFAULT_ADDRESS, parse_addresses
from ..shared.net.credentials import NO_CREDENTIALS, Credentials
from ..shared.wire.convert import from_message, from_messages
from ..shared.wire.model import (
    Act,
    Checkpoint,
    Event,
    Experiment,
    ExperimentState,
    Lease,
    MasterInfo,
    Report,
    TrialInfo,
    TrialOrder,
    TrialState,
    Trouble,
    Worker,
)
from ..shared.wire.positions import ReportPosition
from . import requests
from .connection import MasterConnection
from .fetching import choose_checkpoint, fetch_checkpoint, located
from .fingerprint import changes
from .specs import spec_text
from .trial_logs import LogPart, log_parts

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from ..shared.spec.spec import Spec
    from .notebook.exploring import ExperimentHandle

#: Seconds between two looks at something of which a master gives no stream.
_POLL_INTERVAL_S = 0.2


class TrialDetails(NamedTuple):
    """A trial with its assignments and its checkpoints, both oldest first, and how many trials started from those."""

    trial: TrialInfo
    leases: tuple[Lease, ...]
    checkpoints: tuple[Checkpoint, ...]
    children: int = 0


class Client:
    """A connection to a master, at one or several addresses (`"head:50051"`, `"a:50051,b:50051"`, or a list).

    Each call takes at most `timeout` seconds in all, repeated attempts included: while the master is out of reach, a
    call is made again with growing waits, and at the other addresses. Every call may be repeated safely, so a search
    is never created twice. What goes wrong is a RungmasterError: InvalidInput (InvalidSpec with its `problems`),
    NotFound, FailedPrecondition, LimitExceeded, Unauthenticated, PermissionDenied, TlsError, Unavailable.

    `credentials` say whether to use TLS, whom to trust, and which token to show.

    Use it in a `with` statement, or call `close`. It may be shared between threads.
    """

    def __init__(
        self,
        addresses: str | Iterable[str] = DEFAULT_ADDRESS,
        *,
        timeout: float = 30.0,
        credentials: Credentials = NO_CREDENTIALS,
    ) -> None:
        if timeout <= 0:
            raise ValueError(f"timeout must be above 0 seconds, got {timeout}")
        text = addresses if isinstance(addresses, str) else ",".join(addresses)
        #: Takes requests of `proto/v1` as they are, and gives the messages that answer them.
        self.connection = MasterConnection(parse_addresses(text), timeout, credentials)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where the master may be, as `host:port` each."""
        return self.connection.addresses

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; iterators that are still open fail."""
        self.connection.close()

    def with_timeout(self, timeout: float) -> Client:
        """Another client for the same master, whose calls take at most `timeout` seconds; to be closed as well."""
        other = Client.__new__(Client)
        other.connection = self.connection.with_timeout(timeout)
        return other

    def submit(self, spec: str | Path | Mapping[str, Any] | Spec, *, request_id: str | None = None) -> Experiment:
        """Gives a search to the master, which starts it at once.

        `spec` is YAML or JSON text, a Path to a file of it, a dict (whose `entrypoint` may be a function), or a Spec.
        A given `request_id` (at most 64 characters) makes the call repeatable across processes: the same one with the
        same spec always returns the same experiment, and with another it is refused (InvalidInput). A fingerprint of
        the training code in this folder is kept with it, from which `code_changes` tells later what was changed. Raises
        InvalidSpec with every problem, and then nothing was stored;
        warns where a spec may not be what was meant.
        """
        experiment, told = self.submit_quietly(spec, request_id=request_id)
        for warning in told:
            warnings.warn(warning, stacklevel=2)
        return experiment

    def submit_quietly(
        self, spec: str | Path | Mapping[str, Any] | Spec, *, request_id: str | None = None
    ) -> tuple[Experiment, tuple[str, ...]]:
        """As `submit`, and it gives the warnings instead of warning."""
        answer = self.connection.call(requests.create_experiment(spec_text(spec), request_id))
        return from_message(answer.experiment, Experiment), tuple(answer.warnings)

    def get(self, experiment_id: int) -> Experiment:
        """An experiment with its spec, brackets, counts and best trial."""
        return self._experiment(experiment_pb2.GetExperimentRequest(experiment_id=experiment_id))

    def experiment(self, experiment_id: int) -> ExperimentHandle:
        """An experiment to look at, in a notebook above all: its frames, figures and end. It is asked for as needed.

        client.experiment(3).plot.curves()
        client.experiment(3).wait()
        """
        from .notebook.exploring import ExperimentHandle

        return ExperimentHandle(self, experiment_id)

    def _experiment(self, request: Message) -> Experiment:
        """The experiment in an answer."""
        return from_message(self.connection.call(request).experiment, Experiment)

    def troubles(self, experiment_id: int) -> tuple[Trouble, ...]:
        """What went wrong in an experiment: trials that failed, attempts that were repeated and more, alike ones
        counted together."""
        request = experiment_pb2.GetExperimentRequest(experiment_id=experiment_id, troubles=True)
        return tuple(from_messages(self.connection.call(request).troubles, Trouble))

    def list(self, *, states: Iterable[ExperimentState | str] = (), name_contains: str = "") -> Iterator[Experiment]:
        """Experiments, newest first, without spec and brackets; only those in `states`, where any are given."""
        return from_messages(self.connection.pages(requests.list_experiments(states, name_contains)), Experiment)

    def watch(self, experiment_id: int, *, after: int = 0) -> Iterator[Event]:
        """What happens in an experiment, from the event after number `after` on, until it has ended.

        Every event comes once, also when the master restarts or another takes over meanwhile.
        """
        request = experiment_pb2.WatchExperimentRequest(experiment_id=experiment_id, after_event_id=after)
        return from_messages((event for answer in self.connection.watch(request) for event in answer.events), Event)

    def watch_reports(self, experiment_id: int, *, after: ReportPosition | str = "") -> Iterator[Report]:
        """What all trials of an experiment report, in the order in which it was stored, until it has ended.

        Every report after that position comes once, also when the master restarts or another takes over meanwhile.
        Whoever keeps the `position` of the last report, or its text, goes on from there at any time.
        """
        request = experiment_pb2.WatchReportsRequest(experiment_id=experiment_id, after=str(after))
        return from_messages((report for answer in self.connection.watch(request) for report in answer.reports), Report)

    def wait(self, experiment_id: int) -> Experiment:
        """Waits until an experiment has ended with all its trials, however long that takes, and returns it."""
        experiment = self.get(experiment_id)
        while not experiment.over:
            for _ in self.watch(experiment_id, after=experiment.last_event_id):
                pass
            experiment = self.get(experiment_id)
        return experiment

    def code_changes(self, experiment_id: int, folder: str | os.PathLike[str] = ".") -> list[str]:
        """What of the training code in a folder has changed since the experiment was submitted, a phrase a file.

        Nothing where the folder has none of its files, or nothing was known of them then.
        """
        # A journal without events would be watched for ever.
        created = next(self.watch(experiment_id), None) if self.get(experiment_id).last_event_id else None
        return changes(created.data.get("code", {}), Path(folder)) if created is not None else []

    def pause(self, experiment_id: int) -> Experiment:
        """Hands out no more work; running trials save a checkpoint and give their slots back."""
        return self._experiment(experiment_pb2.PauseExperimentRequest(experiment_id=experiment_id))

    def resume(self, experiment_id: int) -> Experiment:
        """Lets a paused experiment go on where it stood."""
        return self._experiment(experiment_pb2.ResumeExperimentRequest(experiment_id=experiment_id))

    def set(
        self,
        experiment_id: int,
        *,
        priority: int | None = None,
        weight: float | None = None,
        max_concurrent_trials: int | None = None,
    ) -> Experiment:
        """Changes what is given of an experiment that has not ended, at once; `max_concurrent_trials` 0: no limit.

        Trials that train go on. Raises InvalidInput where a value is wrong, or nothing is given.
        """
        values = {"priority": priority, "weight": weight, "max_concurrent_trials": max_concurrent_trials}
        return self._experiment(requests.set_experiment(experiment_id, **values))

    def extend(self, experiment_id: int, max_trials: int) -> Experiment:
        """Gives a search this many trials in all, while it runs or once it has completed: it goes on where it stood.

        With as many as before nothing changes. Raises FailedPrecondition where it was cancelled or failed, or would
        have fewer trials, or its searcher makes no more; InvalidInput where the number is out of bounds.
        """
        return self._experiment(requests.extend_experiment(experiment_id, max_trials))

    def cancel(self, experiment_id: int) -> Experiment:
        """Stops an experiment for good; what was recorded stays."""
        return self._experiment(experiment_pb2.CancelExperimentRequest(experiment_id=experiment_id))

    def delete(self, experiment_id: int) -> None:
        """Deletes the records and checkpoints of an experiment that has ended."""
        self.connection.call(experiment_pb2.DeleteExperimentRequest(experiment_id=experiment_id))

    def thin(self, experiment_id: int, *, keep_every: int = 0) -> Experiment:
        """Drops most reports of an experiment that has ended, in the background; its `thinning` says how far that is.

        Those stay that decided, each trial's best and its last, and with `keep_every` those whose sequence number is
        a multiple of it.
        """
        request = experiment_pb2.ThinExperimentRequest(experiment_id=experiment_id, keep_every=keep_every)
        return self._experiment(request)

    def trials(
        self,
        experiment_id: int,
        *,
        states: Iterable[TrialState | str] = (),
        order: TrialOrder | str = TrialOrder.ID,
    ) -> Iterator[TrialInfo]:
        """Trials by id, or (order "best") the best metric first, without those that have none."""
        return from_messages(self.connection.pages(requests.list_trials(experiment_id, states, order)), TrialInfo)

    def trial(self, experiment_id: int, trial_id: int) -> TrialDetails:
        """One trial with its assignments and checkpoints."""
        request = experiment_pb2.GetTrialRequest(experiment_id=experiment_id, trial_id=trial_id)
        answer = self.connection.call(request)
        return TrialDetails(
            from_message(answer.trial, TrialInfo),
            tuple(from_messages(answer.leases, Lease)),
            tuple(from_messages(answer.checkpoints, Checkpoint)),
            answer.children,
        )

    def metrics(self, experiment_id: int, trial_id: int) -> Iterator[Report]:
        """What a trial reported, in the order in which the master accepted it."""
        request = experiment_pb2.ListMetricsRequest(experiment_id=experiment_id, trial_id=trial_id)
        return from_messages(self.connection.pages(request), Report)

    def trial_logs(
        self,
        experiment_id: int,
        trial_id: int,
        *,
        follow: bool = False,
        tail: int | None = None,
        token: int | None = None,
    ) -> Iterator[LogPart]:
        """What a trial's training printed, assignment by assignment, oldest first; with `token` of that one alone.

        With `tail` only so many lines at the end of the latest. With `follow` it goes on as more is printed, from
        worker to worker and through restarts of the master, until the trial has ended. Raises NotFound,
        FailedPrecondition where the trial has not started and nobody follows, LimitExceeded where too many read logs.
        """
        request = experiment_pb2.ReadTrialLogRequest(
            experiment_id=experiment_id, trial_id=trial_id, token=token or 0, follow=follow, tail_lines=tail
        )
        return log_parts(self.connection, request, self._folders())

    def best(self, experiment_id: int) -> TrialInfo | None:
        """The best trial, by the result that the spec's `metric.best` names; None before the first result."""
        return self.get(experiment_id).best_trial

    def fetch_checkpoint(
        self,
        experiment_id: int,
        trial_id: int | None = None,
        *,
        to: str | os.PathLike[str],
        resource: int | None = None,
    ) -> Checkpoint:
        """Copies a checkpoint's files into the folder `to`, which is there only once all of them are and are verified.

        Without `trial_id` of the best trial; without `resource` the one with its result, or where that is not kept the
        furthest trained. Raises NotFound where there is none, InvalidInput where the folder is not empty, Unavailable
        where the store cannot be reached, RungmasterError where the checkpoint is not whole.
        """
        if trial_id is None:
            best = self.best(experiment_id)
            if best is None:
                raise NotFound(
                    f"experiment {experiment_id} has no result yet, so there is no best trial",
                    experiment_id=experiment_id,
                )
            trial_id = best.trial_id
        details = self.trial(experiment_id, trial_id)
        chosen = choose_checkpoint(self.get(experiment_id), details.trial, details.checkpoints, resource)
        fetch_checkpoint(chosen, Path(to), self._folders())
        return chosen

    def located(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint with its whole address, where its URI is relative and it is found from here."""
        return located(checkpoint, self._folders())

    def _folders(self) -> list[Path]:
        """Where relative checkpoints may lie."""
        return [Path()]

    def acts(
        self,
        experiment_id: int | None = None,
        *,
        who: str = "",
        since: datetime | None = None,
        oldest_first: bool = False,
    ) -> Iterator[Act]:
        """What people did, to any experiment and worker or to the one experiment, the newest first; only by `who`, and
        from the time `since` on (UTC where it has no time zone), where these are given. Deleted experiments are in it.
        """
        return from_messages(self.connection.pages(requests.list_acts(experiment_id, who, since, oldest_first)), Act)

    def workers(self) -> tuple[Worker, ...]:
        """The workers that are connected, or whose leases are held for them, by name."""
        return tuple(from_messages(self.connection.call(cluster_pb2.ListWorkersRequest()).workers, Worker))

    def drain(self, worker: str, *, wait: bool = False) -> Worker:
        """Has a worker save and give back what it trains, and leave; by its name, or its session id.

        Returns at once, or with `wait` when it has left. Raises NotFound where there is none, InvalidInput where
        several have the name.
        """
        answer = self.connection.call(cluster_pb2.DrainWorkerRequest(worker=worker))
        drained = from_message(answer.worker, Worker)
        if wait:
            self.wait_until_left(drained)
        return drained

    def wait_until_left(self, worker: Worker) -> None:
        """Returns when a worker is not connected any more and none of its leases is held for it."""
        while any(other.session_id == worker.session_id for other in self.workers()):
            time.sleep(_POLL_INTERVAL_S)

    def master_info(self) -> MasterInfo:
        """The master that answers: its version, term, database and how busy it is."""
        return from_message(self.connection.call(cluster_pb2.GetMasterInfoRequest()), MasterInfo)
