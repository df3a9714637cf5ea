"""Why there is no figure."""

from __future__ import annotations

from types import ModuleType

from ..shared.errors import FailedPrecondition, NotFound


class NothingToShow(NotFound):
    """The experiment has nothing (yet) of what the figure shows; the text says what is missing."""


class MissingExtra(FailedPrecondition):
    """A package is needed that is not installed; the text says how to install it."""


def graph_objects() -> ModuleType:
    """Plotly's figures. Raises MissingExtra where Plotly is not installed."""
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise MissingExtra(f"figures need Plotly: pip install 'rungmaster[plots]' ({error})") from error
    return go
