"""The floor: a gRPC server that does nothing but answer. Its messages are those of WorkerService.

Every bundle of events is answered at once by one acknowledgement, with nothing stored, checked or decided: what any
master in Python over grpc.aio must do at the least. `Watch` of the health service, and a bare unary call, are there
for the other ways to carry a report. Started by `processes.floor`; prints its address when it serves.
"""

from __future__ import annotations

import asyncio

import grpc
from google.protobuf.empty_pb2 import Empty

from rungmaster.proto.v1 import worker_pb2, worker_pb2_grpc

UNARY = "/benchmarks.Floor/Report"


class Echo(worker_pb2_grpc.WorkerServiceServicer):
    async def Session(self, request_iterator: object, context: grpc.aio.ServicerContext) -> None:  # noqa: N802, ARG002
        while isinstance(request := await context.read(), worker_pb2.SessionRequest):
            await context.write(_answer(request))


def _answer(request: worker_pb2.SessionRequest) -> worker_pb2.SessionResponse:
    if request.events:
        last = request.events[-1]
        known = worker_pb2.Acknowledgement(lease=last.lease, sequence=last.sequence)
        return worker_pb2.SessionResponse(acknowledgements=[known])
    if request.HasField("work_request"):
        return worker_pb2.SessionResponse(assignments=[worker_pb2.Assignment(target=1)])
    return worker_pb2.SessionResponse(welcome=worker_pb2.Welcome(term=1))


async def _report(request: worker_pb2.SessionRequest, context: grpc.aio.ServicerContext) -> Empty:  # noqa: ARG001
    return Empty()


async def serve() -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    worker_pb2_grpc.add_WorkerServiceServicer_to_server(Echo(), server)
    unary = grpc.unary_unary_rpc_method_handler(
        _report,  # pyright: ignore[reportArgumentType] - grpc.aio takes coroutines
        request_deserializer=worker_pb2.SessionRequest.FromString,
        response_serializer=Empty.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("benchmarks.Floor", {"Report": unary}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"ready on 127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve())
