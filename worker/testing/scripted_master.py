"""A master that follows a script: real gRPC and the rules of a real session, without a search and a database."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

import grpc

from ...proto.v1.worker_pb2_grpc import WorkerServiceServicer, add_WorkerServiceServicer_to_server
from ...shared.checkpoints.storage import address_in
from ...shared.version import __version__
from ...shared.wire.convert_session import session_request_from_proto, session_response_to_proto
from ...shared.wire.model import LeaseRef
from ...shared.wire.session import (
    Acknowledgement,
    Assignment,
    CheckpointRef,
    Decision,
    Hello,
    LeaseEvent,
    LeaseLost,
    Measurement,
    SessionRequest,
    SessionResponse,
    Welcome,
    WorkRequest,
)
from .scripted_trial import ScriptedDecision, ScriptedTrial
from .worker_process import run_worker

#: Each stream holds one, also one whose worker has opened another.
_THREADS = 16


class ScriptedMaster(WorkerServiceServicer):
    """Hands out the trials that it was given, on a free port of this host, and writes down what the worker says.

    It speaks with one worker at a time. Use it as a context; checkpoints and logs go with it.
    """

    def __init__(self, *, heartbeat_s: float = 0.2, database_id: str = "scripted") -> None:
        self.welcome = Welcome(1, 30.0, heartbeat_s, __version__, database_id=database_id)
        self._trials: dict[LeaseRef, ScriptedTrial] = {}
        #: What no worker has asked for yet.
        self.queue: list[Assignment] = []
        #: All that the worker has sent, heartbeats included.
        self.received: list[SessionRequest] = []
        self.port = 0
        self._changed = threading.Condition()
        self._outbox: SimpleQueue[SessionResponse | None] | None = None
        self._session_id = ""
        self._requests: dict[str, int] = {}
        self._answered: dict[str, Assignment] = {}
        self._server: grpc.Server | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def address(self) -> str:
        """For `rungmaster worker --master`."""
        return f"127.0.0.1:{self.port}"

    @property
    def folder(self) -> Path:
        """Holds the checkpoints and the logs of the training, until the context ends."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="rungmaster-scripted-")
        return Path(self._folder.name)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()
        if self._folder is not None:
            self._folder.cleanup()

    def start(self, port: int = 0) -> Self:
        """Serves, on a port of its own choice where none is given."""
        self._server = grpc.server(ThreadPoolExecutor(_THREADS), options=[("grpc.so_reuseport", 0)])
        self._register(self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()
        return self

    def _register(self, server: grpc.Server) -> None:
        add_WorkerServiceServicer_to_server(self, server)

    def stop(self) -> None:
        """Ends without a word, as a crash does; `start(master.port)` goes on where it was."""
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None

    def assign(
        self,
        entrypoint: str | Sequence[str],
        hparams: Mapping[str, Any],
        *,
        target: int,
        metric: str,
        decisions: Sequence[ScriptedDecision] = (),
        cut_at: Iterable[int] = (),
        trial_id: int | None = None,
        experiment_seed: int = 0,
    ) -> ScriptedTrial:
        """Has a worker train a trial from nothing to `target` (in units), and returns what will be known of it.

        `entrypoint` and `metric` are those of a spec. `decisions` is what is answered to the report at the target: the
        next target, "pause" or "stop" (also at the end of the script). At each report in `cut_at` the stream is cut
        before it is acknowledged; the worker comes again. Trials are numbered from 0 where no `trial_id` is given.
        Raises InvalidInput for decisions that no master could make.
        """
        named = isinstance(entrypoint, str)
        number = trial_id if trial_id is not None else len({lease.trial_id for lease in self._trials})
        assignment = Assignment(
            request_id="",
            lease=LeaseRef(1, number, 1),
            experiment_name="scripted",
            entrypoint=entrypoint if named else "",
            command=() if named else tuple(entrypoint),
            hparams=dict(hparams),
            checkpoints=(),
            target=target,
            slots=1,
            metric=metric,
            checkpoint_storage=str(self.folder / "checkpoints"),
            checkpoint_interval_s=None,
            seed=experiment_seed,
            progress_timeout_s=None,
            database_id=self.welcome.database_id,
        )
        return self._add(ScriptedTrial(assignment, list(decisions), set(cut_at)))

    def resume(
        self,
        trial: ScriptedTrial,
        *,
        target: int,
        decisions: Sequence[ScriptedDecision] = (),
        cut_at: Iterable[int] = (),
    ) -> ScriptedTrial:
        """Has a worker train a trial that has ended on to `target`, in a new process, from its last checkpoint."""
        before = trial.assignment
        stored = [
            CheckpointRef(address_in(before.checkpoint_storage, saved.path), saved.resource, saved.checksum)
            for saved in reversed(trial.saved)
        ]
        assignment = replace(
            before,
            lease=before.lease._replace(token=before.lease.token + 1),
            checkpoints=(*stored, *before.checkpoints)[:2],
            target=target,
        )
        return self._add(ScriptedTrial(assignment, list(decisions), set(cut_at)))

    def train(self, directory: Path | str = ".", *, timeout_s: float = 60.0) -> None:
        """Runs a real worker, with one slot, until every trial has ended.

        `directory` is where it finds the training code. Raises RungmasterError where the worker ends before, and
        TimeoutError where the trials have not ended in time; either way no process of it is left.
        """
        with run_worker(self.address, Path(directory), self.folder / "logs", timeout_s) as worker, self._changed:
            while not all(trial.exit for trial in self._trials.values()):
                worker.check()
                self._changed.wait(0.1)

    def hang_up(self) -> None:
        """Ends the stream; the worker opens another."""
        with self._changed:
            self.tell(None)
            self._outbox = None

    def tell(self, response: SessionResponse | None) -> None:
        """Says something out of turn; None ends the stream."""
        with self._changed:
            if self._outbox is not None:
                self._outbox.put(response)

    def _add(self, trial: ScriptedTrial) -> ScriptedTrial:
        with self._changed:
            self._trials[trial.assignment.lease] = trial
            self.queue.append(trial.assignment)
            self._hand_out()
        return trial

    def Session(self, request_iterator: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802 - the RPC's name
        """The RPC: one stream of a worker."""
        outbox: SimpleQueue[SessionResponse | None] = SimpleQueue()
        with self._changed:
            self._outbox = outbox
        context.add_callback(lambda: outbox.put(None))
        threading.Thread(target=self._listen, args=(request_iterator, outbox), daemon=True).start()
        while (response := outbox.get()) is not None:
            yield session_response_to_proto(response)

    def _listen(self, requests: Iterator[Any], outbox: SimpleQueue[SessionResponse | None]) -> None:
        try:
            for message in requests:
                with self._changed:
                    if self._outbox is not outbox:
                        return
                    self._take_in(session_request_from_proto(message))
                    self._changed.notify_all()
        except grpc.RpcError:
            pass  # The worker is gone.
        finally:
            outbox.put(None)

    def _take_in(self, request: SessionRequest) -> None:
        self.received.append(request)
        response = self._answer(request)
        if any(self._cuts(event) for event in request.events):
            self.hang_up()
        elif response != SessionResponse():
            self.tell(response)
        self._hand_out()

    def _cuts(self, event: LeaseEvent) -> bool:
        """Whether the stream is cut at this report; the next time it is not."""
        cut_at, resource = self._trials[event.lease].cut_at, getattr(event.event, "resource", 0)
        cuts = isinstance(event.event, Measurement) and resource in cut_at
        cut_at.discard(resource if cuts else 0)
        return cuts

    def _answer(self, request: SessionRequest) -> SessionResponse:
        if request.hello is not None:
            self._greet(request.hello)
        if request.work_request is not None:
            self._note(request.work_request)
        decisions = [decision for event in request.events if (decision := self._apply(event)) is not None]
        leases = dict.fromkeys(event.lease for event in request.events)
        held = request.hello.held if request.hello is not None else ()
        leases |= dict.fromkeys(lease for lease in held if lease in self._trials)
        decisions += [decided for lease in held if lease in leases and (decided := self._trials[lease].decision)]
        return SessionResponse(
            welcome=None if request.hello is None else self.welcome,
            acknowledgements=tuple(Acknowledgement(lease, len(self._trials[lease].events)) for lease in leases),
            decisions=tuple(decisions),
            lost_leases=tuple(LeaseLost(lease, "unknown") for lease in held if lease not in self._trials),
        )

    def _greet(self, hello: Hello) -> None:
        """A worker asks anew after its hello; what another one was given and has not begun is handed out again."""
        self._requests.clear()
        if hello.session_id != self._session_id:
            self._session_id = hello.session_id
            waiting = {assignment.lease for assignment in self.queue}
            unbegun = [trial for lease, trial in self._trials.items() if not trial.events and lease not in waiting]
            self.queue += [trial.assignment for trial in unbegun]

    def _apply(self, event: LeaseEvent) -> Decision | None:
        trial = self._trials[event.lease]
        if not trial.take(event):
            known = trial.decision
            return known if known is not None and known.sequence == event.sequence else None
        if not isinstance(event.event, Measurement) or event.event.resource < trial.target:
            return None
        decided = self._decide(trial, event.event.resource)
        if decided is not None:
            trial.target = max(trial.target, decided.target)
            trial.decision = replace(decided, sequence=event.sequence)
        return trial.decision if decided is not None else None

    def _decide(self, trial: ScriptedTrial, resource: int) -> Decision | None:
        return trial.next_decision(resource)

    def _note(self, wanted: WorkRequest) -> None:
        if wanted.request_id in self._answered:
            self.tell(SessionResponse(assignments=(self._answered[wanted.request_id],)))
        elif wanted.free_slots > 0:
            self._requests[wanted.request_id] = wanted.free_slots
        else:
            self._requests.pop(wanted.request_id, None)

    def _hand_out(self) -> None:
        for request_id, free in list(self._requests.items()):
            fitting = next((each for each in self.queue if each.slots <= free), None)
            if fitting is not None:
                self.queue.remove(fitting)
                del self._requests[request_id]
                self._answered[request_id] = replace(fitting, request_id=request_id)
                self.tell(SessionResponse(assignments=(self._answered[request_id],)))
