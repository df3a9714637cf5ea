"""How figures look: palette (Okabe and Ito's, which the colour-blind can tell apart), fonts, light and dark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from ..shared.errors import InvalidInput
from .errors import graph_objects
from .fates import Fate
from .history import History
from .text import plain

Theme = Literal["light", "dark"]
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"

#: Many of one kind, one after the other: experiments, members of a population.
_SERIES = {
    "light": ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
    "dark": ("#56B4E9", "#E69F00", "#1FBF92", "#CC79A7", "#F0E442", "#D55E00", "#FFFFFF"),
}
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_FATES = {
    "light": {
        Fate.FULL: "#0072B2",
        Fate.RUNNING: "#009E73",
        Fate.WAITING: "#E69F00",
        Fate.STOPPED: "#8A8F98",
        Fate.FAILED: "#D55E00",
        Fate.GONE: "#CC79A7",
        Fate.PENDING: "#C9CDD3",
    },
    "dark": {
        Fate.FULL: "#56B4E9",
        Fate.RUNNING: "#1FBF92",
        Fate.WAITING: "#E69F00",
        Fate.STOPPED: "#7F8792",
        Fate.FAILED: "#F2703D",
        Fate.GONE: "#CC79A7",
        Fate.PENDING: "#4A505A",
    },
}
#: So that fates differ without colour, too.
SYMBOLS = {
    Fate.FULL: "star",
    Fate.RUNNING: "triangle-up",
    Fate.WAITING: "circle",
    Fate.STOPPED: "square",
    Fate.FAILED: "x",
    Fate.GONE: "diamond",
    Fate.PENDING: "circle-open",
}


@dataclass(frozen=True, slots=True)
class _Colours:
    paper: str
    ink: str
    quiet: str
    grid: str
    band: str


_COLOURS = {
    "light": _Colours("#FFFFFF", "#1B1F24", "#5B6470", "#E4E7EB", "#F3F5F7"),
    "dark": _Colours("#14171C", "#E8EAED", "#A3ABB6", "#2B3038", "#1D2128"),
}


class StyleOptions(TypedDict, total=False):
    """What every figure takes: `theme`, whether it has a `title`, and whether WebGL may draw what is much."""

    theme: Theme
    title: bool
    webgl: bool


@dataclass(frozen=True, slots=True)
class Style:
    """How a figure is to look."""

    theme: Theme = "light"
    title: bool = True
    webgl: bool = True

    def __post_init__(self) -> None:
        if self.theme not in _COLOURS:
            raise InvalidInput(f"theme: must be light or dark, got {self.theme!r}")

    @property
    def ink(self) -> str:
        """The colour of text and of what matters most."""
        return _COLOURS[self.theme].ink

    @property
    def quiet(self) -> str:
        """The colour of what stands behind."""
        return _COLOURS[self.theme].quiet

    @property
    def grid(self) -> str:
        """The colour of grid lines."""
        return _COLOURS[self.theme].grid

    @property
    def band(self) -> str:
        """The colour of areas in the background."""
        return _COLOURS[self.theme].band

    @property
    def paper(self) -> str:
        """The colour of the page."""
        return _COLOURS[self.theme].paper

    def of_fate(self, fate: Fate) -> str:
        """The colour of a trial."""
        return _FATES[self.theme][fate]

    def of_series(self, place: int) -> str:
        """The colour of the nth of several."""
        return _SERIES[self.theme][place % len(_SERIES[self.theme])]

    def scatter(self, points: int, most_svg: int = 3000) -> Any:
        """The kind of trace that draws so many points well."""
        go = graph_objects()
        return go.Scattergl if self.webgl and points > most_svg else go.Scatter

    def figure(self, kind: str, heading: str, histories: tuple[History, ...], subtitle: str = "") -> Any:
        """An empty figure with title, fonts and colours."""
        go = graph_objects()
        colours = _COLOURS[self.theme]
        figure = go.Figure()
        figure.update_layout(
            template=self._template(),
            meta={"kind": kind, "experiment_id": [each.experiment.experiment_id for each in histories]},
            uirevision="stays",
            margin={"l": 64, "r": 24, "t": 76 if self.title else 40, "b": 56},
            hovermode="closest",
            legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "xanchor": "left"},
        )
        if self.title:
            told = [f"<b>{heading}</b>", *(_name(each) for each in histories[:2])]
            title: dict[str, Any] = {"text": " · ".join(told), "x": 0, "xref": "paper", "xanchor": "left", "y": 1}
            title |= {"yanchor": "top", "pad": {"t": 16}, "font": {"size": 17, "color": colours.ink}}
            if subtitle:
                title["subtitle"] = {"text": subtitle, "font": {"size": 13, "color": colours.quiet}}
            figure.update_layout(title=title)
            figure.update_layout(margin_t=100 if subtitle else 80)
        elif subtitle:
            figure.add_annotation(
                name="subtitle", text=subtitle, xref="paper", yref="paper", x=1, y=1, xanchor="right", yanchor="bottom",
                showarrow=False, font={"size": 12, "color": colours.quiet},
            )  # fmt: skip
        return figure

    def _template(self) -> Any:
        colours = _COLOURS[self.theme]
        axis = {
            "gridcolor": colours.grid,
            "linecolor": colours.grid,
            "zeroline": False,
            "ticks": "outside",
            "tickcolor": colours.grid,
            "automargin": True,
            "title": {"standoff": 8, "font": {"size": 14, "color": colours.quiet}},
        }
        layout = {
            "font": {"family": FONT, "size": 13, "color": colours.ink},
            "paper_bgcolor": colours.paper,
            "plot_bgcolor": colours.paper,
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"font": {"family": FONT, "size": 13}, "align": "left"},
            "colorway": list(_SERIES[self.theme]),
        }
        return graph_objects().layout.Template(layout=layout)


def _name(history: History) -> str:
    return f"{plain(history.experiment.name)} (experiment {history.experiment.experiment_id})"
