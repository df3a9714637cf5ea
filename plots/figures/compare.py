"""Several experiments: the best of each over time, and over the resource that it spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...shared.errors import InvalidInput
from ..axes import extent, time_unit, two_panels, value_axis
from ..errors import NothingToShow
from ..history import History
from ..segments import places
from ..style import DASHES, Style
from ..text import duration, number, plain
from .best import applies

_MOST_RECORDS = 2000
MOST = 12
#: The part of what each has trained that counts as its beginning, whose results may be off the axis.
_BEGINNING = 0.1


def draw(histories: Sequence[History], style: Style) -> Any:
    """The figure. Raises NothingToShow where none has a result, InvalidInput where they cannot be compared."""
    shown = [history for history in histories if not applies(history)]
    if not shown:
        raise NothingToShow("; ".join(map(applies, histories)) or "there is no experiment to compare")
    _refuse(shown)
    first = shown[0]
    figure = style.figure(
        "compare", "Best result so far", tuple(shown) if len(shown) <= 2 else (), _told(histories, shown)
    )
    longest = max(history.elapsed_s for history in shown)
    unit, size = time_unit(longest)
    span = extent(np.array([value for history in shown for value in _later(history)]), first.sign)
    # Each has the colour of its place, also before others have a result.
    for place, history in enumerate(histories):
        for trace in _lines(history, place, size, style) if history in shown else ():
            figure.add_trace(trace)
    trained = f"{' or '.join(sorted({plain(history.experiment.unit) for history in shown}))} trained by all trials"
    figure.update_layout(two_panels(value_axis(first, span), unit, trained))
    return figure


def _refuse(shown: Sequence[History]) -> None:
    goals = {(history.metric, history.experiment.goal) for history in shown}
    if len(goals) > 1:
        told = ", ".join(
            f"experiment {each.experiment.experiment_id}: {each.experiment.goal} {each.metric}" for each in shown
        )
        raise InvalidInput(f"these experiments have other goals, so that their results cannot be compared: {told}")
    if len(shown) > MOST:
        raise InvalidInput(f"at most {MOST} experiments can be told apart in one figure, got {len(shown)}")


def _told(histories: Sequence[History], shown: Sequence[History]) -> str:
    missing = [str(history.experiment.experiment_id) for history in histories if history not in shown]
    return f"no result yet: experiment {', '.join(missing)}" if missing else ""


def _later(history: History) -> list[float]:
    """What its axis has to show: not how it began, beside which what it came to would be flat."""
    begun = _BEGINNING * max(history.experiment.resource_spent, history.records[-1].spent)
    before = [record.value for record in history.records if record.spent <= begun]
    return [*before[-1:], *(record.value for record in history.records if record.spent > begun)]


def _lines(history: History, place: int, size: float, style: Style) -> list[Any]:
    """Its steps in both panels, with a mark where it stands."""
    records = [history.records[at] for at in places(len(history.records), _MOST_RECORDS)]
    best, unit = records[-1], plain(history.experiment.unit)
    name = f"{plain(history.experiment.name, 24)} ({history.experiment.experiment_id})"
    texts = [
        f"{name}<br>trial {record.trial_id}: {number(record.value)}<br>after {duration(record.time_s)}, "
        f"{record.spent:,} {unit}"
        for record in records
    ]
    spent = float(max(history.experiment.resource_spent, best.spent))
    return [
        style.scatter(0)(
            x=[*x, max(end, x[-1])], y=[*(record.value for record in records), best.value], mode="lines+markers",
            hovertemplate="%{hovertext}<extra></extra>", hovertext=[*texts, texts[-1]], legendgroup=str(place),
            showlegend=not axis, name=f"{name}: {number(best.value)}", xaxis=f"x{axis}", yaxis=f"y{axis}",
            line={"shape": "hv", "width": 2.6, "color": style.of_series(place), "dash": DASHES[place % len(DASHES)]},
            marker={"size": 8, "opacity": [0] * len(x) + [1], "color": style.of_series(place)},
        )
        for x, end, axis in (
            ([record.time_s / size for record in records], history.elapsed_s / size, ""),
            ([float(record.spent) for record in records], spent, "2"),
        )
    ]  # fmt: skip
