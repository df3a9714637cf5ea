"""The gRPC server: services, health, reflection, limits, and who may reach them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ...proto.v1 import (
    cluster_pb2,
    cluster_pb2_grpc,
    experiment_pb2,
    experiment_pb2_grpc,
    worker_pb2,
    worker_pb2_grpc,
)
from ...shared.errors import InvalidInput
from ...shared.limits import MAX_MESSAGE_BYTES
from ..dispatcher.writer import Writer
from ..ledger.read.reader import Reader
from .cluster import ClusterServicer
from .errors import LANES, ErrorInterceptor
from .experiments import ExperimentServicer
from .limits.gate import CallLimiter
from .listening import check_free
from .logs.relay import LogRelay
from .probes import Probes
from .security.access import AccessInterceptor
from .security.identity import Certificates, Security
from .security.tokens import Tokens
from .workers import WorkerServicer

#: Calls at once, of all kinds: the lanes are narrower; beyond it are those that have not reached one yet.
MAX_CALLS = sum(LANES.values()) + 1_000
#: Connections that one host may have, unless the operator says something else.
CONNECTIONS_OF_HOST = 2_000
#: The workers' keepalive pings come every 30 s; more often than this they would be refused.
OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A worker has one stream, a client a few.
    ("grpc.max_concurrent_streams", 128),
    # A connection has to say what it is, and then to be used; clients and workers open another when they need one.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.http2.settings_timeout", 10_000),
    ("grpc.max_connection_idle_ms", 600_000),
)
SERVICES = tuple(
    file.DESCRIPTOR.services_by_name[name].full_name
    for file, name in (
        (experiment_pb2, "ExperimentService"),
        (worker_pb2, "WorkerService"),
        (cluster_pb2, "ClusterService"),
    )
)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What stands before the services: TLS where there are certificates, a question for a token where there are any."""

    certificates: Certificates | None = None
    tokens: Tokens | None = None
    #: Connections that one host may have.
    connections_of_host: int = CONNECTIONS_OF_HOST
    #: Where the health is served by itself; empty for nowhere.
    health_listen: str = ""

    @classmethod
    def of(
        cls, security: Security, connections_of_host: int = CONNECTIONS_OF_HOST, health_listen: str = ""
    ) -> ServerOptions:
        """Reads the files. Raises InvalidInput where one cannot be used: a standby would learn it too late."""
        return cls(
            Certificates(security) if security.certificate is not None else None,
            Tokens(security.tokens) if security.tokens is not None else None,
            connections_of_host,
            health_listen,
        )


class Server:
    """Serves one writer and one reader on one address, and the health on one of its own where that is wanted."""

    def __init__(self, writer: Writer, reader: Reader, database: str, holder: str, guard: ServerOptions) -> None:
        self._gate = CallLimiter(guard.connections_of_host)
        self._probes = Probes(SERVICES) if guard.health_listen else None
        self._health_listen = guard.health_listen
        self._certificates = guard.certificates
        self._access = AccessInterceptor(guard.tokens) if guard.tokens is not None else None
        self._watches: list[asyncio.Task[None]] = []
        #: Whether calls can be answered now.
        self.ready = False
        access = () if self._access is None else (self._access,)
        interceptors = (self._gate, *access, ErrorInterceptor())
        self._server = grpc.aio.server(interceptors=interceptors, options=OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
        self._health = health.aio.HealthServicer()
        relay = LogRelay()
        experiments = ExperimentServicer(writer, reader, relay)
        experiment_pb2_grpc.add_ExperimentServiceServicer_to_server(experiments, self._server)
        worker_pb2_grpc.add_WorkerServiceServicer_to_server(WorkerServicer(writer, relay), self._server)
        cluster_pb2_grpc.add_ClusterServiceServicer_to_server(ClusterServicer(writer, database, holder), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self, address: str) -> int:
        """Listens, and gives the port. Raises InvalidInput where the address cannot be listened on."""
        if self._access is not None:
            # A standby may have waited for days.
            self._access.look()
        check_free(address)
        try:
            if self._certificates is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, self._certificates.credentials())
        except RuntimeError as error:
            raise InvalidInput(f"--listen {address}: cannot listen there: {error}") from error
        await self._server.start()
        if self._probes is not None:
            self._probes.start(self._health_listen)
        self._watches.append(asyncio.create_task(self._gate.keep_watch(port)))
        if self._access is not None:
            self._watches.append(asyncio.create_task(self._access.keep_watch()))
        await self.set_ready(True)
        return port

    async def set_ready(self, ready: bool) -> None:
        """Says through the health service whether calls can be answered now; not ready means, the database is away."""
        self.ready = ready
        if self._probes is not None:
            self._probes.set_ready(ready)
        status = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *SERVICES):
            await self._health.set(name, status)

    async def stop(self, grace_s: float) -> None:
        """Says that it is going, gives calls `grace_s` seconds to end, and closes."""
        self.ready = False
        if self._probes is not None:
            self._probes.set_ready(False)
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)
        for watch in self._watches:
            watch.cancel()
        if self._probes is not None:
            self._probes.stop()
