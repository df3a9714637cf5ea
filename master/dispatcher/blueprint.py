"""From a spec to what an experiment runs on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
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
    """The same from a spec as the ledger has it."""
    return blueprint(spec_from_json(dict(spec)))
