"""From a spec to what an experiment runs on."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...shared.space import DRAW_RULES, Space
from ...shared.spec import Spec, stored_spec
from ..experiment.next_trial import Draw, patiently
from ..search.interface import Goal, Searcher
from ..search.registry import build_searcher


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What an experiment is made from. Making one takes time (the search space), so it is made off the event loop."""

    spec: Spec
    searcher: Searcher
    draw: Draw


class Portions:
    """Draws from a search space, for one trial after another; None after each portion of a search that takes longer."""

    def __init__(self, space: Space, seed: int) -> None:
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
    """In place of a blueprint where a stored spec does not make one by today's rules."""

    error: Exception


def blueprint(spec: Spec, space: Space | None = None) -> Blueprint:
    """Builds the searcher of a valid spec, and its search space where there is none yet."""
    draw = Portions(space or _space(spec, DRAW_RULES), spec.seed)
    # What nothing can be drawn from is refused rather than begun.
    patiently(draw)(0)
    return _blueprint(spec, draw)


def _space(spec: Spec, rules: int) -> Space:
    return Space(spec.hyperparameters, spec.forbidden, rules)


def _blueprint(spec: Spec, draw: Draw) -> Blueprint:
    return Blueprint(spec, build_searcher(spec.searcher, Goal(spec.metric.goal)), draw)


def blueprint_from_json(spec: Mapping[str, Any], draw_rules: int) -> Blueprint:
    """The same from a spec as the ledger has it; its search space, checked long ago, is made when it is needed.

    The library of search spaces takes a second to import: a master that was restarted serves before that.
    """
    valid = stored_spec(spec)
    return _blueprint(valid, Portions(_space(valid, draw_rules), valid.seed))


class Blueprints:
    """Makes the blueprints of stored experiments, whose specs are read once however often the memory is rebuilt."""

    def __init__(self) -> None:
        self._read: dict[int, tuple[Mapping[str, Any], Blueprint | Refused]] = {}

    def of(self, experiment_id: int, spec: Mapping[str, Any], draw_rules: int) -> Blueprint | Refused:
        """The blueprint of an experiment from its spec as the ledger has it, with a searcher that has seen nothing."""
        stored, read = self._read.get(experiment_id, (None, None))
        if read is None or stored != spec:
            read = _leniently(spec, draw_rules)
            self._read[experiment_id] = spec, read
            return read
        return read if isinstance(read, Refused) else _blueprint(read.spec, read.draw)

    def keep(self, experiments: Container[int]) -> None:
        """Forgets all others."""
        self._read = {number: read for number, read in self._read.items() if number in experiments}


def _leniently(spec: Mapping[str, Any], draw_rules: int) -> Blueprint | Refused:
    try:
        return blueprint_from_json(spec, draw_rules)
    except Exception as error:  # noqa: BLE001 - one experiment's trouble is its own
        # Whatever a stored document holds, it is the trouble of its own experiment.
        return Refused(error)
