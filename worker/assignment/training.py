"""One assignment's life on the worker: load the checkpoint, train in a process of its own, save, say how it ended."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ...shared.errors import ENVIRONMENTAL, CannotStart, RungmasterError
from ...shared.hparam_variables import without_variable
from ...shared.idle_threads import in_thread
from ...shared.metric_goal import reaches
from ...shared.text.failure_text import failure_text
from ...shared.text.logs import about
from ...shared.wire.session import Assignment, CheckpointSaved, Decision, DecisionKind, Exit, ExitOutcome, Measurement
from ..allowed import Allowed
from ..checkpoints.outages import Outages, StillAway
from ..checkpoints.store import CheckpointStore, EmptyStorage, Loaded
from ..checkpoints.uploads import Uploads
from ..process.child import Job, TrainingProcess, describe_exit
from ..process.environment import base_environment, trial_environment
from ..process.launcher import Launcher
from ..slots.slot_pool import GrantedSlots
from ..trial.protocol import MAX_REASON, TrialStart
from ..trial.seeds import trial_seed
from .best import BestSoFar
from .conversation import Conversation
from .ending import MOMENT_S, may_be_of_the_worker, overdue
from .local_server import LocalServer
from .outcome import EndedProcess
from .output import LIMIT, OutputLog, lease_name

#: Seconds between two looks at a process that is to end.
_LOOK_S = 0.2

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingContext:
    """What all trainings of a worker share. `scratch` is the worker's own temporary folder."""

    directory: Path
    logs: Path
    scratch: Path
    store: CheckpointStore
    outages: Outages
    launcher: Launcher
    allowed: Allowed = field(default_factory=Allowed)
    hidden: tuple[str, ...] = ()
    #: Bytes that are kept of what one assignment prints.
    log_limit: int = LIMIT

    def environment(self, *, own_devices: bool) -> dict[str, str]:
        """The variables that all training has."""
        return base_environment(os.environ, own_devices=own_devices, hidden=self.hidden)

    def check_allowed(self, assignment: Assignment) -> None:
        """Raises CannotStart where the worker may not run what is assigned."""
        path = self.environment(own_devices=False).get("PATH", os.defpath)
        self.allowed.check(assignment.entrypoint, assignment.command, self.directory, path)


class Listener(Protocol):
    """Who is told what happens in a training."""

    async def measured(self, measurement: Measurement) -> int:
        """A report, once there is room for it; returns its sequence number."""
        ...

    async def granted(self) -> GrantedSlots | None:
        """Waits for the trial's slots; None where they are not free in time."""
        ...

    def saved(self, checkpoint: CheckpointSaved) -> None:
        """A checkpoint is in the store."""
        ...

    def checkpoints_broken(self, text: str, uris: tuple[str, ...], started_from: str) -> None:
        """The trial starts from another checkpoint than it should (its URI), or from nothing."""
        ...

    def ending(self) -> None:
        """The training process was told to end, and has only to save and to exit."""
        ...

    def process_ended(self) -> None:
        """The training process is gone, and its slots are free."""
        ...


