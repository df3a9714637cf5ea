"""The hyperparameters of a driven search's trials: drawn, given, taken over, or suggested by a sampler program that is
told the results."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ...shared.sampling.conversation import ProgramConversation, SamplerBroken, SamplerFailed
from ...shared.sampling.programs import command_of
from ...shared.sampling.protocol import Pending, TrialResult
from ...shared.sampling.spaces import RefusedSuggestion, accepted
from ...shared.sampling.start import start_of
from ...shared.sampling.troubles import broken, not_answered, refused
from ...shared.space.space import DRAW_RULES
from ...shared.spec.samplers import ProgramSamplerSpec
from ...shared.text.printing import say_lines
from ..dispatcher.setup import random_draw
from ..experiment.next_trial import NextTrial, SampledHparams, patiently
from ..experiment.setup import ExperimentSetup
from ..search.interface import Train, planned_resources


class CannotDraw(ValueError):
    """There are no hyperparameters for the next trial; the text says why."""


def started_program(setup: ExperimentSetup) -> ProgramConversation | None:
    """The sampler program of a spec, which has been told the start; None where the sampler is none.

    Raises CannotStart where it is not installed, SamplerBroken where it does not work.
    """
    sampler = setup.spec.sampler
    if not isinstance(sampler, ProgramSamplerSpec):
        return None
    program = ProgramConversation(command_of(sampler.name, sampler.program_name), sampler.memory)
    try:
        program.start(start_of(setup.spec, 0, planned_resources(setup.searcher.plan), sampler.told()))
    except BaseException:
        program.close()
        raise
    return program


class DrivenTrials:
    """Each trial of a search that an outside program drives, from its creation on."""

    def __init__(self, setup: ExperimentSetup, program: ProgramConversation | None = None) -> None:
        """`program`: the sampler, where it is a program of its own, which has been told the start."""
        self._setup, self._spec = setup, setup.spec
        #: Draws at random in place of the program; made when it is needed.
        self._draw: Callable[[int], Mapping[str, Any]] | None = None
        self._next = NextTrial(patiently(setup.draw), len(self._spec.first_trials), setup.explore, self._spec.sampler)
        self._program = program
        self._hparams: dict[int, Mapping[str, Any]] = {}
        #: Trials whose next result is yet to come.
        self._pending: set[int] = set()

    def prepare(self) -> None:
        """To be called before the searcher is asked. Raises CannotDraw where a new trial could not be made."""
        if self._setup.searcher.draws and not self._next.drawn():
            raise CannotDraw(self._next.failure)

    def train(self, train: Train) -> SampledHparams | None:
        """A trial is to be trained; where it is new, its hyperparameters."""
        self._pending.add(train.trial)
        if not train.new:
            return None
        parent = None if train.parent is None else self._hparams[train.parent]
        sampled = self._next.take(train, parent) or self._suggested(train.trial)
        self._hparams[train.trial] = sampled.hparams
        return sampled

    def reported(self, trial: int, resource: int, metric: float, *, goes_on: bool) -> None:
        """A result, and whether the trial trains on."""
        if not goes_on:
            self._pending.discard(trial)
        self._tell(TrialResult(trial, dict(self._hparams[trial]), resource, metric if math.isfinite(metric) else None))

    def failed(self, trial: int) -> None:
        """It failed for good, or its hyperparameters are invalid."""
        self._pending.discard(trial)
        self._tell(TrialResult(trial, dict(self._hparams[trial]), 0, None, failed=True))

    def _tell(self, result: TrialResult) -> None:
        if self._program is not None:
            self._program.tell(result)

    def _suggested(self, trial: int) -> SampledHparams:
        if self._program is None:
            return self._drawn(trial, broken())
        try:
            return self._ask(self._program, trial)
        except SamplerFailed as error:
            return self._drawn(trial, str(error))
        except SamplerBroken as error:
            # Said once, and from then on every trial is drawn.
            say_lines([f"warning: {error}", "from now on trials are drawn at random"], err=True)
            self._program = None
            return self._drawn(trial, broken())

    def _ask(self, program: ProgramConversation, trial: int) -> SampledHparams:
        sampler = self._spec.sampler
        assert isinstance(sampler, ProgramSamplerSpec)
        pending = [Pending(dict(self._hparams[number]), number) for number in sorted(self._pending - {trial})]
        suggestion = next(program.ask(1, pending, sampler.patience), None)
        if suggestion is None:
            return self._drawn(trial, not_answered(sampler.patience))
        try:
            hparams = accepted(self._spec.hyperparameters, self._spec.forbidden, suggestion.hyperparameters)
        except RefusedSuggestion as error:
            return self._drawn(trial, refused(error))
        return SampledHparams.suggested(hparams, sampler, suggestion.note)

    def _drawn(self, trial: int, why: str) -> SampledHparams:
        if self._draw is None:
            self._draw = random_draw(self._spec, DRAW_RULES)
        return SampledHparams.at_random(self._draw(trial), why)
