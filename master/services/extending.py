"""ExtendExperiment: what the ledger has of a search that has ended is read and taken up beside the writer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from ...shared.errors import FailedPrecondition, InvalidInput, RungmasterError
from ...shared.idle_threads import in_thread
from ...shared.limits import MAX_TRIALS
from ...shared.wire.model import Experiment
from ..dispatcher.acts import AuditedAct, on_experiment
from ..dispatcher.clock import Now
from ..dispatcher.core import Core
from ..dispatcher.isolation import why
from ..dispatcher.setup import setup_from_json
from ..experiment.changes import Changes, StoredRows
from ..experiment.experiment import LiveExperiment
from ..experiment.life.extension import check_state, reopened
from ..experiment.records import Batch
from ..ledger.read.reader import Reader

T = TypeVar("T")
#: The experiment as it goes on, and what changes with that.
Reopened = tuple[LiveExperiment, Changes]


class Executor(Protocol):
    """What this needs of the writer."""

    async def execute(self, command: Callable[[Core, Now], T]) -> T:
        """Applies a command and gives its result once it is durable."""
        ...


async def extend(
    commands: Executor,
    reader: Reader,
    experiment: Experiment,
    max_trials: int,
    act: AuditedAct,
) -> None:
    """Gives an experiment this many trials in all; `act` is who does that.

    Raises InvalidInput where the number is out of bounds, FailedPrecondition where it cannot be extended, Unavailable
    where its trials are still being ended, or something else was done to it meanwhile.
    """
    number = experiment.experiment_id
    if not 1 <= max_trials <= MAX_TRIALS:
        raise InvalidInput(f"max_trials: must be 1 to {MAX_TRIALS:,}, got {max_trials:,}")
    check_state(number, experiment.state, experiment.state_reason)
    asked = await commands.execute(on_experiment(act, lambda core, _: core.extend(number, max_trials)))
    if asked is None:
        return
    # It may take seconds, and the threads that answer queries are few.
    found = await in_thread(lambda: taken_up(reader.stored(number), max_trials))
    if found is not None:
        await commands.execute(on_experiment(act, lambda core, _: core.reopen(asked, *found)))


def taken_up(stored_rows: StoredRows, max_trials: int) -> Reopened | None:
    """In a thread: an experiment that has ended, as it goes on; None where it has as many trials."""
    row, batch = stored_rows.row, Batch(Changes(), time.time())
    try:
        setup = setup_from_json(row.spec, row.draw_rules, row.spec_rules)
    except RungmasterError as error:
        text = f"experiment {row.experiment_id} cannot be extended: {why(row.experiment_id, error)}"
        raise FailedPrecondition(text, experiment_id=row.experiment_id) from error
    experiment = reopened(stored_rows, setup, max_trials, batch)
    return None if experiment is None else (experiment, batch.changes)
