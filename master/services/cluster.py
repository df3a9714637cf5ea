"""ClusterService: the workers and the master itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import grpc

from ...proto.v1 import cluster_pb2 as pb
from ...proto.v1 import cluster_pb2_grpc
from ...shared.limits import MAX_WORKER_TEXT
from ...shared.wire import convert
from ...shared.wire.model import MasterInfo, WorkerState
from ..dispatcher.acts import on_worker
from ..dispatcher.clock import Now
from ..dispatcher.core import Core
from .bundles import check_text
from .callers import actor_of, caller_name, caller_role
from .experiments import Commands

Context = grpc.aio.ServicerContext


class ClusterServicer(cluster_pb2_grpc.ClusterServiceServicer):
    """Asks the core through the writer, so that nothing is shown before it is durable."""

    def __init__(self, writer: Commands, database: str, holder: str) -> None:
        self._writer = writer
        self._database = database
        self._holder = holder
        self._start_time = datetime.now(UTC)

    async def ListWorkers(self, request: pb.ListWorkersRequest, context: Context) -> pb.ListWorkersResponse:  # noqa: N802
        """See the .proto."""
        del request, context
        workers = await self._writer.execute(lambda core, now: core.workers(now))
        return pb.ListWorkersResponse(workers=map(convert.to_message, workers))

    async def DrainWorker(self, request: pb.DrainWorkerRequest, context: Context) -> pb.DrainWorkerResponse:  # noqa: N802
        """See the .proto."""
        check_text("worker", request.worker, MAX_WORKER_TEXT, least=1)
        command = on_worker("drain", actor_of(context), lambda core, now: core.drain(request.worker, now))
        worker = await self._writer.execute(command)
        return pb.DrainWorkerResponse(worker=convert.to_message(worker))

    async def GetMasterInfo(self, request: pb.GetMasterInfoRequest, context: Context) -> pb.GetMasterInfoResponse:  # noqa: N802
        """See the .proto."""
        del request, context
        info = replace(await self._writer.execute(self._info), caller=caller_name.get(), role=caller_role.get() or "")
        return convert.to_message(info)

    def _info(self, core: Core, now: Now) -> MasterInfo:
        workers = core.workers(now)
        return MasterInfo(
            core.parameters.version,
            core.parameters.term,
            self._start_time,
            self._database,
            sum(experiment.active for experiment in core.experiments.values()),
            sum(worker.state is not WorkerState.DISCONNECTED for worker in workers),
            sum(worker.slots for worker in workers),
            sum(worker.slots_used for worker in workers),
            self._holder,
            database_id=core.parameters.database_id,
        )
