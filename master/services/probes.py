"""The health, served at an address and in a thread of its own: no flood of the master's other callers gets there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

from ...shared.errors import InvalidInput
from .listening import check_free

#: Little is said here, by few, and soon: whoever keeps a connection opens another after some seconds.
_OPTIONS = (
    ("grpc.max_receive_message_length", 1_024),
    ("grpc.max_concurrent_streams", 8),
    ("grpc.max_connection_age_ms", 10_000),
    ("grpc.max_connection_age_grace_ms", 2_000),
    ("grpc.server_handshake_timeout_ms", 5_000),
    ("grpc.so_reuseport", 0),
)
_CALLS = 256


class Probes:
    """Answers `Health/Check` in plain text, and nothing else."""

    def __init__(self, names: tuple[str, ...]) -> None:
        """`names` are the services that have a health; they have the same."""
        self._names = names
        self._status: Any = health_pb2.HealthCheckResponse.NOT_SERVING
        self._server = grpc.server(
            ThreadPoolExecutor(1, thread_name_prefix="probes"), options=_OPTIONS, maximum_concurrent_rpcs=_CALLS
        )
        check = grpc.unary_unary_rpc_method_handler(
            self._check, health_pb2.HealthCheckRequest.FromString, health_pb2.HealthCheckResponse.SerializeToString
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(health.SERVICE_NAME, {"Check": check}),)
        )

    def start(self, address: str) -> None:
        """Listens. Raises InvalidInput where the address cannot be listened on."""
        check_free(address, "--health-listen")
        try:
            self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise InvalidInput(f"--health-listen {address}: cannot listen there: {error}") from error
        self._server.start()

    def set_ready(self, ready: bool) -> None:
        """What whoever asks is told from now on."""
        serving = health_pb2.HealthCheckResponse
        self._status = serving.SERVING if ready else serving.NOT_SERVING

    def stop(self) -> None:
        """Ends at once."""
        self._server.stop(0)

    def _check(self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext) -> Any:
        if request.service and request.service not in self._names:
            context.abort(grpc.StatusCode.NOT_FOUND, "there is no such service here")
        return health_pb2.HealthCheckResponse(status=self._status)
