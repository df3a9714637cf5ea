"""`Client`: a master's experiments, trials and workers as Python values."""

from __future__ import annotations

import os
import secrets
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ..shared.errors import NotFound
from ..shared.net.addresses import DEFAULT_ADDRESS, parse_addresses
from ..shared.net.credentials import NO_CREDENTIALS, Credentials
from ..shared.wire import convert
from ..shared.wire.model import (
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
from .calls import Calls
from .connection import MasterConnection
from .fetching import choose_checkpoint, fetch_checkpoint, located
from .fingerprint import changes, fingerprint_of_spec
from .specs import spec_text

if TYPE_CHECKING:
    from ..shared.spec.spec import Spec

#: Seconds between two looks at something of which a master gives no stream.
_LOOK_SECONDS = 0.2


class TrialDetails(NamedTuple):
    """A trial with its assignments and its checkpoints, both oldest first."""

    trial: TrialInfo
    leases: tuple[Lease, ...]
    checkpoints: tuple[Checkpoint, ...]


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
        self.calls = Calls(MasterConnection(parse_addresses(text), timeout, credentials))

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where the master may be, as `host:port` each."""
        return self.calls.connection.addresses

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; iterators that are still open fail."""
        self.calls.connection.close()

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
        text = spec_text(spec)
        code = fingerprint_of_spec(text, Path.cwd())
        answer = self.calls.create_experiment(text, request_id or secrets.token_hex(16), code)
        return convert.from_message(answer.experiment, Experiment), tuple(answer.warnings)

    def get(self, experiment_id: int) -> Experiment:
        """An experiment with its spec, brackets, counts and best trial."""
        return convert.from_message(self.calls.get_experiment(experiment_id).experiment, Experiment)

    def troubles(self, experiment_id: int) -> tuple[Trouble, ...]:
        """What went wrong in an experiment: trials that failed, attempts that were repeated and more, alike ones
        counted together."""
        answer = self.calls.get_experiment(experiment_id, troubles=True)
        return tuple(convert.from_messages(answer.troubles, Trouble))

    def list(self, *, states: Iterable[ExperimentState | str] = (), name_contains: str = "") -> Iterator[Experiment]:
        """Experiments, newest first, without spec and brackets; only those in `states`, where any are given."""
        messages = self.calls.list_experiments([ExperimentState(state) for state in states], name_contains)
        return convert.from_messages(messages, Experiment)

    def watch(self, experiment_id: int, *, after: int = 0) -> Iterator[Event]:
        """What happens in an experiment, from the event after number `after` on, until it has ended.

        Every event comes once, also when the master restarts or another takes over meanwhile.
        """
        return convert.from_messages(self.calls.watch_experiment(experiment_id, after), Event)

    def watch_reports(self, experiment_id: int, *, after: ReportPosition | str = "") -> Iterator[Report]:
        """What all trials of an experiment report, in the order in which it was stored, until it has ended.

        Every report after that position comes once, also when the master restarts or another takes over meanwhile.
        Whoever keeps the `position` of the last report, or its text, goes on from there at any time.
        """
        for answer in self.calls.watch_reports(experiment_id, str(after)):
            yield from convert.from_messages(answer.reports, Report)

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
        return convert.from_message(self.calls.pause_experiment(experiment_id).experiment, Experiment)

    def resume(self, experiment_id: int) -> Experiment:
        """Lets a paused experiment go on where it stood."""
        return convert.from_message(self.calls.resume_experiment(experiment_id).experiment, Experiment)

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
        answer = self.calls.set_experiment(experiment_id, priority, weight, max_concurrent_trials)
        return convert.from_message(answer.experiment, Experiment)

    def cancel(self, experiment_id: int) -> Experiment:
        """Stops an experiment for good; what was recorded stays."""
        return convert.from_message(self.calls.cancel_experiment(experiment_id).experiment, Experiment)

    def delete(self, experiment_id: int) -> None:
        """Deletes the records and checkpoints of an experiment that has ended."""
        self.calls.delete_experiment(experiment_id)

    def thin(self, experiment_id: int, *, keep_every: int = 0) -> Experiment:
        """Drops most reports of an experiment that has ended, in the background; its `thinning` says how far that is.

        Those stay that decided, each trial's best and its last, and with `keep_every` those whose sequence number is
        a multiple of it.
        """
        return convert.from_message(self.calls.thin_experiment(experiment_id, keep_every).experiment, Experiment)

    def trials(
        self,
        experiment_id: int,
        *,
        states: Iterable[TrialState | str] = (),
        order: TrialOrder | str = TrialOrder.ID,
    ) -> Iterator[TrialInfo]:
        """Trials by id, or (order "best") the best metric first, without those that have none."""
        kinds = [TrialState(state) for state in states]
        return convert.from_messages(self.calls.list_trials(experiment_id, kinds, TrialOrder(order)), TrialInfo)

    def trial(self, experiment_id: int, trial_id: int) -> TrialDetails:
        """One trial with its assignments and checkpoints."""
        answer = self.calls.get_trial(experiment_id, trial_id)
        return TrialDetails(
            convert.from_message(answer.trial, TrialInfo),
            tuple(convert.from_messages(answer.leases, Lease)),
            tuple(convert.from_messages(answer.checkpoints, Checkpoint)),
        )

    def metrics(self, experiment_id: int, trial_id: int) -> Iterator[Report]:
        """What a trial reported, in the order in which the master accepted it."""
        return convert.from_messages(self.calls.list_metrics(experiment_id, trial_id), Report)

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

    def workers(self) -> tuple[Worker, ...]:
        """The workers that are connected, or whose leases are held for them, by name."""
        return tuple(convert.from_messages(self.calls.list_workers().workers, Worker))

    def drain(self, worker: str, *, wait: bool = False) -> Worker:
        """Has a worker save and give back what it trains, and leave; by its name, or its session id.

        Returns at once, or with `wait` when it has left. Raises NotFound where there is none, InvalidInput where
        several have the name.
        """
        drained = convert.from_message(self.calls.drain_worker(worker).worker, Worker)
        if wait:
            self.wait_until_left(drained)
        return drained

    def wait_until_left(self, worker: Worker) -> None:
        """Returns when a worker is not connected any more and none of its leases is held for it."""
        while any(other.session_id == worker.session_id for other in self.workers()):
            time.sleep(_LOOK_SECONDS)

    def master_info(self) -> MasterInfo:
        """The master that answers: its version, term, database and how busy it is."""
        return convert.from_message(self.calls.get_master_info(), MasterInfo)
