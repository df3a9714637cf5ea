"""The one writer: takes commands from a queue, applies them in batches, commits, and only then answers.

While one batch commits in a thread of its own, the next gathers. If a commit fails, the memory is thrown away and
rebuilt from the database before anything else is answered.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any, Protocol, TypeVar

from ...shared.errors import InternalError, InvalidInput, LimitExceeded, MastershipLost, RungmasterError, Unavailable
from ...shared.text.logs import about
from ...shared.wire.session import SessionResponse
from ..experiment.changes import Changes, NotWritten, StoredRows
from ..experiment.setup import ExperimentSetup
from ..failpoints import hit
from .broadcast import Broadcast
from .clock import Now, system_now
from .core import Core
from .isolation import Turn, why
from .measures import Measures
from .recovered import RecoveredMemory, SessionParameters
from .scheduling.drawing import Drawer
from .sessions.outbox import HparamsOf, Outgoing
from .setup import Refused
from .unreadable import Unreadable, readable_hparams

log = logging.getLogger(__name__)
T = TypeVar("T")

#: A command changes the core and gives a result, or raises a RungmasterError.
Command = Callable[[Core, Now], Any]
Queued = tuple[Command, asyncio.Future[Any]]

#: Commands that may wait; more are refused.
QUEUE_LIMIT = 50_000
#: Commands applied before a commit.
BATCH_LIMIT = 5_000
#: Seconds between two tries to get the database back.
RECOVERY_PAUSE_S = 1.0
#: Batches that may fail in a row before the next waits for RECOVERY_PAUSE_S, so that an error that stays fills no disk.
FAILURES_BORNE = 3


class Store(Protocol):
    """What the writer needs of the ledger. Called from one thread only."""

    def commit(self, changes: Changes) -> None:
        """Writes a batch whole or not at all; raises Unavailable, MastershipLost, or NotWritten.

        Only NotWritten says that nothing of it is there.
        """
        ...

    def hparams(self, trials: set[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]:
        """Hyperparameters of trials."""
        ...

    def recover(self) -> RecoveredMemory:
        """Everything that the memory is built from."""
        ...

    def experiment(self, experiment_id: int) -> tuple[StoredRows, ExperimentSetup | Refused] | None:
        """The same of one experiment; None where there is none, or it has ended."""
        ...


class Writer:
    """Owns the core. `execute` is the only way to it."""

    def __init__(
        self, store: Store, parameters: SessionParameters, thread: Executor, now: Callable[[], Now] = system_now
    ) -> None:
        """`thread` has one thread, the only one that calls the store."""
        self._store = store
        self._parameters = parameters
        self._thread = thread
        self._now = now
        self._drawer = Drawer(self._drawn)
        self._queue: deque[Queued] = deque()
        self._filled = asyncio.Event()
        self._core: Core | None = None
        #: Whether the last batch was committed.
        self.takes_writes = True
        #: Whether the last try to get the database back has failed; until the next, commands are refused at once.
        self._out_of_reach = False
        self._failures = 0
        #: Whether something of the batch at hand may be in the database.
        self._written = False
        #: Tells those who watch experiments.
        self.broadcast = Broadcast()
        self.measures = Measures()
        #: Set when what is committed leaves work for the background: for the upkeep, or more of what goes in portions.
        self.chores, self.more = asyncio.Event(), asyncio.Event()
        #: The same for the samplers: something has happened to an experiment that has one, beside reports on the way.
        self.sampling = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Commands in the queue."""
        return len(self._queue)

    def submit(self, command: Callable[[Core, Now], T]) -> asyncio.Future[T]:
        """Queues a command after those submitted before: a future of its result, there once it is durable.

        The future raises what the command raises, and Unavailable where it could not be committed. Raises
        Unavailable while the database is out of reach, and LimitExceeded where too many wait.
        """
        if self._out_of_reach:
            raise Unavailable("the master waits for its database; try again in a second")
        if len(self._queue) >= QUEUE_LIMIT:
            raise LimitExceeded("the master has too much to do at the moment; try again in a second")
        return self._enqueue(command)

    def _enqueue(self, command: Callable[[Core, Now], T]) -> asyncio.Future[T]:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append((command, done))
        self._filled.set()
        return done

    async def execute(self, command: Callable[[Core, Now], T]) -> T:
        """Applies a command and gives its result once it is durable. Raises what `submit` and its future raise."""
        return await self.submit(command)

    def heard(self, session_id: str) -> None:
        """A sign of life from a worker, taken at once: it must not wait for the database."""
        session = self._core.sessions.get(session_id) if self._core else None
        if session is not None:
            now = self._now()
            session.last_seen, session.last_seen_wall = now.monotonic, now.wall

    async def start(self) -> None:
        """Builds the memory from the ledger."""
        self._core = await self._recover()

    @property
    def look_interval_s(self) -> float:
        """Seconds between two looks for leases that have expired."""
        return min(1.0, self._parameters.lease_ttl_s / 10)

    async def run(self) -> None:
        """Commits batch after batch, until it is cancelled or the mastership is lost (MastershipLost)."""
        try:
            while True:
                await self._filled_queue()
                await self._process_or_take_apart(self._queue)
        finally:
            self._drawer.close()

    async def _filled_queue(self) -> None:
        """Waits for commands. Before all others comes the suspension of an experiment that was set aside."""
        while self._core is not None and self._core.isolation.broken:
            suspension = await self._suspension(self._core)
            await self._process_or_take_apart(deque(suspension))
        while not self._queue:
            self._filled.clear()
            await self._filled.wait()

    async def _suspension(self, core: Core) -> list[Queued]:
        """The command that pauses an experiment which was set aside, as the ledger has it now."""
        experiment_id, error = next(iter(core.isolation.broken.items()))
        # A spec that is refused is told in a line; what else it raised is a bug, and where it lies is to be known.
        surprise = None if isinstance(error, InvalidInput) else error
        told = why(experiment_id, error)
        log.error("experiment %d is paused: %s", experiment_id, told, exc_info=surprise, extra=about(experiment_id))
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, self._store.experiment, experiment_id)
        except MastershipLost:
            raise
        except Unavailable as error:
            log.warning(
                "the database did not tell of experiment %d: %s", experiment_id, error, extra=about(experiment_id)
            )
            await self._start_over("the master could not read its database; come again")
            return []
        return [(lambda core, _: core.suspend(experiment_id, found), loop.create_future())]

    async def _process_or_take_apart(self, queue: deque[Queued]) -> None:
        """Applies a batch, or where that raises, each of its commands by itself on a memory that is rebuilt.

        What may have been written is not applied again: whoever waits for it asks again, and hears what became of it.
        """
        batch: list[Queued] = []
        try:
            await self._process(queue, batch)
        except (MastershipLost, asyncio.CancelledError):
            _refuse(batch, Unavailable("the master is stopping; try again"))
            raise
        except Exception as error:
            log.exception("a batch of %d commands could not be applied", len(batch))
            if self._written:
                _refuse(batch, Unavailable("the master met an error of its own; try again"))
            elif len(batch) == 1:
                _refuse(batch, InternalError(f"the master met an error of its own ({error!r}); its log has more"))
            again = batch if len(batch) > 1 and not self._written else []
            await self._start_over("the master met an error of its own; come again")
            await self._one_by_one(again)

    async def _one_by_one(self, batch: list[Queued]) -> None:
        try:
            for queued in batch:
                await self._process_or_take_apart(deque([queued]))
        finally:
            _refuse(batch, Unavailable("the master is stopping; try again"))

    async def _process(self, queue: deque[Queued], batch: list[Queued]) -> None:
        """Takes as many commands from the queue into the batch as fit into one transaction."""
        core = self._core
        assert core is not None
        # What is applied together happened together: one time for all, which also lets the ledger write it at one go.
        now = self._now()
        self._written = False
        core.begin(now)
        results: list[tuple[Any, int | None]] = []
        while queue and len(batch) < BATCH_LIMIT and not core.full:
            batch.append(queue.popleft())
            results.append(_apply(core, batch[-1][0], now))
        turn = core.finish(now)
        hit("apply.after")
        began = time.perf_counter()
        try:
            responses = await self._write(core, turn)
        except MastershipLost:
            raise
        except Unavailable as error:
            log.warning("the database did not take a batch: %s", error)
            self.takes_writes = False
            self.measures.refused_batches += 1
            _refuse(batch, error)
            await self._start_over("the master could not write to its database; come again")
            return
        self._failures, self.takes_writes = 0, True
        self.measures.committed(turn.changes, time.perf_counter() - began)
        hit("deliver.before")
        self._deliver(core, responses)
        hit("deliver.after")
        self.broadcast.committed(turn.changes)
        if turn.changes.asks_for_upkeep:
            self.chores.set()
        if turn.changes.goes_on:
            self.more.set()
        if turn.changes.new_events and core.sampling.concern(turn.parts.keys()):
            self.sampling.set()
        for (_, done), (result, subject) in zip(batch, results, strict=True):
            _answer(done, core.isolation.refusal(subject) or result)
        hit("answer.after")

    async def _write(self, core: Core, turn: Turn) -> dict[str, SessionResponse]:
        """Writes a turn and gives the bundles that tell of it, without those whose part was not taken."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._commit, turn.changes, turn.outbox)
        except Unreadable as error:
            unreadable = error.experiments
        except NotWritten as error:
            if not turn.parts:
                raise
            log.warning("a batch was not written as a whole, its parts are written one by one: %r", error.__cause__)
            unreadable = {}
            for experiment_id, cause in (await loop.run_in_executor(self._thread, self._commit_parts, turn)).items():
                core.worker_tasks.take_back(turn.parts[experiment_id].unneeded_checkpoints, turn.outbox)
                core.set_aside(experiment_id, cause, turn.outbox)
        return await self._told(core, turn, unreadable)

    async def _told(self, core: Core, turn: Turn, unreadable: Mapping[int, Exception]) -> dict[str, SessionResponse]:
        """The bundles that tell of a turn which was written, without experiments whose trials cannot be read."""
        while True:
            for experiment_id, error in unreadable.items():
                core.set_aside(experiment_id, error, turn.outbox)
            try:
                responses = partial(self._responses, turn.changes, turn.outbox)
                return await asyncio.get_running_loop().run_in_executor(self._thread, responses)
            except Unreadable as error:
                unreadable = error.experiments

    def _commit_parts(self, turn: Turn) -> dict[int, Exception]:
        """In the ledger's thread: the experiments whose changes the database does not take, and why."""
        self._write_down(turn.common)
        refused: dict[int, Exception] = {}
        for experiment_id, changes in turn.parts.items():
            try:
                self._write_down(changes)
            except NotWritten as error:
                refused[experiment_id] = error.__cause__ if isinstance(error.__cause__, Exception) else error
        return refused

    def _write_down(self, changes: Changes) -> None:
        written, self._written = self._written, True
        try:
            self._store.commit(changes)
        except NotWritten:
            self._written = written
            raise

    def _commit(self, changes: Changes, outbox: dict[str, Outgoing]) -> dict[str, SessionResponse]:
        """In the ledger's thread: writes the batch and makes the bundles that tell of it."""
        self._write_down(changes)
        return self._responses(changes, outbox)

    def _responses(self, changes: Changes, outbox: dict[str, Outgoing]) -> dict[str, SessionResponse]:
        hparams = self._hparams({granted.key for out in outbox.values() for granted in out.granted}, changes)
        return {session_id: out.response(hparams) for session_id, out in outbox.items()}

    def _hparams(self, keys: set[tuple[int, int]], changes: Changes) -> HparamsOf:
        """Those of trials that are new in this batch are at hand; the others are read."""
        rows = (*changes.new_trials, *changes.sampled.values())
        new = {(row.experiment_id, row.trial_id): row.hparams or {} for row in rows}
        others = keys - new.keys()
        return new | readable_hparams(self._store.hparams, others) if others else new

    @staticmethod
    def _deliver(core: Core, responses: dict[str, SessionResponse]) -> None:
        for session_id, response in responses.items():
            session = core.sessions.get(session_id)
            if session is not None and session.connection is not None:
                session.connection.send(response)

    async def _start_over(self, reason: str) -> None:
        """Throws the memory away and builds it anew; the workers come again and tell what they hold."""
        core, self._core = self._core, None
        for session in core.sessions.values() if core else ():
            if session.connection is not None:
                session.connection.close(reason)
        self._failures += 1
        if self._failures > FAILURES_BORNE:
            self._out_of_reach = True
            await asyncio.sleep(RECOVERY_PAUSE_S)
        self._core = await self._recover_patiently()
        self.broadcast.unknown()
        self.sampling.set()

    async def _recover(self) -> Core:
        """In the ledger's thread: a million trials take seconds, and the event loop has signs of life to show."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._rebuilt)

    def _rebuilt(self) -> Core:
        hit("recover.before")
        recovered = self._store.recover()
        return Core(self._parameters, recovered, self._now(), self.look_interval_s, ahead=self._drawer.ahead)

    def _drawn(self, experiment_id: int) -> None:
        """The next trial of an experiment can be handed out."""
        # Past every limit: nobody would say it again, and there is one at a time of each experiment.
        self._enqueue(lambda core, _: core.wake(experiment_id))

    async def _recover_patiently(self) -> Core:
        while True:
            try:
                core = await self._recover()
            except MastershipLost:
                raise
            except Unavailable as error:
                self._out_of_reach = True
                log.warning("the database is still out of reach: %s", error)
                await asyncio.sleep(RECOVERY_PAUSE_S)
            else:
                self._out_of_reach = False
                return core


def _apply(core: Core, command: Command, now: Now) -> tuple[Any, int | None]:
    """The command's result, or the error for its caller, and the experiment that it steers."""
    core.subject = None
    try:
        result = command(core, now)
    except RungmasterError as error:
        result = error
    return result, core.subject


def _refuse(batch: list[Queued], error: RungmasterError) -> None:
    for _, done in batch:
        _answer(done, error)


def _answer(done: asyncio.Future[Any], result: Any) -> None:
    if done.done():
        return
    if isinstance(result, RungmasterError):
        done.set_exception(result)
        # It may be that nobody waits for it, or not any more: seen once, it is nothing that asyncio complains of.
        done.exception()
    else:
        done.set_result(result)