class Training:
    """Trains what an assignment says."""

    def __init__(self, assignment: Assignment, place: TrainingContext, listener: Listener) -> None:
        self.assignment = assignment
        self._place = place
        self._listener = listener
        self._name = lease_name(assignment.lease)
        self._log = logging.LoggerAdapter(logger, about(assignment.lease.experiment_id, assignment.lease.trial_id))
        log = place.logs / assignment.database_id / f"{self._name}.log"
        self.output = OutputLog(log, place.log_limit, self._log.extra)
        self._folder = place.scratch / self._name.replace("/", "-")
        self._uploads = Uploads(
            place.store,
            assignment.checkpoint_storage,
            assignment.database_id,
            assignment.lease,
            self._folder,
            assignment.checkpoint_interval_s,
            listener.saved,
            place.outages,
        )
        self._conversation: Conversation | None = None
        self._child: TrainingProcess | None = None
        self._ending: Decision | None = None
        self._given_up = False
        self._overdue = False
        self._draining = asyncio.Event()
        #: Set while there is nothing to load a checkpoint for.
        self._to_end = asyncio.Event()
        self._seeing_off: asyncio.Task[None] | None = None
        self._helpers: set[asyncio.Task[None]] = set()

    async def run(self) -> Exit:
        """Trains, and returns how it ended. Cancelled, it ends the training and keeps nothing."""
        try:
            return await self._run()
        except CannotStart as error:
            return Exit(ExitOutcome.CANNOT_START, failure_text(str(error)))
        except StillAway as error:
            return Exit(ExitOutcome.GIVEN_BACK, failure_text(str(error)))
        except EmptyStorage as error:
            return Exit(ExitOutcome.ENVIRONMENT, failure_text(str(error)))
        except (RungmasterError, OSError) as error:
            if isinstance(error, OSError) and error.errno in ENVIRONMENTAL:
                return Exit(ExitOutcome.ENVIRONMENT, failure_text(f"this machine is short of something: {error}"))
            self._log.warning("trial %s cannot be trained here: %s", self._name, error)
            return Exit(ExitOutcome.WORKER_FAULT, str(error)[:MAX_REASON])
        finally:
            await self._clean_up()

    def decide(self, decision: Decision) -> None:
        """Takes in a decision of the master; one with sequence 0 is about no report."""
        if decision.kind is not DecisionKind.CONTINUE:
            self._ending = self._ending if self._was_decided else decision
            self._to_end.set()
            if decision.kind is DecisionKind.STOP and not (decision.save_checkpoint or self.assignment.save_best):
                self._uploads.no_longer_wait()
        elif decision.sequence == 0:
            self._ending = None
            if not self._given_up:
                self._to_end.clear()
        if self._conversation is None:
            return
        self._conversation.decide(decision)
        if self._ending is not None and self._seeing_off is None:
            self._seeing_off = self._help(self._see_off(self._conversation))

    def drain(self) -> None:
        """The worker wants to leave: the trial saves and goes back."""
        self._draining.set()
        self.decide(Decision(self.assignment.lease, 0, DecisionKind.PAUSE, reason="the worker drains"))

    def give_up(self) -> None:
        """Ends the process at once; the trial goes back as it was last saved."""
        self._given_up = True
        self._to_end.set()
        self._uploads.no_longer_wait()
        if self._child is not None:
            self._help(self._child.kill(at_once=True))

    async def _run(self) -> Exit:
        # Before anything is made, imported or loaded for it.
        await in_thread(self._place.check_allowed, self.assignment)
        await asyncio.to_thread(self._folder.mkdir, parents=True)
        assignment = self.assignment
        storage, check = assignment.checkpoint_storage, partial(self._place.store.check, used=assignment.storage_used)
        attempt = partial(in_thread, check, storage, assignment.database_id)
        await self._place.outages.bridge(storage, attempt, self._to_end)
        start = await self._load()
        loop = asyncio.get_running_loop()
        conversation = Conversation(
            start,
            self._listener.measured,
            self._uploads.take,
            self._uploads.wanted,
            loop.time,
            BestSoFar(assignment.save_best, assignment.best_metric) if assignment.save_best else None,
            lambda metric: reaches(metric, assignment.stop_metric, assignment.goal),
        )
        self._conversation = conversation
        server = LocalServer(self._folder / "socket", self._handle)
        await server.start()
        try:
            granted = await self._listener.granted()
            if granted is None or self._ending is not None or self._given_up:
                return Exit(ExitOutcome.GIVEN_BACK)
            code = await self._train(start, conversation, granted)
        finally:
            await server.close()
        return await self._settle(await self._judged(code, conversation))

    async def _handle(self, line: bytes) -> dict[str, Any]:
        conversation = self._conversation
        assert conversation is not None
        knew = conversation.told is not None
        reply = await conversation.handle(line)
        if conversation.told is not None and not knew:
            self._listener.ending()
        return reply

    async def _load(self) -> TrialStart:
        """The checkpoint to start from, in the trial's folder, and what the training process is told."""
        assignment = self.assignment
        folder = self._folder / "checkpoint"
        load = partial(self._place.store.load, experiment_id=assignment.lease.experiment_id)
        attempt = partial(in_thread, load, assignment.checkpoint_storage, assignment.checkpoints, folder)
        loaded = await self._place.outages.bridge(assignment.checkpoint_storage, attempt, self._to_end)
        if loaded.broken:
            told = _describe_broken(loaded)
            self._log.error("trial %s: %s", self._name, "; ".join(told.split("\n")))
            source = "" if loaded.source is None else loaded.source.uri
            self._listener.checkpoints_broken(told, loaded.broken_uris, source)
        return TrialStart(
            hparams=dict(assignment.hparams),
            experiment_id=assignment.lease.experiment_id,
            trial_id=assignment.lease.trial_id,
            seed=trial_seed(assignment.seed, assignment.lease.trial_id),
            resource=0 if loaded.source is None else loaded.source.resource,
            target=assignment.target,
            metric=assignment.metric,
            checkpoint=None if loaded.source is None else str(folder),
            experiment_name=assignment.experiment_name,
        )

    async def _train(self, start: TrialStart, conversation: Conversation, granted: GrantedSlots) -> int:
        if self.assignment.command and (alone := without_variable(start.hparams)):
            self._log.warning(
                "trial %s: no variable of their own, only RUNGMASTER_HPARAMS, have: %s", self._name, ", ".join(alone)
            )
        job = Job(
            self.assignment.entrypoint,
            self.assignment.command,
            self._place.directory,
            self._place.environment(own_devices=granted.devices is not None),
            trial_environment(start, self._folder / "socket", granted.devices),
            self.output.path,
            self._place.allowed.preload(self.assignment.preload),
            self._log.extra or {},
        )
        await asyncio.to_thread(self.output.begin)
        self._child = await self._place.launcher.start(job)
        self._log.info(
            "trial %s trains from %d to %d, pid %d", self._name, start.resource, start.target, self._child.pid
        )
        if self._given_up:
            await self._child.kill(at_once=True)
        if self.assignment.progress_timeout_s is not None:
            self._help(self._watch_progress(self._child, conversation, self.assignment.progress_timeout_s))
        self._help(self.output.watch())
        code = await self._child.wait()
        self._listener.process_ended()
        await asyncio.to_thread(self.output.finish)
        return code

    async def _watch_progress(self, child: TrainingProcess, conversation: Conversation, patience_s: float) -> None:
        """Ends a process that was not heard of for too long; the time in which it waits for an answer is not its."""
        loop = asyncio.get_running_loop()
        left_s = patience_s
        while left_s > 0:
            await asyncio.sleep(left_s)
            if conversation.knows:
                # From here on it is not late with a report, but at most with its end.
                return
            left_s = patience_s if conversation.busy else conversation.last_answer + patience_s - loop.time()
        self._overdue = True
        await child.kill()

    async def _see_off(self, conversation: Conversation) -> None:
        """Ends a process that was to end and does not; it goes back as it was last saved."""
        loop = asyncio.get_running_loop()
        decided_at = loop.time()
        while self._ending is not None:
            await asyncio.sleep(_LOOK_S)
            # What a draining worker can wait for an answer is its own grace.
            told_or_due = conversation.knows or not self._draining.is_set()
            late = self._ending and overdue(self._ending, loop.time() - decided_at, conversation)
            if late and told_or_due and self._child is not None:
                self._log.warning("trial %s is ended, and goes back as it was last saved: %s", self._name, late)
                self._given_up = True
                return await self._child.kill()
        self._seeing_off = None
        return None

    async def _judged(self, code: int, conversation: Conversation) -> Exit:
        """How it ended; what the end of its worker has brought about is not its fault."""
        process = EndedProcess(
            code,
            conversation,
            self.assignment,
            self._folder,
            self._printed,
            overdue=self._overdue,
            given_up=self._given_up,
            was_decided=self._was_decided,
        )
        ended = await asyncio.to_thread(process.outcome)
        if ended.outcome is not ExitOutcome.FAILED or self._overdue:
            return ended
        if not may_be_of_the_worker(code, knows=conversation.knows):
            return ended
        try:
            await asyncio.wait_for(self._draining.wait(), MOMENT_S)
        except TimeoutError:
            return ended
        return Exit(ExitOutcome.GIVEN_BACK, failure_text(f"it ended with its worker: {describe_exit(code)}"))

    @property
    def _was_decided(self) -> bool:
        """Whether it ends because the master decided about a report, and not because somebody wants the slots back."""
        return self._ending is not None and self._ending.sequence > 0

    def _printed(self, length: int) -> str:
        return self.output.tail(length) if self._child is not None else ""

    async def _settle(self, ended: Exit) -> Exit:
        """Waits for the last checkpoint. One that cannot be kept is the worker's fault, where all else went well."""
        try:
            await self._uploads.finish()
        except StillAway as error:
            if self._given_up and ended.outcome in (ExitOutcome.RELEASED, ExitOutcome.GIVEN_BACK):
                return Exit(ExitOutcome.GIVEN_BACK, failure_text(f"its last checkpoint is lost: {error}"))
        except RungmasterError as error:
            if ended.outcome in (ExitOutcome.RELEASED, ExitOutcome.GIVEN_BACK):
                return Exit(ExitOutcome.WORKER_FAULT, str(error)[:MAX_REASON])
            self._log.warning("trial %s: its last checkpoint is lost: %s", self._name, error)
        return ended

    def _help(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._helpers.add(task)
        task.add_done_callback(self._helpers.discard)
        return task

    async def _clean_up(self) -> None:
        for helper in list(self._helpers):
            helper.cancel()
        await asyncio.gather(*self._helpers, return_exceptions=True)
        if self._child is not None:
            await self._child.kill()
        await self._uploads.abandon()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


def _describe_broken(loaded: Loaded) -> str:
    start = f"resource {loaded.source.resource}" if loaded.source is not None else "nothing"
    return "\n".join([f"the trial starts from {start}, since broken checkpoints were passed over", *loaded.broken])
