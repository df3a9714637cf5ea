"""The agent: takes assignments from the master, trains them in its slots, and tells what happens."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import uuid
from collections.abc import Callable
from typing import Any

from ..shared.limits import MAX_WORKER_TEXT
from ..shared.text.failure_text import Repeats, summary
from ..shared.text.logs import about
from ..shared.text.visible import visible
from ..shared.version import __version__
from ..shared.wire.model import LeaseRef
from ..shared.wire.session import (
    Assignment,
    CheckpointSaved,
    Exit,
    ExitOutcome,
    Hello,
    LeaseLost,
    LogChunk,
    Measurement,
    SessionResponse,
)
from .assignment.output import lease_name
from .assignment.training import Training, TrainingContext
from .checkpoints.housekeeping import Housekeeping
from .checkpoints.outages import Outages
from .checkpoints.store import CheckpointStore
from .idleness import Idleness
from .link.acknowledgement_log import AcknowledgementLog
from .link.outbox import Outbox
from .link.spill import SpillFile, SpillFolder
from .link.uplink import Uplink
from .logs.keeping import LogKeeper
from .logs.serving import LogServing
from .process.launcher import Launcher
from .process.reaper_client import ReaperClient
from .scratch import scratch_folder
from .settings import WorkerSettings
from .slots.slot_pool import PATIENCE_S, GrantedSlots, SlotPool, SlotRequest

#: Seconds for the last acknowledgements after the training was ended by force.
_LAST_WORDS_S = 5.0

logger = logging.getLogger(__name__)


class Agent:
    """One stay of one worker with its masters."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._session_id, self._secret = uuid.uuid4().hex, secrets.token_hex(16)
        self._slot_pool = SlotPool(settings.slots, [device.visible for device in settings.devices])
        self._trainings: dict[LeaseRef, Training] = {}
        self._told = Repeats()
        self._tasks: dict[LeaseRef, asyncio.Task[None]] = {}
        self._idleness: Idleness | None = None
        self._welcomed = asyncio.Event()
        self._store = CheckpointStore(settings.directory, settings.allowed_storages)
        self._outages = Outages(self._tell_outage)
        self._guard = ReaperClient(settings.hidden_variables)
        self._acknowledgement_log = AcknowledgementLog(settings.acknowledged)
        self._place: TrainingContext | None = None
        self._room = asyncio.Event()
        self._leaving = asyncio.Event()
        self._uplink = Uplink(settings.addresses, settings.connect_timeout_s, settings.credentials)
        self.wake = asyncio.Event()
        self._spill: SpillFolder | None = None
        self.outbox = Outbox(lambda: uuid.uuid4().hex, settings.buffer, self._open_spill, lambda: self._outages.text)
        self._housekeeping = Housekeeping(self._store, settings, self.outbox, self._progress)
        self._log_keeper = LogKeeper(self._store)
        self._log_serving = LogServing(settings.logs, self._store, self._trainings, self._send_log)
        self._offer_slots()

    @property
    def finished(self) -> bool:
        """Whether the worker leaves now."""
        return self._leaving.is_set()

    async def run(self) -> int:
        """Works until it is drained or stopped. The exit code: 0 when the master knows everything that happened.

        Raises Unavailable when no master could be reached at the start, or masters keep refusing this worker;
        Unauthenticated or PermissionDenied when one does not accept its token (any more), TlsError or InvalidInput
        when a connection cannot be made with what it was told.
        """
        with scratch_folder() as scratch:
            settings = self._settings
            self._spill = SpillFolder(scratch, settings.spill)
            launcher = Launcher(self._guard, scratch, fork=not settings.fresh_processes)
            self._place = TrainingContext(
                settings.directory,
                settings.logs,
                scratch,
                self._store,
                self._outages,
                launcher,
                settings.allowed,
                settings.hidden_variables,
                settings.log_limit,
            )
            await self._guard.begin()
            idling = asyncio.create_task(self._leave_when_idle())
            try:
                await self._uplink.stay_connected(self, self._leaving)
            finally:
                idling.cancel()
                await self._end_everything()
                await launcher.close()
                await self._guard.stop()
        if self.outbox.held:
            logger.warning("left with %d leases that the master has not taken back yet", len(self.outbox.held))
        return 1 if self.outbox.held else 0

    def _open_spill(self, lease: LeaseRef) -> SpillFile:
        assert self._spill is not None, "events come only while the worker runs"
        return self._spill.open(lease)

    def _tell_outage(self) -> None:
        self.outbox.waiting_changed()
        self.wake.set()

    def _send_log(self, chunk: LogChunk) -> None:
        self.outbox.log_chunk(chunk)
        self.wake.set()

    def drain(self) -> None:
        """Takes no more work, saves and gives back what it trains, and leaves; called again it stops at once."""
        if self.outbox.draining:
            self.stop()
            return
        logger.info("draining: saving and giving back %d trials", len(self._trainings))
        self.outbox.drain()
        for training in self._trainings.values():
            training.drain()
        self._slot_pool.turn_away()
        asyncio.get_running_loop().call_later(self._settings.grace_s, self._lose_patience)
        self._progress()

    async def _leave_when_idle(self) -> None:
        """Drains once the worker has had nothing to train for as long as the settings say.

        Before it has met a master it is not idle: that none can be found is an error, which has a time of its own.
        """
        patience_s = self._settings.exit_when_idle_s
        if patience_s is None:
            return
        await self._welcomed.wait()
        clock = asyncio.get_running_loop().time
        self._idleness = Idleness(patience_s, clock())
        left_s = patience_s
        while left_s > 0:
            await asyncio.sleep(left_s)
            left_s = self._idleness.left_s(len(self._trainings), clock())
        if not self.outbox.draining:
            logger.info("nothing to train for %g s", patience_s)
            self.drain()

    def stop(self) -> None:
        """Ends all training without saving, and leaves at once."""
        self._leaving.set()
        self.wake.set()

    def _lose_patience(self) -> None:
        if self._trainings:
            logger.warning("ending %d trials that were not saved in time", len(self._trainings))
        for training in self._trainings.values():
            training.give_up()
        asyncio.get_running_loop().call_later(_LAST_WORDS_S, self.stop)

    async def _end_everything(self) -> None:
        for training in self._trainings.values():
            training.give_up()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._housekeeping.close()
        await self._log_keeper.close()
        await self._log_serving.close()
        self._acknowledgement_log.close()

    def hello(self) -> Hello:
        """Who the worker is, and what it holds now."""
        settings = self._settings
        return Hello(
            session_id=self._session_id,
            worker=settings.name,
            slots=settings.slots,
            gpus=tuple(device.gpu for device in settings.devices),
            labels=dict(settings.labels),
            version=__version__,
            host=visible(socket.gethostname())[:MAX_WORKER_TEXT],
            pid=os.getpid(),
            held=self.outbox.held,
            experiment_ids=settings.experiment_ids,
            secret=self._secret,
            serves_logs=True,
        )

    def received(self, response: SessionResponse) -> None:
        """A bundle from the master."""
        self._welcomed.set()
        if response.drain and not self.outbox.draining:
            logger.info("a person asked the master to have this worker leave")
            self.drain()
        for lost in response.lost_leases:
            self._lose(lost)
        for known in response.acknowledgements:
            self._acknowledgement_log.note(self.outbox.acknowledge(known.lease, known.sequence))
        for lease, why in self.outbox.give_up_what_is_lost().items():
            logger.error("trial %s is given back: %s", lease_name(lease), why, extra=_about(lease))
            if lease in self._tasks:
                self._tasks[lease].cancel()
        # A decision may be about an assignment that is given again beside it.
        for assignment in response.assignments:
            self._begin(assignment)
        for decision in response.decisions:
            if decision.lease in self._trainings:
                self._trainings[decision.lease].decide(decision)
        self._do_errands(response)
        self._room.set()
        self._progress()

    def _do_errands(self, response: SessionResponse) -> None:
        self._housekeeping.delete(response.delete_checkpoints)
        if response.sweep is not None:
            self._housekeeping.sweep(response.sweep)
        for request in response.log_requests:
            self._log_serving.answer(request)

    async def abandon(self, reason: str) -> None:
        """Gives up every lease, and returns when nothing of them is left: the same numbers may come again."""
        tasks = list(self._tasks.values())
        for lease in self.outbox.held:
            self._lose(LeaseLost(lease, reason))
        await asyncio.gather(*tasks, return_exceptions=True)
        self._progress()

    def _progress(self) -> None:
        """Something changed: there may be something to send, or nothing left to stay for."""
        if self.outbox.draining and not self._trainings and not self.outbox.held:
            self._leaving.set()
        self.wake.set()

    def _begin(self, assignment: Assignment) -> None:
        lease = assignment.lease
        if not self.outbox.open(lease, assignment.request_id):
            return
        slot_request = None if self.outbox.draining else self._slot_pool.admit(max(1, assignment.slots))
        if slot_request is None:
            self.outbox.record(lease, self._refusal(assignment))
            return
        assert self._place is not None, "assignments come only while the worker runs"
        reporter = _Reporter(self, lease, slot_request)
        training = Training(assignment, self._place, reporter)
        self._trainings[lease] = training
        self._tasks[lease] = asyncio.create_task(self._train(training, reporter))
        self._offer_slots()

    def _refusal(self, assignment: Assignment) -> Exit:
        """Slots that were promised may be late, which is nobody's fault; more than there are cannot be had here."""
        if self.outbox.draining or assignment.slots <= self._slot_pool.count:
            return Exit(ExitOutcome.GIVEN_BACK)
        reason = f"the trial takes {assignment.slots} slots, and this worker has {self._slot_pool.count}"
        return Exit(ExitOutcome.WORKER_FAULT, reason)

    async def _train(self, training: Training, reporter: _Reporter) -> None:
        lease = training.assignment.lease
        try:
            ended = await training.run()
        except Exception as error:
            logger.exception("the worker failed on trial %s", lease_name(lease), extra=_about(lease))
            ended = Exit(ExitOutcome.WORKER_FAULT, f"the worker failed: {error!r}")
        finally:
            del self._trainings[lease], self._tasks[lease]
            if self._idleness is not None:
                self._idleness.trial_ended(asyncio.get_running_loop().time())
            reporter.process_ended()
            self._log_serving.remember(training.output)
            self._log_keeper.keep(training.assignment, training.output)
        self._log_end(lease, ended)
        self.outbox.record(lease, ended)
        self._progress()

    def _log_end(self, lease: LeaseRef, ended: Exit) -> None:
        """Of ends that are alike the first is told, and then now and then how many there are."""
        times = self._told.count(f"{ended.outcome} {ended.error}") if ended.error else 1
        level = logging.INFO if Repeats.worth_telling(times) else logging.DEBUG
        so_far = f" (the like {times} times by now)" if times > 1 else ""
        logger.log(
            level,
            "trial %s ended: %s %s%s",
            lease_name(lease),
            ended.outcome,
            summary(ended.error),
            so_far,
            extra=_about(lease),
        )

    def _lose(self, lost: LeaseLost) -> None:
        if lost.lease in self._tasks:
            logger.warning("trial %s is given up: %s", lease_name(lost.lease), lost.reason, extra=_about(lost.lease))
            self._tasks[lost.lease].cancel()
        self.outbox.drop(lost.lease)

    def _offer_slots(self) -> None:
        """Asks for work, unless so many ended trials still save that more would only pile up."""
        pool = self._slot_pool
        saving = len(self._trainings) - pool.waiting - (pool.count - pool.free)
        self.outbox.set_free_slots(pool.offered if saving <= pool.count else 0)

    async def record_measurement(self, lease: LeaseRef, measurement: Measurement) -> int:
        """Notes a report of a lease, once there is room for it, and returns its sequence number."""
        while not self.outbox.has_room(lease):
            self._room.clear()
            await self._room.wait()
        sequence = self.outbox.record(lease, measurement)
        self._progress()
        return sequence

    def record_checkpoint(self, lease: LeaseRef, checkpoint: CheckpointSaved) -> None:
        """Notes that a checkpoint of a lease is in the store."""
        self.outbox.record(lease, checkpoint)
        self._progress()

    def leaving(self, slot_request: SlotRequest) -> None:
        """The trial was told to end: the next one is asked for, unless this one takes its time."""
        self._slot_pool.leaving(slot_request)
        asyncio.get_running_loop().call_later(PATIENCE_S, self._no_longer, self._slot_pool.stays, slot_request)
        self._offer_slots()
        self._progress()

    async def granted(self, slot_request: SlotRequest) -> GrantedSlots | None:
        """Waits for the slots of a trial; None where they are not free in time."""
        giving_up = asyncio.get_running_loop().call_later(
            PATIENCE_S, self._no_longer, self._slot_pool.give_up, slot_request
        )
        try:
            return await slot_request.granted()
        finally:
            giving_up.cancel()

    def _no_longer(self, change: Callable[[SlotRequest], None], slot_request: SlotRequest) -> None:
        change(slot_request)
        self._offer_slots()
        self._progress()

    def leave(self, slot_request: SlotRequest) -> None:
        """The trial's process is gone."""
        self._slot_pool.leave(slot_request)
        self._offer_slots()
        self._progress()


class _Reporter:
    """Tells the agent what happens in one training."""

    def __init__(self, agent: Agent, lease: LeaseRef, slot_request: SlotRequest) -> None:
        self._agent = agent
        self._lease = lease
        self._slot_request = slot_request

    async def granted(self) -> GrantedSlots | None:
        return await self._agent.granted(self._slot_request)

    async def measured(self, measurement: Measurement) -> int:
        return await self._agent.record_measurement(self._lease, measurement)

    def saved(self, checkpoint: CheckpointSaved) -> None:
        self._agent.record_checkpoint(self._lease, checkpoint)

    def checkpoints_broken(self, text: str, uris: tuple[str, ...], started_from: str) -> None:
        self._agent.outbox.checkpoints_broken(self._lease, text, uris, started_from)

    def ending(self) -> None:
        self._agent.leaving(self._slot_request)

    def process_ended(self) -> None:
        self._agent.leave(self._slot_request)


def _about(lease: LeaseRef) -> dict[str, Any]:
    return about(lease.experiment_id, lease.trial_id)
