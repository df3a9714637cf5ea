"""One experiment and its sampler: what that suggests is given to it, and where nothing comes the trials that wait are
drawn at random. Its program is started anew whenever it is broken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ...shared.errors import CannotStart, RungmasterError
from ...shared.idle_threads import IdleThreads
from ...shared.net.backoff import Backoff
from ...shared.sampling.programs import command_of
from ...shared.sampling.protocol import Suggestion
from ...shared.sampling.spaces import RefusedSuggestion, accepted
from ...shared.sampling.troubles import broken, not_answered, refused
from ...shared.spec.samplers import ProgramSamplerSpec
from ...shared.text.logs import about
from ..dispatcher.clock import Now
from ..dispatcher.core import Core
from ..dispatcher.setup import random_draw
from ..dispatcher.writer import Writer
from ..experiment.next_trial import SampledHparams
from ..experiment.suggestions import SamplingNeeds
from ..ledger.read.reader import Reader
from .conversation import HostedConversation
from .patience import Patience
from .process import ProgramBroken, SamplerProcess
from .programs import SamplerPrograms

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Seconds until a program is started anew, or asked again, after a failure: at first below, and never more.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
#: Suggestions that may be refused in a row before trials do not wait for the next one any more.
REFUSALS_BORNE = 3
#: Seconds until a command is tried again that the database did not take.
RETRY_S = 0.5
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every experiment's sampler works with."""

    writer: Writer
    reader: Reader
    threads: IdleThreads
    programs: SamplerPrograms


