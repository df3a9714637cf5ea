"""Calls to a master that may be at one of several addresses, slow, restarting or gone for a while."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator, Iterator
from copy import deepcopy
from functools import cache
from typing import Any, NamedTuple

import grpc
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from ..proto.v1 import experiment_pb2
from ..shared.errors import Unavailable
from ..shared.net.addresses import is_announced
from ..shared.net.announcement import NotAnnounced, current
from ..shared.net.backoff import Backoff
from ..shared.net.channel import KEEPALIVE_S, check_secrecy, open_channel
from ..shared.net.credentials import NO_CREDENTIALS, Credentials
from ..shared.net.diagnosis import PATIENCE_S, diagnose
from ..shared.wire.convert import from_number
from ..shared.wire.model import ExperimentState
from .failures import is_perhaps_tls, is_silence, is_temporary, to_error

STREAM_TIMEOUT_S = 3600.0
"""A stream is opened anew after this long, so that none waits for ever on a master that hangs."""

HEALTHY_AFTER_S = KEEPALIVE_S + 15.0
"""A silent stream that stood this long had a live master at its other end, or keepalive would have broken it."""


class MasterConnection:
    """Calls with a deadline, repeated with backoff over all addresses while the master is out of reach.

    A request is a message of `proto/v1`, which says by its type which method is called; an answer is that method's.

    One attempt goes to one address; when it is out of reach the next one is tried, and after each round a wait with
    jitter. All of that together takes at most `timeout_s` seconds. What no repetition mends, such as a certificate that
    cannot be trusted, fails at once.
    """

    def __init__(self, addresses: tuple[str, ...], timeout_s: float, credentials: Credentials = NO_CREDENTIALS) -> None:
        """Raises InvalidInput where a token would leave this machine in plain text."""
        for address in addresses:
            # What is told in a file is checked when it is read.
            if not is_announced(address):
                check_secrecy(address, credentials)
        self.addresses = addresses
        self.timeout_s = timeout_s
        self.credentials = credentials
        #: Held for what is below: one connection may serve several threads.
        self._lock = threading.Lock()
        self._channels: dict[str, grpc.Channel] = {}
        self._current = 0
        self._closed = False

    @property
    def address(self) -> str:
        """The address that the next attempt goes to."""
        return self.addresses[self._current % len(self.addresses)]

    def with_timeout(self, timeout_s: float) -> MasterConnection:
        """Another connection to the same addresses with the same credentials."""
        return MasterConnection(self.addresses, timeout_s, self.credentials)

    def close(self) -> None:
        """Closes all channels; calls that run fail, and so do later ones.

        In a thread: a channel whose closing is interrupted, by Ctrl-C, can never be closed (grpcio 1.85).
        """
        with self._lock:
            self._closed = True
            channels = list(self._channels.values())
            self._channels.clear()
        closing = threading.Thread(target=lambda: [channel.close() for channel in channels], daemon=True)
        closing.start()
        closing.join()

    def call(self, request: Message) -> Any:
        """The answer to `request`. Raises RungmasterError as `failures.to_error` says, mostly NotFound,
        FailedPrecondition, InvalidInput or Unavailable."""
        method, attempts = method_of(request.DESCRIPTOR), Attempts(self)
        while True:
            address = self.address
            try:
                channel = self._channel(address)
                call = channel.unary_unary(method.path, type(request).SerializeToString, method.answer.FromString)
                return call(request, timeout=attempts.share())
            except (grpc.RpcError, NotAnnounced) as error:
                attempts.failed(address, error)

    def pages(self, request: Message) -> Iterator[Any]:
        """What a listing lists, from the page that `request` asks for on, each page fetched when it is needed."""
        asked: Any = deepcopy(request)
        while True:
            answer = self.call(asked)
            (listed,) = (field.name for field in answer.DESCRIPTOR.fields if field.is_repeated)
            yield from getattr(answer, listed)
            if not answer.next_page_token:
                return
            asked.page_token = answer.next_page_token

    def watch(self, request: Message) -> Generator[Any, None, None]:
        """The answers to WatchExperiment, WatchReports or ReadTrialLog, each once and in order, until nothing follows.

        A stream that breaks or ends before is opened again after the last answer. Raises Unavailable once nothing has
        arrived for `timeout_s` seconds of trying.
        """
        asked, attempts = deepcopy(request), None
        while True:
            opened, failure, address = time.monotonic(), None, self.address
            try:
                for answer in _open(self._channel(address), asked):
                    attempts = None
                    _ask_after(asked, answer)
                    yield answer
                    if _is_last(answer):
                        return
            except (grpc.RpcError, NotAnnounced) as error:
                failure = error
            if attempts is None or time.monotonic() - opened > HEALTHY_AFTER_S:
                attempts = Attempts(self)
            attempts.failed(address, failure)

    def curves(self, request: experiment_pb2.ReadCurvesRequest) -> list[experiment_pb2.ReadCurvesResponse]:
        """All answers to ReadCurves, the last one with its `end`. A stream that breaks is begun anew.

        Raises Unavailable once nothing has arrived for `timeout_s` seconds of trying, and what else `call` raises.
        """
        attempts = Attempts(self)
        while True:
            address, failure, answers = self.address, None, []
            try:
                for answer in _open(self._channel(address), request):
                    attempts = Attempts(self)
                    answers.append(answer)
                if answers and answers[-1].HasField("end"):
                    return answers
            except (grpc.RpcError, NotAnnounced) as error:
                failure = error
            attempts.failed(address, failure)

    def turn(self, address: str) -> None:
        """Goes on to the next address, unless another thread has gone on from this one already."""
        with self._lock:
            if self.address == address:
                self._current += 1

    def _channel(self, address: str) -> grpc.Channel:
        """The channel to one of the addresses. Raises NotAnnounced where it stands in a file that no master has
        written."""
        with self._lock:
            if self._closed:
                raise Unavailable("the client was closed")
            place = current(address)
            if place not in self._channels:
                self._channels[place] = open_channel(place, self.credentials)
            return self._channels[place]


def _open(channel: grpc.Channel, request: Message) -> Iterator[Any]:
    method = method_of(request.DESCRIPTOR)
    opening = channel.unary_stream(method.path, type(request).SerializeToString, method.answer.FromString)
    call: Any = opening(request, timeout=STREAM_TIMEOUT_S)
    try:
        yield from call
    finally:
        call.cancel()


def _ask_after(request: Any, answer: Any) -> None:
    """Has the request of a watch ask for what follows an answer."""
    if isinstance(request, experiment_pb2.WatchReportsRequest):
        request.after = answer.position
    elif isinstance(request, experiment_pb2.ReadTrialLogRequest):
        if answer.lease.token:
            request.from_token = answer.lease.token
            request.from_position = answer.position + len(answer.content)
    elif answer.events:
        request.after_event_id = answer.events[-1].event_id


def _is_last(answer: Any) -> bool:
    """Whether nothing can follow in a watch."""
    if isinstance(answer, experiment_pb2.ReadTrialLogResponse):
        return answer.done
    return bool(answer.state) and from_number(answer.state, ExperimentState).ended and not answer.ending


class Attempts:
    """The attempts of one call: what is left of its time, and what to do when one fails."""

    def __init__(self, connection: MasterConnection) -> None:
        self._connection = connection
        self._start = time.monotonic()
        self._backoff = Backoff(initial_s=0.1, maximum_s=3.0)
        self._failures = 0
        #: That a master did not answer in time, which says more than that nobody listens at the next address.
        self._silence: grpc.RpcError | None = None

    def share(self) -> float:
        """Seconds that the next attempt may take: an equal part for each address not tried in this round."""
        addresses = len(self._connection.addresses)
        return max(0.001, self._left() / (addresses - self._failures % addresses))

    def failed(self, address: str, error: grpc.RpcError | NotAnnounced | None) -> None:
        """Returns when it is time for the next attempt after one at `address`; raises RungmasterError if there is none.

        None is for a stream that ended before its time, as one does whose master is being stopped.
        """
        if isinstance(error, grpc.RpcError):
            if not is_temporary(error):
                raise to_error(error, address, self._waited()) from None
            if is_silence(error):
                self._silence = error
            elif is_perhaps_tls(error):
                self._look_for_the_cause(address)
        if self._wait(address):
            return
        everywhere = ", ".join(self._connection.addresses)
        if error is None:
            raise Unavailable(f"the master at {everywhere} keeps ending the stream; is it being stopped?")
        if isinstance(error, grpc.RpcError):
            raise to_error(self._silence or error, everywhere, self._waited()) from None
        raise NotAnnounced(f"{error} (waited for {self._waited():.0f} s)") from None

    def _look_for_the_cause(self, address: str) -> None:
        """Raises TlsError where it is one that stays. One look at each address is enough."""
        if self._failures < len(self._connection.addresses) and self._left() > 0:
            # A file that tells the address may be gone meanwhile: its master ends.
            with contextlib.suppress(NotAnnounced):
                cause = diagnose(current(address), self._connection.credentials, min(PATIENCE_S, self._left()))
                if cause is not None:
                    raise cause

    def _waited(self) -> float:
        return time.monotonic() - self._start

    def _left(self) -> float:
        return self._connection.timeout_s - self._waited()

    def _wait(self, address: str) -> bool:
        self._failures += 1
        self._connection.turn(address)
        whole_round = self._failures % len(self._connection.addresses) == 0
        pause_s = self._backoff.next() if whole_round else 0.0
        if pause_s >= self._left():
            return False
        time.sleep(pause_s)
        return True


class Method(NamedTuple):
    """How a method is called, and the class of its answers."""

    path: str
    answer: type[Message]


@cache
def method_of(request: Descriptor) -> Method:
    """The method that takes this kind of request; each has a request type of its own."""
    for service in request.file.services_by_name.values():
        for method in service.methods:
            if method.input_type.full_name == request.full_name:
                return Method(f"/{service.full_name}/{method.name}", GetMessageClass(method.output_type))
    raise LookupError(f"no method takes a {request.full_name}")
