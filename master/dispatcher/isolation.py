"""What keeps the trouble of one experiment from the others: its own part of a batch, and its end without its search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ...shared.errors import FailedPrecondition, InternalError, InvalidInput, Unavailable
from ...shared.wire.model import ExperimentState
from ...shared.wire.session import LeaseLost
from ..experiment.changes import Changes, EventRow, ExperimentRow, StoredRows
from ..experiment.experiment import LiveExperiment
from ..experiment.life import lifecycle
from ..experiment.life.ending import begin_rows
from ..experiment.next_trial import Draw
from ..experiment.records import Batch, ExperimentRecords
from ..experiment.setup import ExperimentSetup, Owner
from .sessions.outbox import Outgoing
from .setup import Refused

T = TypeVar("T")
#: What one report, lease or answer changes at most, but for rare ones: in rows.
ROWS_OF_A_STEP = 16


@dataclass(frozen=True, slots=True)
class Turn:
    """What one batch came to: what must be committed and then sent, by session.

    The changes are written together, or, where they are not taken as a whole, `common` and each experiment's `parts`
    in transactions of their own.
    """

    changes: Changes
    common: Changes
    parts: dict[int, Changes]
    outbox: dict[str, Outgoing]


class Parts:
    """The changes of the batch at hand, experiment by experiment, so that those of one can be left out."""

    def __init__(self, now: float) -> None:
        self.common = Batch(Changes(), now)
        self._own: dict[int, Batch] = {}
        #: Steps after which the rows are worth counting again.
        self._until_count = 0

    def begin(self, now: float) -> None:
        """What follows happens at this time."""
        self.common.now = now
        for batch in self._own.values():
            batch.now = now

    def of(self, experiment_id: int) -> Batch:
        """Where the changes of an experiment go."""
        batch = self._own.get(experiment_id)
        if batch is None:
            batch = self._own[experiment_id] = Batch(Changes(), self.common.now)
        return batch

    @property
    def rows(self) -> int:
        """About how many rows change in all."""
        return self.common.changes.rows + sum(batch.changes.rows for batch in self._own.values())

    def reach(self, rows: int) -> bool:
        """Whether about so many rows change; asked before each command. They are counted only where enough has happened
        since the last time."""
        self._until_count -= 1
        if self._until_count > 0:
            return False
        room = rows - self.rows
        self._until_count = room // ROWS_OF_A_STEP
        return room <= 0

    def took(self, steps: int) -> None:
        """A command took so many steps; each is a report, or the like of it."""
        self._until_count -= steps

    def changed_much(self) -> None:
        """A command may have changed any number of rows."""
        self._until_count = 0

    def entries(self) -> dict[int, int]:
        """How many entries the journal of each experiment has of this batch."""
        return {number: len(batch.changes.new_events) for number, batch in self._own.items()}

    def entries_since(self, before: Mapping[int, int]) -> Iterator[tuple[int, Batch, list[EventRow]]]:
        """Those that came since `before` was told, experiment by experiment."""
        for number, batch in self._own.items():
            if new := batch.changes.new_events[before.get(number, 0) :]:
                yield number, batch, new

    def drop(self, experiment_id: int) -> None:
        """Leaves out what an experiment has changed."""
        self._own.pop(experiment_id, None)

    def unneeded_checkpoints(self) -> Iterable[str]:
        """The checkpoints that are given up in this batch."""
        for batch in (self.common, *self._own.values()):
            yield from batch.changes.unneeded_checkpoints

    def turn(self, outbox: dict[str, Outgoing]) -> Turn:
        """The end of the batch."""
        parts = {number: batch.changes for number, batch in self._own.items()}
        whole = Changes()
        for part in (self.common.changes, *parts.values()):
            whole.add(part)
        return Turn(whole, self.common.changes, parts, outbox)


@dataclass(slots=True)
class Suspended:
    """An experiment whose search cannot be asked. `records` is None where not even its rows hold together."""

    row: ExperimentRow
    reason: str
    records: ExperimentRecords | None = field(default=None, repr=False)

    @classmethod
    def of(cls, stored_rows: StoredRows, reason: str) -> Suspended:
        """From what the ledger has of it."""
        try:
            records = None if stored_rows.unreadable else lifecycle.restored_records(stored_rows)
        except Exception:  # noqa: BLE001 - one experiment's trouble is its own
            # Rows that a hand or a disk has changed may raise anything: they are let be.
            records = None
        return cls(stored_rows.row, reason, records)

    @property
    def told(self) -> bool:
        """Whether the ledger has it paused for this reason, and nobody holds a lease."""
        paused = self.row.state == ExperimentState.PAUSED and self.row.state_reason == self.reason
        return paused and not (self.records and self.records.leases)

    def pause(self, batch: Batch) -> list[tuple[str, LeaseLost]]:
        """Pauses it for people to see why; the leases that end, each with its session."""
        if self.records is not None:
            return lifecycle.suspend(self.records, self.reason, batch)
        self._set(ExperimentState.PAUSED, self.reason, batch)
        return []

    def cancel(self, batch: Batch) -> None:
        """Ends it for good, for all to see."""
        reason = "cancelled by a person"
        if self.records is not None:
            begin_rows(self.records, ExperimentState.CANCELLED, reason, batch)
            return
        self.row.end_time = batch.now
        self._set(ExperimentState.CANCELLED, reason, batch)

    def refuse(self) -> FailedPrecondition:
        """What whoever wants it to go on is told."""
        number = self.row.experiment_id
        text = f"experiment {number} cannot go on: {self.reason}; cancel it to be rid of it"
        return FailedPrecondition(text, experiment_id=number)

    def _set(self, state: ExperimentState, reason: str, batch: Batch) -> None:
        self.row.state, self.row.state_reason = state.value, reason
        batch.changes.experiments[self.row.experiment_id] = self.row
        event = EventRow(self.row.experiment_id, None, batch.now, "experiment_" + state.value, {"reason": reason})
        batch.changes.new_events.append(event)


class Isolation:
    """The experiments in memory, each with its part of the batch at hand; what one raises is nobody else's trouble."""

    def __init__(
        self, ahead: Callable[[int, Draw], Draw], set_aside: Callable[[int, Exception], None], now: float
    ) -> None:
        """`set_aside` is called for an experiment that raised, and has to call the method of that name here."""
        self._ahead = ahead
        self._set_aside = set_aside
        self.parts = Parts(now)
        self.live: dict[int, LiveExperiment] = {}
        #: Those that were set aside, and are to be suspended in transactions of their own; what they raised.
        self.broken: dict[int, Exception] = {}
        self.suspended: dict[int, Suspended] = {}
        #: Those that were paused, and that nobody has steered since: if the ledger does not take that, they stay out.
        self._pausing: dict[int, Suspended] = {}

    def knows(self, experiment_id: int) -> bool:
        """Whether there is such an experiment, and it has not ended."""
        return any(experiment_id in each for each in (self.live, self.broken, self.suspended))

    def turn(self, outbox: dict[str, Outgoing]) -> Turn:
        """Ends the batch."""
        turn = self.parts.turn(outbox)
        self.parts = Parts(self.parts.common.now)
        return turn

    def do(self, experiment: LiveExperiment, act: Callable[..., T], *arguments: Any) -> T | None:
        """Has an experiment do something with its part of the batch; None where it raised, and is set aside for it."""
        try:
            return act(*arguments, self.parts.of(experiment.experiment_id))
        except FailedPrecondition:
            # A refusal, before anything was changed.
            raise
        except Exception as error:  # noqa: BLE001 - one experiment's trouble is its own
            self._set_aside(experiment.experiment_id, error)
            return None

    def steer(self, experiment_id: int, act: Callable[[LiveExperiment, Batch], T]) -> T:
        """What a person wants of an experiment. Raises FailedPrecondition where it has ended or cannot go on."""
        if experiment_id in self.suspended:
            raise self.suspended[experiment_id].refuse()
        if experiment_id in self.broken:
            raise Unavailable(f"experiment {experiment_id} is just being paused; try again in a second")
        experiment = self.live.get(experiment_id)
        if experiment is None:
            raise FailedPrecondition(f"experiment {experiment_id} has ended", experiment_id=experiment_id)
        self._pausing.pop(experiment_id, None)
        self.parts.changed_much()
        # In a list, since what `act` gives may be None.
        done = self.do(experiment, lambda batch: [act(experiment, batch)])
        if done is None:
            raise InternalError(why(experiment_id, self.broken[experiment_id]), experiment_id=experiment_id)
        return done[0]

    def create(
        self, experiment_id: int, request_id: str, setup: ExperimentSetup, code: Mapping[str, str], owner: Owner
    ) -> None:
        """Begins an experiment."""
        batch = self.parts.of(experiment_id)
        experiment = lifecycle.create(experiment_id, request_id, setup, batch, code, owner)
        self.live[experiment_id] = self._draw_ahead(experiment)

    def _draw_ahead(self, experiment: LiveExperiment) -> LiveExperiment:
        """From now on nobody waits for its draws."""
        experiment.next_trial.draw = self._ahead(experiment.experiment_id, experiment.next_trial.draw)
        return experiment

    def reopen(self, experiment: LiveExperiment, changes: Changes) -> None:
        """Takes up an experiment that had ended, with what that changed."""
        number = experiment.experiment_id
        self.live[number] = self._draw_ahead(experiment)
        self.parts.of(number).changes.add(changes)
        self.parts.changed_much()

    def admit(self, stored_rows: StoredRows, setup: ExperimentSetup | Refused) -> LiveExperiment | None:
        """Takes up an experiment that the ledger has; None where it cannot be, which keeps no other from going on."""
        number = stored_rows.row.experiment_id
        try:
            self.live[number] = self._restored(stored_rows, setup)
        except Exception as error:  # noqa: BLE001 - one experiment's trouble is its own
            suspended = Suspended.of(stored_rows, why(number, error))
            if suspended.told:
                self.suspended[number] = suspended
            else:
                self.broken[number] = error
        return self.live.get(number)

    def _restored(self, stored_rows: StoredRows, setup: ExperimentSetup | Refused) -> LiveExperiment:
        if isinstance(setup, Refused):
            raise setup.error
        return self._draw_ahead(lifecycle.restore(stored_rows, setup))

    def set_aside(self, experiment_id: int, error: Exception) -> None:
        """Forgets an experiment with its part of the batch; one whose suspension was not even written stays out."""
        self.parts.drop(experiment_id)
        self.live.pop(experiment_id, None)
        paused = self._pausing.pop(experiment_id, None)
        if paused is not None:
            self.suspended[experiment_id] = paused
        else:
            self.broken[experiment_id] = error

    def refusal(self, experiment_id: int | None) -> InternalError | None:
        """What whoever steered an experiment in this batch is told instead of the result, where it was set aside."""
        if experiment_id is None or experiment_id not in self.broken:
            return None
        return InternalError(why(experiment_id, self.broken[experiment_id]), experiment_id=experiment_id)

    def suspend(
        self, experiment_id: int, found: tuple[StoredRows, ExperimentSetup | Refused] | None
    ) -> list[tuple[str, LeaseLost]]:
        """Pauses one that was set aside as the ledger has it; None: it has nothing. The leases that end with it.

        Where its search can be restored it may be resumed, and be set aside again.
        """
        error, experiment = self.broken.pop(experiment_id), None
        if found is None:
            return []
        try:
            experiment = self._restored(*found)
            suspended = Suspended(found[0].row, why(experiment_id, error), experiment.records)
        except Exception as cause:  # noqa: BLE001 - one experiment's trouble is its own
            suspended = Suspended.of(found[0], why(experiment_id, cause))
        self._pausing[experiment_id] = suspended
        lost = self._paused(suspended)
        if experiment is not None and suspended.records is not None:
            lifecycle.line_up(experiment)
            self.live[experiment_id] = experiment
        else:
            self.suspended[experiment_id] = suspended
        return lost

    def _paused(self, suspended: Suspended) -> list[tuple[str, LeaseLost]]:
        number = suspended.row.experiment_id
        self.parts.changed_much()
        try:
            return suspended.pause(self.parts.of(number))
        except Exception:  # noqa: BLE001 - one experiment's trouble is its own
            # Its rows contradict each other: they are let be, but for the one that tells people why.
            self.parts.drop(number)
            suspended.records = None
            return suspended.pause(self.parts.of(number))

    def cancel_suspended(self, experiment_id: int) -> Suspended | None:
        """Ends one that is suspended for good; None where it is not."""
        suspended = self.suspended.pop(experiment_id, None)
        if suspended is not None:
            suspended.cancel(self.parts.of(experiment_id))
        return suspended


def why(experiment_id: int, error: Exception) -> str:
    """What people are told of an experiment that cannot go on."""
    if isinstance(error, InvalidInput):
        return f"this version refuses its spec: {'; '.join(str(error).splitlines())}"
    return (
        f"an error inside Rungmaster ({type(error).__name__}: {error}); the master's log has the particulars, and "
        f"`rungmaster resume {experiment_id}` tries again"
    )
