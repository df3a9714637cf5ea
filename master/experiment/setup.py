"""What an experiment is made from."""

from __future__ import annotations

from dataclasses import dataclass

from ...shared.spec.spec import Spec
from ..search.interface import Searcher
from .next_trial import Draw, Explore, no_explore


@dataclass(frozen=True, slots=True)
class ExperimentSetup:
    """A spec with what it makes. Making one takes time (the search space), so it is made off the event loop."""

    spec: Spec
    #: It has seen nothing yet: a setup serves one experiment, once.
    searcher: Searcher
    draw: Draw
    explore: Explore = no_explore
