"""Serves a database that is only read, to the one process that has the socket: the same calls, without a master."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

import grpc

from ...proto.v1 import cluster_pb2_grpc, experiment_pb2_grpc
from ...shared.errors import FailedPrecondition
from ..dispatcher.broadcast import Broadcast
from ..dispatcher.clock import Now
from ..dispatcher.core import Core
from ..ledger.read.reader import Reader
from .cluster import ClusterServicer
from .errors import ErrorInterceptor
from .experiments import ExperimentServicer
from .server import OPTIONS

T = TypeVar("T")


class NoWriter:
    """Stands where a master has its writer: whatever is to be changed, or is known to a master only, is refused."""

    def __init__(self, database: str) -> None:
        self._database = database
        #: Never tells: whoever watches looks now and then.
        self.broadcast = Broadcast()

    async def execute(self, command: Callable[[Core, Now], T]) -> NoReturn:
        """Raises FailedPrecondition."""
        del command
        raise FailedPrecondition(f"{self._database} is only read here: this needs a master that runs on it")


class ReadingServer:
    """Serves one reader on a Unix socket."""

    def __init__(self, reader: Reader) -> None:
        writer = NoWriter(reader.database.name)
        self._server = grpc.aio.server(interceptors=(ErrorInterceptor(),), options=OPTIONS)
        experiment_pb2_grpc.add_ExperimentServiceServicer_to_server(ExperimentServicer(writer, reader), self._server)
        cluster_pb2_grpc.add_ClusterServiceServicer_to_server(
            ClusterServicer(writer, reader.database.kind, "nobody"), self._server
        )

    async def start(self, address: str) -> None:
        """Listens at `unix:PATH`."""
        self._server.add_insecure_port(address)
        await self._server.start()

    async def stop(self) -> None:
        """Ends at once."""
        await self._server.stop(0)
