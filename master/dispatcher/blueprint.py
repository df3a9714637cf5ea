"""From a spec to what an experiment runs on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

from ...shared.space import Space
from ...shared.spec import Spec, spec_from_json
from ..experiment.experiment import Draw
from ..search.interface import Goal, Searcher
from ..search.registry import build_searcher


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What an experiment is made from. Making one takes time (the search space), so it is made off the event loop."""

    spec: Spec
    searcher: Searcher
    draw: Draw


def blueprint(spec: Spec) -> Blueprint:
    """Builds the searcher and the search space of a valid spec."""
    space = Space(spec.hyperparameters, spec.forbidden)
    return Blueprint(spec, build_searcher(spec.searcher, Goal(spec.metric.goal)), partial(space.draw, spec.seed))


def blueprint_from_json(spec: Mapping[str, Any]) -> Blueprint:
    """The same from a spec as the ledger has it; its search space, checked long ago, is made when it is needed."""
    valid = spec_from_json(dict(spec))
    return Blueprint(valid, build_searcher(valid.searcher, Goal(valid.metric.goal)), LazyDraw(valid))


class LazyDraw:
    """Draws from a search space that is made at the first draw, or before by `prepare`.

    The library of search spaces takes a second to import: a master that was restarted serves before that.
    """

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._lock = Lock()
        self._space: Space | None = None

    def __call__(self, trial: int) -> Mapping[str, Any]:
        """The hyperparameters of the trial with this number."""
        return self.prepare().draw(self._spec.seed, trial)

    def prepare(self) -> Space:
        """Makes the space, unless that is done; from any thread."""
        with self._lock:
            if self._space is None:
                self._space = Space(self._spec.hyperparameters, self._spec.forbidden)
            return self._space
