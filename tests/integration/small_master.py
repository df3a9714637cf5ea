"""A scripted master that answers the services people use as well, from a few records in memory, with faults."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from rungmaster.proto.v1 import cluster_pb2, cluster_pb2_grpc, experiment_pb2, experiment_pb2_grpc
from rungmaster.shared.wire import convert, model
from rungmaster.shared.wire.model import ExperimentState, TrialState
from rungmaster.shared.wire.positions import ReportPosition
from rungmaster.worker.testing import ScriptedMaster

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def experiment(number: int, state: ExperimentState = ExperimentState.ACTIVE) -> model.Experiment:
    rungs = (model.Rung(0, 1, 4, 1, 1, 0.5), model.Rung(1, 3, 1, 0, 0, 0.25))
    return model.Experiment(
        experiment_id=number,
        name=f"search-{number}",
        state=state,
        state_reason="",
        metric="validation_error",
        goal="minimize",
        unit="epochs",
        create_time=NOW,
        end_time=NOW if state.ended else None,
        trial_counts={TrialState.RUNNING: 1, TrialState.PAUSED: 2, TrialState.FAILED: 1},
        planned_trials=8,
        resource_spent=6,
        resource_full=24,
        spec={"name": f"search-{number}"},
        brackets=(model.Bracket(0, 8, None, 4, rungs),),
        best_trial=trial(number, 1),
        leading_trial=trial(number, 1),
    )


def trial(experiment_id: int, number: int) -> model.TrialInfo:
    return model.TrialInfo(
        experiment_id=experiment_id,
        trial_id=number,
        state=TrialState.PAUSED,
        hparams={"width": 16 + number, "rate": 0.5},
        bracket_id=0,
        rung_id=0,
        resource=1,
        target=1,
        metric=1 / (number + 1),
        metric_resource=1,
        best_metric=1 / (number + 1),
        best_resource=1,
        restarts=0,
        workers_lost=0,
        state_reason="",
        create_time=NOW,
        end_time=None,
        worker="",
    )


def report(number: int) -> model.Report:
    return model.Report(number, {"validation_error": 1 / number}, 1, number, NOW, number % 3, 7 + number // 2)


def event(number: int, kind: str = "decision") -> model.Event:
    return model.Event(number, 1, number % 3, datetime.now(UTC), kind, {"resource": number})


class SmallMaster(
    ScriptedMaster, experiment_pb2_grpc.ExperimentServiceServicer, cluster_pb2_grpc.ClusterServiceServicer
):
    """Records in memory, and faults on demand.

    `faults` are raised one after the other by the next calls; `lost_answers` more answers are lost after they took
    effect; `events` is the journal of experiment 1, and a watch stream breaks after `events_per_stream` of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.experiments: dict[int, model.Experiment] = {}
        self.requests: dict[str, int] = {}
        self.trials = [trial(1, number) for number in range(5)]
        self.events: list[model.Event] = []
        self.events_per_stream = 1000
        self.reports: list[model.Report] = []
        self.faults: list[grpc.StatusCode | status_pb2.Status] = []
        #: With which the next reads of curves break in the middle; None: without a word.
        self.curve_faults: list[grpc.StatusCode | None] = []
        self.lost_answers = 0
        self.delay = 0.0
        self.calls: Counter[str] = Counter()
        self.watched_from: list[int] = []
        self.reports_watched_from: list[str] = []
        self.streams = 0

    def _register(self, server: grpc.Server) -> None:
        super()._register(server)
        experiment_pb2_grpc.add_ExperimentServiceServicer_to_server(self, server)
        cluster_pb2_grpc.add_ClusterServiceServicer_to_server(self, server)

    def _begin(self, name: str, context: grpc.ServicerContext) -> None:
        self.calls[name] += 1
        time.sleep(self.delay)
        if self.faults:
            _abort(context, self.faults.pop(0))

    def _end(self, context: grpc.ServicerContext) -> None:
        if self.lost_answers:
            self.lost_answers -= 1
            _abort(context, grpc.StatusCode.UNAVAILABLE)

    def _find(self, number: int, context: grpc.ServicerContext) -> model.Experiment:
        if number not in self.experiments:
            context.abort(grpc.StatusCode.NOT_FOUND, f"there is no experiment {number}")
        return self.experiments[number]

    def CreateExperiment(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._begin("create", context)
        if request.request_id not in self.requests:
            number = len(self.experiments) + 1
            self.experiments[number] = experiment(number)
            self.requests[request.request_id] = number
        self._end(context)
        found = self.experiments[self.requests[request.request_id]]
        return experiment_pb2.CreateExperimentResponse(experiment=convert.to_message(found))

    def GetExperiment(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._begin("get", context)
        found = self._find(request.experiment_id, context)
        return experiment_pb2.GetExperimentResponse(experiment=convert.to_message(found))

    def ListExperiments(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._begin("list", context)
        states = {convert.from_number(state, model.ExperimentState) for state in request.states}
        matching = [
            one
            for one in sorted(self.experiments.values(), key=lambda one: -one.experiment_id)
            if (not states or one.state in states) and request.name_contains in one.name
        ]
        page, token = _page(matching, request, 100)
        bare = [replace(one, spec={}, brackets=()) for one in page]
        messages = [convert.to_message(one) for one in bare]
        return experiment_pb2.ListExperimentsResponse(experiments=messages, next_page_token=token)

    def _change(self, request: Any, context: Any, state: ExperimentState) -> Any:
        self._begin(state.value, context)
        found = self._find(request.experiment_id, context)
        if found.state.ended:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"experiment {found.experiment_id} is {found.state}")
        self.experiments[found.experiment_id] = replace(found, state=state)
        return convert.to_message(self.experiments[found.experiment_id])

    def PauseExperiment(self, request: Any, context: Any) -> Any:  # noqa: N802
        changed = self._change(request, context, ExperimentState.PAUSED)
        return experiment_pb2.PauseExperimentResponse(experiment=changed)

    def ResumeExperiment(self, request: Any, context: Any) -> Any:  # noqa: N802
        changed = self._change(request, context, ExperimentState.ACTIVE)
        return experiment_pb2.ResumeExperimentResponse(experiment=changed)

    def CancelExperiment(self, request: Any, context: Any) -> Any:  # noqa: N802
        changed = self._change(request, context, ExperimentState.CANCELLED)
        return experiment_pb2.CancelExperimentResponse(experiment=changed)

    def DeleteExperiment(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._begin("delete", context)
        found = self._find(request.experiment_id, context)
        if not found.state.ended:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "cancel it first")
        del self.experiments[request.experiment_id]
        return experiment_pb2.DeleteExperimentResponse()

    def ListTrials(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._begin("trials", context)
        self._find(request.experiment_id, context)
        best = convert.from_number(request.order, model.TrialOrder) is model.TrialOrder.BEST
        ordered = sorted(self.trials, key=lambda one: (one.metric or 0.0) if best else one.trial_id)
        page, token = _page(ordered, request, 2)
        return experiment_pb2.ListTrialsResponse(trials=map(convert.to_message, page), next_page_token=token)

    def GetTrial(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._begin("trial", context)
        lease = model.Lease(
            1, "worker-1", 0, 1, NOW, NOW, "failed", "exited with code 1: ValueError: too wide\nTraceback"
        )
        checkpoint = model.Checkpoint("file:///c/1", 1, 100, "ab", 1, NOW, None)
        return experiment_pb2.GetTrialResponse(
            trial=convert.to_message(self.trials[request.trial_id]),
            leases=[convert.to_message(lease)],
            checkpoints=[convert.to_message(checkpoint)],
        )

    def ListMetrics(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._begin("metrics", context)
        reports = [replace(report(n), metrics={"validation_error": 1 / n, "loss": float("nan")}) for n in (1, 2, 3)]
        page, token = _page(reports, request, 2)
        return experiment_pb2.ListMetricsResponse(reports=map(convert.to_message, page), next_page_token=token)

    def WatchExperiment(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        self._begin("watch", context)
        self.watched_from.append(request.after_event_id)
        self.streams += 1
        try:
            yield from self._journal(request, context)
        finally:
            self.streams -= 1

    def _journal(self, request: Any, context: Any) -> Iterator[Any]:
        sent, last = 0, request.after_event_id
        while context.is_active():
            for one in [one for one in self.events if one.event_id > last]:
                if sent >= self.events_per_stream:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "the stream breaks")
                sent, last = sent + 1, one.event_id
                yield experiment_pb2.WatchExperimentResponse(events=[convert.to_message(one)])
            state = self._find(request.experiment_id, context).state
            if state.ended and not [one for one in self.events if one.event_id > last]:
                yield experiment_pb2.WatchExperimentResponse(state=convert.to_number(state))
                return
            time.sleep(0.01)

    def WatchReports(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        self._begin("watch reports", context)
        self.reports_watched_from.append(request.after)
        last = ReportPosition.parse(request.after)
        for sent in itertools.count():
            if sent == self.events_per_stream:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the stream breaks")
            found = [one for one in self.reports if one.position > last][:2]
            last = found[-1].position if found else last
            messages, state = map(convert.to_message, found), self._find(request.experiment_id, context).state
            answer = experiment_pb2.WatchReportsResponse(reports=messages, position=str(last), caught_up=not found)
            if not found:
                answer.state = convert.to_number(state)
            yield answer
            if state.ended and not found:
                return
            time.sleep(0.01)

    def ReadCurves(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        self._begin("curves", context)
        yield experiment_pb2.ReadCurvesResponse(curves=[experiment_pb2.Curve(trial_id=1)])
        if self.curve_faults:
            fault = self.curve_faults.pop(0)
            if fault is None:
                return
            _abort(context, fault)
        yield experiment_pb2.ReadCurvesResponse(end=experiment_pb2.CurvesEnd(position="1.2.3.4"))

    def ListWorkers(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._begin("workers", context)
        gpus = (model.Gpu("GPU-1", "H100", 80),)
        lease = model.LeaseRef(1, 2, 3)
        connected = model.WorkerState.CONNECTED
        worker = model.Worker(
            "s", "worker-1", "head", 7, "0.1.0", 2, 1, gpus, {"pool": "a"}, connected, NOW, (lease,), ""
        )
        return cluster_pb2.ListWorkersResponse(workers=[convert.to_message(worker)])

    def GetMasterInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._begin("info", context)
        return convert.to_message(model.MasterInfo("0.1.0", 3, NOW, "sqlite", 1, 1, 2, 1))


def wrong_spec(problems: Sequence[tuple[str, str]]) -> status_pb2.Status:
    """What a master answers to a wrong spec."""
    request = error_details_pb2.BadRequest()
    for path, description in problems:
        request.field_violations.add(field=path, description=description)
    return _status(code_pb2.INVALID_ARGUMENT, "the spec is wrong", request)


def overloaded() -> status_pb2.Status:
    """What a master answers that has too much to do."""
    return _status(code_pb2.RESOURCE_EXHAUSTED, "too many calls at once", error_details_pb2.RetryInfo())


def _status(code: int, message: str, detail: Any) -> status_pb2.Status:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return status_pb2.Status(code=code, message=message, details=[packed])


def _abort(context: grpc.ServicerContext, fault: grpc.StatusCode | status_pb2.Status) -> NoReturn:
    if isinstance(fault, status_pb2.Status):
        context.abort_with_status(rpc_status.to_status(fault))
    context.abort(fault, f"as told: {fault.name}")


def _page(items: Sequence[Any], request: Any, default: int) -> tuple[Sequence[Any], str]:
    start = int(request.page_token or 0)
    end = start + min(request.page_size or default, 3)
    return items[start:end], str(end) if end < len(items) else ""


def in_background(action: Callable[[], object]) -> threading.Thread:
    """Does something in a thread of its own."""
    thread = threading.Thread(target=action)
    thread.start()
    return thread
