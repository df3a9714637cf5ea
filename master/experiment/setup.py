"""What an experiment is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from ...shared.spec.spec import Spec
from ..search.interface import Searcher
from .next_trial import Draw, Explore, no_explore

#: Nothing is known of the training code.
NO_CODE: Mapping[str, str] = MappingProxyType({})


class Owner(NamedTuple):
    """Who submits an experiment, and what shows that: "token", "certificate", or "" where the client says so itself."""

    name: str = ""
    known_by: str = ""


NOBODY = Owner()


@dataclass(frozen=True, slots=True)
class ExperimentSetup:
    """A spec with what it makes. Making one takes time (the search space), so it is made off the event loop."""

    spec: Spec
    #: It has seen nothing yet: a setup serves one experiment, once.
    searcher: Searcher
    draw: Draw
    explore: Explore = no_explore