class ExperimentSampler:
    """To be `run` until its experiment needs it no more, and given its `needs` whenever they change."""

    def __init__(self, surroundings: Surroundings, needs: SamplingNeeds) -> None:
        self._around, self._needs = surroundings, needs
        self._number, self._spec = needs.experiment.experiment_id, needs.experiment.spec
        row = needs.experiment.records.row
        self._draw_rules = row.draw_rules
        self._draw: Callable[[int], Mapping[str, Any]] | None = None
        sampler = self._spec.sampler
        assert isinstance(sampler, ProgramSamplerSpec)
        self._sampler = sampler
        self._patience = Patience(sampler.patience)
        self._waits = asyncio.Event()
        self._backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        #: With the process that runs, once it does.
        self._conversation: HostedConversation | None = None
        self._refusals = 0
        #: Why trials are drawn at random at once; empty while it can be waited for.
        self._down = ""
        #: What people were told.
        self._problem = row.sampler_problem
        self.update(needs)

    def update(self, needs: SamplingNeeds) -> None:
        """What its experiment wants now."""
        self._patience.waits_for(needs.awaiting, _now())
        self._waits.set()
        self._know(needs)

    def _know(self, needs: SamplingNeeds) -> None:
        self._needs = needs
        if self._conversation is not None:
            self._conversation.update(needs, probe=bool(self._down))

    async def run(self) -> None:
        """Ends when it is cancelled, and its program with it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._mind_patience())
            group.create_task(self._keep_running())

    async def _mind_patience(self) -> None:
        """Draws at random for those that have waited for too long, and for all where nothing is to be expected."""
        while True:
            self._waits.clear()
            now = _now()
            if overdue := self._patience.overdue(now):
                if not self._down:
                    await self._out_of_order(not_answered(self._sampler.patience))
                await self._draw_at_random(overdue, self._down)
            elif self._down and self._patience.waiting:
                await self._draw_at_random(self._patience.waiting, self._down)
            end = self._patience.next_end()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._waits.wait(), None if end is None else max(0.0, end - _now()))

    async def _draw_at_random(self, trials: list[int], why: str) -> None:
        """As `sampler: random` would have drawn them."""
        try:
            drawn = await self._in_thread(self._drawn, trials)
        except Exception as error:  # noqa: BLE001 - nothing is left to draw from, or the space cannot be made
            told = f"no hyperparameters could be drawn for trial {trials[0]}: {error}"
            await self._execute(lambda core, _: core.sampling.cannot_sample(self._number, told))
            return
        found = [SampledHparams.at_random(hparams, why, trial) for trial, hparams in drawn.items()]
        await self._execute(lambda core, _: core.sampling.suggest(self._number, found))
        self._given(trials, self._needs.without(trials))

    def _given(self, trials: Iterable[int], needs: SamplingNeeds) -> None:
        """What is wanted is known before it is looked at again."""
        for trial in trials:
            self._patience.served(trial)
        self._know(needs)

    def _drawn(self, trials: list[int]) -> dict[int, Mapping[str, Any]]:
        if self._draw is None:
            self._draw = random_draw(self._spec, self._draw_rules)
        return {trial: self._draw(trial) for trial in trials}

    async def _keep_running(self) -> None:
        """Runs its program, anew whenever that is broken."""
        while True:
            stderr = why = ""
            try:
                command = await self._in_thread(command_of, self._sampler.name, self._sampler.program_name)
                async with SamplerProcess.started(command, int(self._sampler.memory * _GIB)) as process:
                    try:
                        with self._around.programs.one():
                            await self._converse(process)
                    finally:
                        self._conversation, stderr = None, process.stderr
            except (ProgramBroken, CannotStart) as error:
                why = str(error)
            except RungmasterError as error:
                why = f"its results could not be read: {error}"
            except Exception as error:
                log.exception("experiment %d: the host of its sampler failed", self._number, extra=about(self._number))
                why = f"an error inside Rungmaster ({type(error).__name__}: {error})"
            await self._out_of_order(broken(why), stderr)
            await asyncio.sleep(self._backoff.next())

    async def _converse(self, process: SamplerProcess) -> None:
        around = self._around
        self._conversation = HostedConversation(
            self._spec, self._sampler, self._needs, process, around.reader, around.threads, self
        )
        self._know(self._needs)
        await self._conversation.run()

    async def take(self, suggestion: Suggestion) -> None:
        """Gives it to the experiment, or draws in its place where it does not lie in the space."""
        spec = self._spec
        try:
            hparams = await self._in_thread(accepted, spec.hyperparameters, spec.forbidden, suggestion.hyperparameters)
        except RefusedSuggestion as error:
            await self._refused(refused(error))
            return
        sampled = SampledHparams.suggested(hparams, self._sampler, suggestion.note)
        await self._execute(lambda core, _: core.sampling.suggest(self._number, [sampled]))
        self._down, self._refusals = "", 0
        self._given(self._needs.awaiting[:1], self._needs.with_suggestion(hparams))
        self._backoff.reset()
        await self._tell("")

    async def _refused(self, why: str) -> None:
        self._refusals += 1
        if self._refusals >= REFUSALS_BORNE:
            self._ask_later()
            await self._out_of_order(why)
            return
        await self._tell(why)
        if first := self._patience.waiting[:1]:
            await self._draw_at_random(first, why)

    async def failed(self, error: str, stderr: str) -> None:
        """It could not suggest what it was asked for."""
        self._ask_later()
        await self._out_of_order(broken(error), stderr)

    def _ask_later(self) -> None:
        assert self._conversation is not None
        self._conversation.ask_again_at = _now() + self._backoff.next()

    async def _out_of_order(self, why: str, stderr: str = "") -> None:
        """From now on trials are drawn at random at once, until it answers."""
        self._down = why
        self._waits.set()
        self._know(self._needs)
        await self._tell("\n".join(filter(None, (why, stderr))))

    async def _tell(self, problem: str) -> None:
        """Has people know what is wrong, or that nothing is; the log, once for each time that it is out of order."""
        if problem == self._problem:
            return
        if not self._problem:
            log.error("experiment %d: %s", self._number, problem, extra=about(self._number))
        elif not problem:
            log.info("experiment %d: its sampler answers", self._number, extra=about(self._number))
        self._problem = problem
        await self._execute(lambda core, _: core.sampling.tell_problem(self._number, problem))

    async def _execute(self, command: Callable[[Core, Now], T]) -> T:
        """As often as it takes, where the database is away."""
        while True:
            try:
                return await self._around.writer.execute(command)
            except RungmasterError as error:
                log.debug("experiment %d: %s", self._number, error, extra=about(self._number))
                await asyncio.sleep(RETRY_S)

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await self._around.threads.run(call, *arguments)


def _now() -> float:
    return asyncio.get_running_loop().time()
