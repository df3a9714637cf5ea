"""From a spec to what an experiment runs on."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...shared.errors import CannotStart, InvalidSpec, Problem
from ...shared.sampling.programs import command_of
from ...shared.space.quasi_random import QuasiRandom
from ...shared.space.space import DRAW_RULES, Space
from ...shared.space.variation import completed, explored
from ...shared.spec.samplers import ProgramSamplerSpec, QuasiRandomSpec, SamplerSpec
from ...shared.spec.spec import SPEC_RULES, Spec, stored_spec
from ..experiment.next_trial import Draw, Explore, no_explore, patiently
from ..experiment.setup import ExperimentSetup
from ..search.registry import searcher_of


class Portions:
    """Draws from a search space, for one trial after another; None after each portion of a search that takes longer."""

    def __init__(self, space: Space | QuasiRandom, seed: int) -> None:
        self._space = space
        self._seed = seed
        #: The search that is under way, and its trial.
        self._search: Iterator[Mapping[str, Any] | None] | None = None
        self._trial = -1

    def __call__(self, trial: int) -> Mapping[str, Any] | None:
        """What was found for a trial; None where the search is to be gone on with. Raises what drawing it raises."""
        search = self._search if self._search is not None and self._trial == trial else None
        search, self._search = search or self._space.search(self._seed, trial), None
        found = next(search)
        if found is None:
            self._search, self._trial = search, trial
        return found


@dataclass(frozen=True, slots=True)
class Refused:
    """In place of a setup where a stored spec does not make one."""

    error: Exception


def set_up(spec: Spec, space: Space | None = None) -> ExperimentSetup:
    """Builds the searcher of a valid spec, and its search space where there is none yet.

    Raises InvalidSpec where its hyperparameters cannot be had: nothing can be drawn, or its sampler is not installed.
    """
    _check_installed(spec.sampler)
    setup = _set_up(spec, _draw_of(spec, space or _space(spec, DRAW_RULES)))
    if setup.searcher.draws:
        # What nothing can be drawn from is refused rather than begun.
        patiently(setup.draw)(len(spec.first_trials))
    return setup


def _check_installed(sampler: SamplerSpec) -> None:
    if isinstance(sampler, ProgramSamplerSpec):
        try:
            command_of(sampler.name, sampler.program_name)
        except CannotStart as error:
            raise InvalidSpec([Problem("sampler", str(error))]) from error


def random_draw(spec: Spec, draw_rules: int) -> Callable[[int], Mapping[str, Any]]:
    """What draws a trial's hyperparameters at random, whatever the spec's sampler is. It takes its time; whatever it
    raises, there are none."""
    draw = patiently(Portions(_space(spec, draw_rules), spec.seed))
    return lambda trial: draw(trial) or {}


def _space(spec: Spec, rules: int) -> Space:
    return Space(spec.hyperparameters, spec.forbidden, rules)


def _draw_of(spec: Spec, space: Space) -> Draw:
    evenly = isinstance(spec.sampler, QuasiRandomSpec)
    return Portions(QuasiRandom(spec.hyperparameters, spec.forbidden, space) if evenly else space, spec.seed)


def _set_up(spec: Spec, draw: Draw) -> ExperimentSetup:
    draw = _after_initial(spec, draw) if spec.first_trials else draw
    return ExperimentSetup(spec, searcher_of(spec), draw, _explore_of(spec))


def _after_initial(spec: Spec, draw: Draw) -> Draw:
    """The first trials have the hyperparameters that the spec gives them; what it leaves out is drawn."""

    def drawn(trial: int) -> Mapping[str, Any] | None:
        if trial >= len(spec.first_trials):
            return draw(trial)
        return completed(spec.hyperparameters, spec.forbidden, spec.first_trials[trial], spec.seed, trial)

    return drawn


def _explore_of(spec: Spec) -> Explore:
    if not spec.searcher.inherits:
        return no_explore

    def explore(trial: int, parent: Mapping[str, Any]) -> Mapping[str, Any]:
        return explored(spec.hyperparameters, spec.forbidden, parent, spec.seed, trial, spec.searcher.resampled)

    return explore


def setup_from_json(spec: Mapping[str, Any], draw_rules: int, spec_rules: int = SPEC_RULES) -> ExperimentSetup:
    """The same from a spec as the ledger has it, accepted by those rules; its search space is made when it is needed.

    The library of search spaces takes a second to import: a master that was restarted serves before that.
    """
    valid = stored_spec(spec, spec_rules)
    return _set_up(valid, _draw_of(valid, _space(valid, draw_rules)))


class ExperimentSetups:
    """Makes the setups of stored experiments, whose specs are read once however often the memory is rebuilt."""

    def __init__(self) -> None:
        self._read: dict[int, tuple[Mapping[str, Any], ExperimentSetup | Refused]] = {}

    def of(
        self, experiment_id: int, spec: Mapping[str, Any], draw_rules: int, spec_rules: int = SPEC_RULES
    ) -> ExperimentSetup | Refused:
        """The setup of an experiment from its spec as the ledger has it, with a searcher that has seen nothing."""
        stored, read = self._read.get(experiment_id, (None, None))
        if read is None or stored != spec:
            read = _guarded(spec, draw_rules, spec_rules)
            self._read[experiment_id] = spec, read
            return read
        return read if isinstance(read, Refused) else _set_up(read.spec, read.draw)

    def keep(self, experiments: Container[int]) -> None:
        """Forgets all others."""
        self._read = {number: read for number, read in self._read.items() if number in experiments}


def _guarded(spec: Mapping[str, Any], draw_rules: int, spec_rules: int) -> ExperimentSetup | Refused:
    try:
        return setup_from_json(spec, draw_rules, spec_rules)
    except Exception as error:  # noqa: BLE001 - one experiment's trouble is its own
        # Whatever a stored document holds, it is the trouble of its own experiment.
        return Refused(error)
