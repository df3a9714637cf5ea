"""Every kind of figure by its name, and the functions that draw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Unpack

from ..shared.errors import InvalidInput
from ..shared.text.suggestions import closest
from .errors import NothingToShow, graph_objects
from .history import History
from .style import Style, StyleOptions

#: A `plotly.graph_objects.Figure`; Plotly is an extra, and not imported for its name.
Figure = Any


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of figure: its name, its title, and in a sentence what it shows."""

    name: str
    title: str
    about: str
    #: Whether it is made of the journal, which is not read for the others.
    of_journal: bool = False

    @property
    def _module(self) -> ModuleType:
        return import_module(f".figures.{self.name}", __package__)

    def applies(self, history: History) -> str:
        """Why it has nothing to show of an experiment, as a sentence; empty where it has something."""
        return self._module.applies(history)

    def draw(self, histories: Sequence[History], style: Style) -> Figure:
        """The figure. Raises NothingToShow with that sentence, InvalidInput where it is of one experiment alone."""
        if self.name == "compare":
            return self._module.draw(histories, style)
        if len(histories) != 1:
            raise InvalidInput(f"the figure {self.name} is of one experiment, got {len(histories)}")
        (history,) = histories
        if missing := self.applies(history):
            raise NothingToShow(missing, experiment_id=history.experiment.experiment_id)
        return self._module.draw(history, style)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("curves", "Learning curves", "what each trial reported, coloured by what became of it, with the rungs"),
        Kind("best", "Best result so far", "over time and over the resource that was spent"),
        Kind("rungs", "Rungs", "brackets and rungs as steps, on which the trials climb"),
        Kind("parallel", "Hyperparameters and results", "a line for each trial through all its hyperparameters"),
        Kind(
            "importance", "Importance of hyperparameters", "how much each matters for the result, and how sure that is"
        ),
        Kind("slices", "Each hyperparameter against the result", "a panel for each hyperparameter"),
        Kind("timeline", "Workers and slots", "who trained what, who was idle, what was lost", of_journal=True),
        Kind("lineage", "Lineage of the population", "who went on from whose checkpoint (pbt)", of_journal=True),
        Kind(
            "schedules",
            "Schedules of hyperparameters",
            "with which values each model was trained (pbt)",
            of_journal=True,
        ),
        Kind("compare", "Best result so far", "several experiments, over time and over the resource that each spent"),
    )
}


def draw(kind: str, history: History | Sequence[History], **options: Unpack[StyleOptions]) -> Figure:
    """The figure of that name; `compare` takes a sequence of histories, the others one.

    Raises NothingToShow where there is nothing to show (yet), MissingExtra where a package is not installed,
    InvalidInput where there is no such kind.
    """
    if kind not in KINDS:
        near = closest(kind, KINDS)
        told = f"; did you mean {near}?" if near else "."
        raise InvalidInput(f"there is no figure {kind!r}{told} There are: {', '.join(KINDS)}")
    graph_objects()
    style = Style(**options)
    return KINDS[kind].draw((history,) if isinstance(history, History) else tuple(history), style)


def curves(history: History, **options: Unpack[StyleOptions]) -> Figure:
    """Learning curves, coloured by what became of each trial, with the rungs marked."""
    return draw("curves", history, **options)


def best(history: History, **options: Unpack[StyleOptions]) -> Figure:
    """The best result so far, over time and over the resource that was spent."""
    return draw("best", history, **options)


def rungs(history: History, **options: Unpack[StyleOptions]) -> Figure:
    """Brackets and rungs as steps, on which the trials climb."""
    return draw("rungs", history, **options)


def parallel(history: History, **options: Unpack[StyleOptions]) -> Figure:
    """A line for each trial through all its hyperparameters to its result."""
    return draw("parallel", history, **options)


def importance(history: History, **options: Unpack[StyleOptions]) -> Figure:
    """How much each hyperparameter matters for the result, with its uncertainty. Needs scikit-learn."""
    return draw("importance", history, **options)


def slices(history: History, **options: Unpack[StyleOptions]) -> Figure:
    """A panel for each hyperparameter: its values against the results."""
    return draw("slices", history, **options)


def timeline(history: History, **options: Unpack[StyleOptions]) -> Figure:
    """Workers and slots: who trained what, who was idle, and what was lost."""
    return draw("timeline", history, **options)


def lineage(history: History, **options: Unpack[StyleOptions]) -> Figure:
    """Population based training: who went on from whose checkpoint."""
    return draw("lineage", history, **options)


def schedules(history: History, **options: Unpack[StyleOptions]) -> Figure:
    """Population based training: with which hyperparameters each model was trained."""
    return draw("schedules", history, **options)


def compare(histories: Sequence[History], **options: Unpack[StyleOptions]) -> Figure:
    """The best of several experiments, over time and over the resource that each spent."""
    return draw("compare", histories, **options)
