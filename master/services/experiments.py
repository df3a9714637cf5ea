"""ExperimentService: reads come from the database, writes go through the writer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Protocol, TypeVar

import grpc

from ...proto.v1 import experiment_pb2 as pb
from ...proto.v1 import experiment_pb2_grpc
from ...shared.errors import FailedPrecondition, InvalidInput
from ...shared.idle_threads import IdleThreads
from ...shared.limits import (
    MAX_CHECKSUM,
    MAX_CODE_FILES,
    MAX_ID,
    MAX_KEEP_EVERY,
    MAX_OWNER,
    MAX_STATES,
    MAX_URI_BYTES,
)
from ...shared.space.space import repetition
from ...shared.spec.settings import ExperimentSettings
from ...shared.spec.spec import Spec, is_spec_of, parse_settings, parse_with_space
from ...shared.wire import convert
from ...shared.wire.model import Experiment, ExperimentState, TrialOrder, TrialState
from ...shared.wire.positions import ReportPosition
from ..dispatcher.acts import AuditedAct, on_experiment
from ..dispatcher.broadcast import Broadcast
from ..dispatcher.core import Core
from ..dispatcher.setup import set_up
from ..experiment.life.retention import thinner
from ..experiment.setup import ExperimentSetup, Owner
from ..ledger.read.queries.acts import ActFilter
from ..ledger.read.reader import Reader
from .bundles import check_count, check_text, seconds_of
from .callers import actor_of, caller_name, caller_role, write_in_time
from .curves import CurveReads
from .extending import Executor, extend
from .logs.relay import LogRelay
from .logs.trial_logs import LogQuestion, TrialLogs
from .security.steering import check_steering
from .warm_start import warm_started
from .watching import Journals, ReportStreams, Streams, Watches

T = TypeVar("T")
P = TypeVar("P")
Context = grpc.aio.ServicerContext

#: Reads at once. Specs are read one after the other, beside them: a large one takes seconds.
READERS = 4
DEFAULT_PAGE, DEFAULT_REPORTS = 100, 1000


class Commands(Executor, Protocol):
    """What these services need of the writer."""

    broadcast: Broadcast


class ExperimentServicer(experiment_pb2_grpc.ExperimentServiceServicer):
    """Decodes, asks, encodes; what may be long is encoded in the thread that has read it."""

    def __init__(self, writer: Commands, reader: Reader, relay: LogRelay | None = None) -> None:
        """`relay` asks workers for logs; None where there are none."""
        self._writer = writer
        self._reader = reader
        self._threads = IdleThreads(READERS, "reader")
        self._specs = IdleThreads(1, "spec")
        watches = Watches(self._read)
        self._journals = Journals(reader, writer.broadcast, watches)
        self._reports = ReportStreams(reader, writer.broadcast, watches)
        self._curves = CurveReads(reader, watches)
        self._logs = TrialLogs(reader, self._read, writer.broadcast, relay)

    async def _read(self, query: Callable[[], T]) -> T:
        return await self._threads.begin(query)

    async def _experiment(self, experiment_id: int) -> Experiment:
        return await self._read(lambda: self._reader.get_experiment(experiment_id))

    async def _to_steer(self, experiment_id: int, method: str) -> Experiment:
        """An experiment on which the caller may call this method. Raises NotFound, PermissionDenied."""
        experiment = await self._experiment(experiment_id)
        check_steering(caller_name.get(), caller_role.get(), experiment, method)
        return experiment

    async def CreateExperiment(  # noqa: N802
        self, request: pb.CreateExperimentRequest, context: Context
    ) -> pb.CreateExperimentResponse:
        """See the .proto."""
        check_text("request_id", request.request_id, MAX_ID)
        check_count("code", len(request.code), MAX_CODE_FILES)
        for path, digest in request.code.items():
            check_text("code", path, MAX_URI_BYTES, least=1, what="a path")
            check_text(f"code[{path}]", digest, MAX_CHECKSUM)
        check_text("owner", request.owner, MAX_OWNER)
        code, actor = dict(sorted(request.code.items())), actor_of(context)
        owner = Owner(actor.name or request.owner, actor.known_by)
        asked, plan, warnings = await self._specs.begin(_accepted, request.spec, self._reader)
        claimed = {} if actor.known_by or not owner.name else {"claimed": owner.name}
        act = AuditedAct("submit", actor, plan.spec.name, claimed)
        created = await self._writer.execute(
            on_experiment(act, lambda core, _: core.create(plan, request.request_id, code, owner))
        )
        experiment = await self._experiment(created)
        if request.request_id:
            caller = caller_name.get()
            await self._specs.begin(_check_same, request.request_id, experiment, asked, caller)
        return pb.CreateExperimentResponse(experiment=convert.to_message(experiment), warnings=warnings)

    async def GetExperiment(  # noqa: N802
        self, request: pb.GetExperimentRequest, context: Context
    ) -> pb.GetExperimentResponse:
        """See the .proto."""
        del context
        experiment = await self._experiment(request.experiment_id)
        troubles = await self._read(lambda: self._reader.troubles(request.experiment_id)) if request.troubles else ()
        return pb.GetExperimentResponse(
            experiment=convert.to_message(experiment), troubles=map(convert.to_message, troubles)
        )

    async def ListExperiments(  # noqa: N802
        self, request: pb.ListExperimentsRequest, context: Context
    ) -> pb.ListExperimentsResponse:
        """See the .proto."""
        del context
        check_count("states", len(request.states), MAX_STATES)
        states = [convert.from_number(state, ExperimentState) for state in request.states]

        def query() -> pb.ListExperimentsResponse:
            size = request.page_size or DEFAULT_PAGE
            found, token = self._reader.list_experiments(states, request.name_contains, size, request.page_token)
            return pb.ListExperimentsResponse(experiments=map(convert.to_message, found), next_page_token=token)

        return await self._read(query)

    async def _steer(
        self, experiment: Experiment, act: AuditedAct, command: Callable[[Core, int], None], wanted: ExperimentState
    ) -> pb.Experiment:
        """Takes an experiment to a state; where it is in that state already, nothing changes."""
        number = experiment.experiment_id
        if experiment.state is wanted:
            return convert.to_message(experiment)
        if experiment.state.ended:
            raise FailedPrecondition(f"experiment {number} has ended: it is {experiment.state}", experiment_id=number)
        await self._writer.execute(on_experiment(act, lambda core, _: command(core, number)))
        return convert.to_message(await self._experiment(number))

    async def PauseExperiment(  # noqa: N802
        self, request: pb.PauseExperimentRequest, context: Context
    ) -> pb.PauseExperimentResponse:
        """See the .proto."""
        found = await self._to_steer(request.experiment_id, "PauseExperiment")
        act = AuditedAct("pause", actor_of(context), found.name)
        return pb.PauseExperimentResponse(experiment=await self._steer(found, act, Core.pause, ExperimentState.PAUSED))

    async def ResumeExperiment(  # noqa: N802
        self, request: pb.ResumeExperimentRequest, context: Context
    ) -> pb.ResumeExperimentResponse:
        """See the .proto."""
        found = await self._to_steer(request.experiment_id, "ResumeExperiment")
        act = AuditedAct("resume", actor_of(context), found.name)
        return pb.ResumeExperimentResponse(
            experiment=await self._steer(found, act, Core.resume, ExperimentState.ACTIVE)
        )

    async def CancelExperiment(  # noqa: N802
        self, request: pb.CancelExperimentRequest, context: Context
    ) -> pb.CancelExperimentResponse:
        """See the .proto."""
        found = await self._to_steer(request.experiment_id, "CancelExperiment")
        act = AuditedAct("cancel", actor_of(context), found.name)
        return pb.CancelExperimentResponse(
            experiment=await self._steer(found, act, Core.cancel, ExperimentState.CANCELLED)
        )

    async def SetExperiment(  # noqa: N802
        self, request: pb.SetExperimentRequest, context: Context
    ) -> pb.SetExperimentResponse:
        """See the .proto."""
        number = request.experiment_id
        experiment = await self._to_steer(number, "SetExperiment")
        settings = _settings(request)
        if experiment.state.ended:
            raise FailedPrecondition(f"experiment {number} has ended: it is {experiment.state}", experiment_id=number)
        act = AuditedAct("set", actor_of(context), experiment.name, settings.model_dump(exclude_unset=True))
        await self._writer.execute(on_experiment(act, lambda core, _: core.change(number, settings)))
        return pb.SetExperimentResponse(experiment=convert.to_message(await self._experiment(number)))

    async def ExtendExperiment(  # noqa: N802
        self, request: pb.ExtendExperimentRequest, context: Context
    ) -> pb.ExtendExperimentResponse:
        """See the .proto."""
        number = request.experiment_id
        before = await self._to_steer(number, "ExtendExperiment")
        act = AuditedAct("extend", actor_of(context), before.name, {"max_trials": request.max_trials})
        await extend(self._writer, self._reader, before, request.max_trials, act)
        return pb.ExtendExperimentResponse(experiment=convert.to_message(await self._experiment(number)))

    async def DeleteExperiment(  # noqa: N802
        self, request: pb.DeleteExperimentRequest, context: Context
    ) -> pb.DeleteExperimentResponse:
        """See the .proto."""
        number = request.experiment_id
        experiment = await self._to_steer(number, "DeleteExperiment")
        if not experiment.state.ended:
            raise FailedPrecondition(
                f"experiment {number} is {experiment.state}: cancel it first", experiment_id=number
            )
        act = AuditedAct("delete", actor_of(context), experiment.name, {"owner": experiment.owner})
        await self._writer.execute(on_experiment(act, lambda core, _: core.delete(number)))
        return pb.DeleteExperimentResponse()

    async def ThinExperiment(  # noqa: N802
        self, request: pb.ThinExperimentRequest, context: Context
    ) -> pb.ThinExperimentResponse:
        """See the .proto."""
        number, asked = request.experiment_id, request.keep_every
        experiment = await self._to_steer(number, "ThinExperiment")
        if not 0 <= asked <= MAX_KEEP_EVERY:
            raise InvalidInput(f"keep_every: must be 0 to {MAX_KEEP_EVERY:,}, got {asked}")
        if not experiment.state.ended:
            raise FailedPrecondition(
                f"experiment {number} is {experiment.state}: wait for its end, or cancel it first", experiment_id=number
            )
        before = experiment.thinning.keep_every if experiment.thinning else None
        wanted = thinner(before, asked)
        if wanted != before:
            act = AuditedAct("thin", actor_of(context), experiment.name, {"keep_every": wanted})
            command = on_experiment(act, lambda core, _: core.thin(number, wanted, "a person asked for it"))
            await self._writer.execute(command)
            experiment = await self._experiment(number)
        return pb.ThinExperimentResponse(experiment=convert.to_message(experiment))

    async def ListTrials(self, request: pb.ListTrialsRequest, context: Context) -> pb.ListTrialsResponse:  # noqa: N802
        """See the .proto."""
        del context
        check_count("states", len(request.states), MAX_STATES)
        states = [convert.from_number(state, TrialState) for state in request.states]
        order = convert.from_number(request.order, TrialOrder) if request.order else TrialOrder.ID

        def query() -> pb.ListTrialsResponse:
            size = request.page_size or DEFAULT_PAGE
            found, token = self._reader.list_trials(request.experiment_id, states, order, size, request.page_token)
            return pb.ListTrialsResponse(trials=map(convert.to_message, found), next_page_token=token)

        return await self._read(query)

    async def GetTrial(self, request: pb.GetTrialRequest, context: Context) -> pb.GetTrialResponse:  # noqa: N802
        """See the .proto."""
        del context

        def query() -> pb.GetTrialResponse:
            trial, leases, checkpoints, children = self._reader.get_trial(request.experiment_id, request.trial_id)
            return pb.GetTrialResponse(
                trial=convert.to_message(trial),
                leases=map(convert.to_message, leases),
                checkpoints=map(convert.to_message, checkpoints),
                children=children,
            )

        return await self._read(query)

    async def ListMetrics(self, request: pb.ListMetricsRequest, context: Context) -> pb.ListMetricsResponse:  # noqa: N802
        """See the .proto."""
        del context

        def query() -> pb.ListMetricsResponse:
            number, size = request.experiment_id, request.page_size or DEFAULT_REPORTS
            found, token = self._reader.list_reports(number, request.trial_id, size, request.page_token)
            return pb.ListMetricsResponse(reports=map(convert.to_message, found), next_page_token=token)

        return await self._read(query)

    async def ListActs(self, request: pb.ListActsRequest, context: Context) -> pb.ListActsResponse:  # noqa: N802
        """See the .proto."""
        del context
        check_text("who", request.who, MAX_OWNER)
        since = seconds_of("since_time", request.since_time) if request.HasField("since_time") else 0.0
        wanted = ActFilter(request.experiment_id, request.who, since, request.oldest_first)

        def query() -> pb.ListActsResponse:
            found, token = self._reader.list_acts(wanted, request.page_size, request.page_token)
            return pb.ListActsResponse(acts=map(convert.to_message, found), next_page_token=token)

        return await self._read(query)

    async def WatchExperiment(self, request: pb.WatchExperimentRequest, context: Context) -> None:  # noqa: N802
        """See the .proto."""
        await self._pass_on(self._journals, request.experiment_id, request.after_event_id, context)

    async def WatchReports(self, request: pb.WatchReportsRequest, context: Context) -> None:  # noqa: N802
        """See the .proto."""
        await self._pass_on(self._reports, request.experiment_id, ReportPosition.parse(request.after), context)

    async def ReadCurves(self, request: pb.ReadCurvesRequest, context: Context) -> None:  # noqa: N802
        """See the .proto."""
        async with contextlib.aclosing(self._curves.answers(request)) as answers:
            async for answer in answers:
                await write_in_time(context, answer)

    async def ReadTrialLog(self, request: pb.ReadTrialLogRequest, context: Context) -> None:  # noqa: N802
        """See the .proto."""
        async with contextlib.aclosing(self._logs.answers(LogQuestion.of(request))) as answers:
            async for answer in answers:
                await write_in_time(context, answer)

    async def _pass_on(self, streams: Streams[P], experiment_id: int, after: P, context: Context) -> None:
        async with contextlib.aclosing(streams.follow(experiment_id, after)) as messages:
            async for message in messages:
                await context.write(message)


def _settings(request: pb.SetExperimentRequest) -> ExperimentSettings:
    names = [name for name in ExperimentSettings.model_fields if request.HasField(name)]
    if not names:
        raise InvalidInput(f"nothing is to be set: give at least one of {', '.join(ExperimentSettings.model_fields)}")
    changes = {name: getattr(request, name) for name in names}
    if changes.get("max_concurrent_trials") == 0:
        changes["max_concurrent_trials"] = None
    return parse_settings(changes)


def _check_same(request_id: str, experiment: Experiment, spec: Spec, caller: str) -> None:
    """Raises InvalidInput where the experiment of a request id is not the one that is submitted now.

    That is always looked at: whether the experiment is new, only the database knows for sure.
    """
    used = f"request_id: {request_id} has been used for experiment {experiment.experiment_id}"
    if caller and experiment.owner and experiment.owner != caller:
        raise InvalidInput(f"{used} by {experiment.owner}; give an id of your own. Nothing was stored")
    if not is_spec_of(experiment.spec, spec):
        raise InvalidInput(f"{used}, whose spec is another one; give a new id for a new search. Nothing was stored")


def _accepted(text: str, reader: Reader) -> tuple[Spec, ExperimentSetup, list[str]]:
    """A spec that is right, what its search is made from, and what its user may not have meant or wants to know."""
    asked, space = parse_with_space(text)
    spec, told = warm_started(asked, reader)
    return asked, set_up(spec, space), [warning for warning in (repetition(spec, space), *told) if warning]
