"""Every RPC that people use, one method each: plain arguments in, the message of `proto/v1` out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from ..proto.v1 import cluster_pb2, experiment_pb2
from ..shared.errors import InvalidInput
from ..shared.wire.convert import from_number, to_number
from ..shared.wire.model import ExperimentState, TrialOrder, TrialState
from .connection import MasterConnection
from .user import user_name

T = TypeVar("T")

PAGE_SIZE = 1000


class Calls:
    """The services of a master as methods. Long lists are iterators that fetch a page at a time.

    Every method raises RungmasterError, mostly NotFound, FailedPrecondition, InvalidInput or Unavailable.
    """

    def __init__(self, connection: MasterConnection) -> None:
        self.connection = connection

    def create_experiment(
        self, spec: str, request_id: str, code: Mapping[str, str] = MappingProxyType({})
    ) -> experiment_pb2.CreateExperimentResponse:
        """Gives a spec (YAML or JSON text) with the fingerprint of its `code`; a repeated `request_id` gives the first
        answer again. Its owner is the user of this process, where the master does not know the caller better."""
        request = experiment_pb2.CreateExperimentRequest(spec=spec, request_id=request_id, code=code, owner=user_name())
        return self.connection.call(request, experiment_pb2.CreateExperimentResponse)

    def get_experiment(self, experiment_id: int, *, troubles: bool = False) -> experiment_pb2.GetExperimentResponse:
        """One experiment, whole; with `troubles` what went wrong in it, too."""
        request = experiment_pb2.GetExperimentRequest(experiment_id=experiment_id, troubles=troubles)
        return self.connection.call(request, experiment_pb2.GetExperimentResponse)

    def list_experiments(
        self, states: Iterable[ExperimentState] = (), name_contains: str = "", page_size: int = 100
    ) -> Iterator[experiment_pb2.Experiment]:
        """Experiments, newest first."""
        numbers = [to_number(state) for state in states]

        def page(token: str) -> tuple[Iterable[experiment_pb2.Experiment], str]:
            request = experiment_pb2.ListExperimentsRequest(
                states=numbers, name_contains=name_contains, page_size=page_size, page_token=token
            )
            answer = self.connection.call(request, experiment_pb2.ListExperimentsResponse)
            return answer.experiments, answer.next_page_token

        return _pages(page)

    def pause_experiment(self, experiment_id: int) -> experiment_pb2.PauseExperimentResponse:
        """Hands out no more work of it."""
        request = experiment_pb2.PauseExperimentRequest(experiment_id=experiment_id)
        return self.connection.call(request, experiment_pb2.PauseExperimentResponse)

    def resume_experiment(self, experiment_id: int) -> experiment_pb2.ResumeExperimentResponse:
        """Lets a paused one go on."""
        request = experiment_pb2.ResumeExperimentRequest(experiment_id=experiment_id)
        return self.connection.call(request, experiment_pb2.ResumeExperimentResponse)

    def cancel_experiment(self, experiment_id: int) -> experiment_pb2.CancelExperimentResponse:
        """Stops it for good."""
        request = experiment_pb2.CancelExperimentRequest(experiment_id=experiment_id)
        return self.connection.call(request, experiment_pb2.CancelExperimentResponse)

    def set_experiment(
        self,
        experiment_id: int,
        priority: int | None = None,
        weight: float | None = None,
        max_concurrent_trials: int | None = None,
    ) -> experiment_pb2.SetExperimentResponse:
        """Changes what is given; 0 trials at once: every free slot."""
        given = {"priority": priority, "weight": weight, "max_concurrent_trials": max_concurrent_trials}
        values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        try:
            request = experiment_pb2.SetExperimentRequest(experiment_id=experiment_id, **values)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"{', '.join(f'{name}={value!r}' for name, value in values.items())}: {error}") from None
        return self.connection.call(request, experiment_pb2.SetExperimentResponse)

    def delete_experiment(self, experiment_id: int) -> experiment_pb2.DeleteExperimentResponse:
        """Deletes the records of one that has ended."""
        request = experiment_pb2.DeleteExperimentRequest(experiment_id=experiment_id)
        return self.connection.call(request, experiment_pb2.DeleteExperimentResponse)

    def thin_experiment(self, experiment_id: int, keep_every: int) -> experiment_pb2.ThinExperimentResponse:
        """Drops most reports of one that has ended."""
        request = experiment_pb2.ThinExperimentRequest(experiment_id=experiment_id, keep_every=keep_every)
        return self.connection.call(request, experiment_pb2.ThinExperimentResponse)

    def list_trials(
        self,
        experiment_id: int,
        states: Iterable[TrialState] = (),
        order: TrialOrder = TrialOrder.ID,
        page_size: int = PAGE_SIZE,
    ) -> Iterator[experiment_pb2.Trial]:
        """Trials, by id or the best metric first."""
        numbers = [to_number(state) for state in states]

        def page(token: str) -> tuple[Iterable[experiment_pb2.Trial], str]:
            request = experiment_pb2.ListTrialsRequest(
                experiment_id=experiment_id,
                states=numbers,
                order=to_number(order),
                page_size=page_size,
                page_token=token,
            )
            answer = self.connection.call(request, experiment_pb2.ListTrialsResponse)
            return answer.trials, answer.next_page_token

        return _pages(page)

    def get_trial(self, experiment_id: int, trial_id: int) -> experiment_pb2.GetTrialResponse:
        """One trial with its leases and checkpoints."""
        request = experiment_pb2.GetTrialRequest(experiment_id=experiment_id, trial_id=trial_id)
        return self.connection.call(request, experiment_pb2.GetTrialResponse)

    def list_metrics(
        self, experiment_id: int, trial_id: int, page_size: int = PAGE_SIZE
    ) -> Iterator[experiment_pb2.Report]:
        """What a trial reported, in the order in which the master accepted it."""

        def page(token: str) -> tuple[Iterable[experiment_pb2.Report], str]:
            request = experiment_pb2.ListMetricsRequest(
                experiment_id=experiment_id, trial_id=trial_id, page_size=page_size, page_token=token
            )
            answer = self.connection.call(request, experiment_pb2.ListMetricsResponse)
            return answer.reports, answer.next_page_token

        return _pages(page)

    def watch_experiment(self, experiment_id: int, after: int = 0) -> Iterator[experiment_pb2.Event]:
        """Events after the one numbered `after`, each once and in order, until it has ended with all its trials.

        A stream that breaks is opened again after the last event seen.
        """
        last = after

        def request() -> experiment_pb2.WatchExperimentRequest:
            return experiment_pb2.WatchExperimentRequest(experiment_id=experiment_id, after_event_id=last)

        for answer in self.connection.stream(request, experiment_pb2.WatchExperimentResponse):
            for event in answer.events:
                if event.event_id > last:
                    last = event.event_id
                    yield event
            if _says_over(answer):
                return

    def watch_reports(self, experiment_id: int, after: str = "") -> Iterator[experiment_pb2.WatchReportsResponse]:
        """Messages with the reports of all trials after a position, each once and in order, until it has ended.

        A stream that breaks is opened again after the last message seen.
        """
        last = after

        def request() -> experiment_pb2.WatchReportsRequest:
            return experiment_pb2.WatchReportsRequest(experiment_id=experiment_id, after=last)

        for answer in self.connection.stream(request, experiment_pb2.WatchReportsResponse):
            last = answer.position
            yield answer
            if _says_over(answer):
                return

    def list_workers(self) -> cluster_pb2.ListWorkersResponse:
        """The workers that are connected, or whose leases are held for them."""
        return self.connection.call(cluster_pb2.ListWorkersRequest(), cluster_pb2.ListWorkersResponse)

    def drain_worker(self, worker: str) -> cluster_pb2.DrainWorkerResponse:
        """Has a worker leave, by its name or session id."""
        request = cluster_pb2.DrainWorkerRequest(worker=worker)
        return self.connection.call(request, cluster_pb2.DrainWorkerResponse)

    def get_master_info(self) -> cluster_pb2.GetMasterInfoResponse:
        """The master that answers."""
        return self.connection.call(cluster_pb2.GetMasterInfoRequest(), cluster_pb2.GetMasterInfoResponse)


def _says_over(answer: experiment_pb2.WatchExperimentResponse | experiment_pb2.WatchReportsResponse) -> bool:
    """Whether nothing can follow in a stream."""
    return bool(answer.state) and from_number(answer.state, ExperimentState).ended and not answer.ending


def _pages(page: Callable[[str], tuple[Iterable[T], str]]) -> Iterator[T]:
    token = ""
    while True:
        items, token = page(token)
        yield from items
        if not token:
            return
