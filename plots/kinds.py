"""Every kind of figure by its name, and the functions that draw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Unpack

from ..shared.errors import InvalidInput
from ..shared.text.suggestions import closest
from .errors import graph_objects
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

    @property
    def _module(self) -> ModuleType:
        return import_module(f".figures.{self.name}", __package__)

    def applies(self, history: History) -> str:
        """Why it has nothing to show of an experiment, as a sentence; empty where it has something."""
        return self._module.applies(history)

    def draw(self, history: History, style: Style) -> Figure:
        """The figure. Raises NothingToShow with that sentence."""
        return self._module.draw(history, style)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("curves", "Learning curves", "what each trial reported, coloured by what became of it, with the rungs"),
        Kind("best", "Best result so far", "over time and over the resource that was spent"),
    )
}


def draw(kind: str, history: History | Sequence[History], **options: Unpack[StyleOptions]) -> Figure:
    """The figure of that name; `compare` takes a sequence of histories, the others one.

    Raises NothingToShow where there is nothing to show (yet), MissingExtra where a package is not installed,
    InvalidInput where there is no such kind.
    """
    if kind not in KINDS:
        near = closest(kind, KINDS)
        told = f"; did you mean {near}?" if near else ""
        raise InvalidInput(f"there is no figure {kind!r}{told} There are: {', '.join(KINDS)}")
    graph_objects()
    style = Style(**options)
    histories = (history,) if isinstance(history, History) else tuple(history)
    if len(histories) != 1:
        raise InvalidInput(f"the figure {kind} is of one experiment, got {len(histories)}")
    return KINDS[kind].draw(histories[0], style)


def curves(history: History, **options: Unpack[StyleOptions]) -> Figure:
    """Learning curves, coloured by what became of each trial, with the rungs marked."""
    return draw("curves", history, **options)


def best(history: History, **options: Unpack[StyleOptions]) -> Figure:
    """The best result so far, over time and over the resource that was spent."""
    return draw("best", history, **options)
