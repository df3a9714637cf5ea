"""The picture of a search: from what is known of it to the lines that fit into a window. A pure function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ....shared.wire.model import Experiment, ExperimentState, TrialState, Worker, WorkerState
from .. import text
from . import rungs
from .estimate import about, expected_total, rate_told
from .lines import Line, cells, flow, fold, plain, width_of
from .sparkline import sparkline
from .symbols import BLOCKS, Symbols

_STATES = {
    ExperimentState.ACTIVE: "green",
    ExperimentState.PAUSED: "yellow",
    ExperimentState.COMPLETED: "cyan",
    ExperimentState.CANCELLED: "yellow",
    ExperimentState.FAILED: "red",
}
#: Hyperparameters that take no more lines are shown before rungs are.
_FEW_LINES = 4
#: Narrower windows have no bars beside words.
_WITH_BARS = 64
_BAR = 16
_LONGEST_SPARKLINE = 48
_LABEL = len("trained  ")


@dataclass(frozen=True, slots=True)
class View:
    """What is known of a search at a moment: the experiment, the workers (None: nothing is known of them), for how long
    the master has been silent, the best result after each trial, units a second and the seconds left where they can be
    told, and what happened lately."""

    experiment: Experiment
    now: datetime
    workers: Sequence[Worker] | None = ()
    away_s: float = 0.0
    curve: Sequence[float] = ()
    rate: float | None = None
    left_s: float | None = None
    news: Sequence[str] = ()


def draw(view: View, width: int, height: int, symbols: Symbols = BLOCKS) -> list[Line]:
    """At most `height` lines, none wider than `width`, which is at least 2.

    Where there is no room for all, rungs become short and then go, then hyperparameters that do not fit, then news.
    """
    picture = _Picture(view, max(2, width), symbols)
    lines: list[Line] = []
    for lines in picture.from_full_to_brief(height):
        if len(lines) <= height:
            break
    return lines[:height]


class _Picture:
    def __init__(self, view: View, width: int, symbols: Symbols) -> None:
        self._view = view
        self._experiment = view.experiment
        self._width = width
        self._symbols = symbols

    def from_full_to_brief(self, height: int) -> Iterator[list[Line]]:
        """The same with less and less of it; the last one may still be too long."""
        head, curve, hparams, news = self._head(), self._curve(), self._hparams(), self._news()
        *others, best = ([*self._folded(words)] for words in text.best_lines(self._experiment))
        best = [((plain(line), "bold"),) for line in best]
        every = [*(line for lines in others for line in lines), *best, *curve]
        bars = self._bars()
        legend = rungs.legend(self._symbols, self._width) if bars else []
        brief = rungs.brief(self._experiment, self._symbols, self._width)
        middles = [middle for middle in ([*bars, *legend], bars, brief) if middle]
        for middle in middles:
            yield [*head, (), *middle, (), *every, *hparams, *news]
        for middle in middles:
            around = [*head, (), *middle, (), *every]
            yield [*around, *self._some(hparams, max(_FEW_LINES, height - len(around) - len(news))), *news]
        yield [*head, (), *every, *hparams, *news]
        last = news[-1:]
        yield [*head, *every, *hparams, *last]
        yield [*head, *best, *curve, *hparams, *last]
        yield [*head, *best, *hparams, *last]
        short = [*self._heading(), *self._counts()]
        yield [*short, *best, *hparams]
        if (rest := height - len(short) - len(best)) > 0:
            yield [*short, *best, *self._some(hparams, rest)]
        yield [*self._heading()[:1], *best, *hparams]
        yield [*self._heading()[:1], *best]

    def _some(self, hparams: list[Line], count: int) -> list[Line]:
        if count < 1 or len(hparams) <= count:
            return hparams[: max(0, count)]
        more = f"  {self._symbols.ellipsis} (rungmaster best {self._experiment.experiment_id})"
        return [*hparams[: count - 1], *fold(((more, "dim"),), self._width)][:count]

    def _folded(self, words: str, style: str = "", indent: int = 2) -> list[Line]:
        return fold(((self._symbols.shown(words), style),), self._width, indent)

    def _heading(self) -> list[Line]:
        experiment, shown = self._experiment, self._symbols.shown
        name = f"experiment {experiment.experiment_id} ({experiment.name})"
        state = experiment.state.value
        rest = text.heading(experiment, self._view.now)[len(f"{name} {state}") :]
        heading: Line = ((shown(name), "bold"), (" ", ""), (state, _STATES[experiment.state]), (shown(rest), ""))
        return fold(heading, self._width, 2)

    def _counts(self) -> list[Line]:
        """How many trials there are, and that the master is away."""
        away = [fact for fact in self._facts() if fact[0] == "slots" and self._view.away_s]
        return [line for fact in (next(self._facts()), *away) for line in self._fact(*fact)]

    def _head(self) -> list[Line]:
        lines = self._heading()
        for problem in text.sampler_lines(self._experiment)[:1]:
            lines += self._folded(problem, "yellow")
        for fact in self._facts():
            lines += self._fact(*fact)
        for limit in text.limits(self._experiment, self._view.now):
            lines += self._folded(limit, "dim")
        return lines

    def _facts(self) -> Iterator[tuple[str, float | None, str]]:
        """What stands in a line with a bar: its name, how much of it is there, and in words."""
        experiment, view = self._experiment, self._view
        made = sum(count for state, count in experiment.trial_counts.items() if state is not TrialState.DISCARDED)
        planned, spent = experiment.planned_trials, experiment.resource_spent
        yield "trials", made / planned if planned else None, text.counts(experiment).replace(" trials", "", 1)
        total, full, unit = expected_total(experiment), experiment.resource_full, experiment.unit
        expected = f" of about {total:,}" if total and not experiment.state.ended else ""
        instead = f" ({full:,} for all in full)" if full else ""
        yield "trained", spent / total if total else None, f"{spent:,}{expected} {unit}{instead}"
        if view.away_s:
            yield "slots", None, f"the master has not answered for {text.duration(view.away_s)}"
            return
        present = [each for each in view.workers or () if each.state is not WorkerState.DISCONNECTED]
        slots, used = sum(each.slots for each in present), sum(each.slots_used for each in present)
        yield "slots", used / slots if slots else None, text.workers_line(view.workers)
        rate = "-" if view.rate is None else rate_told(view.rate, unit)
        left = "time left -" if view.left_s is None else f"{about(view.left_s)} left"
        yield "rate", None, f"{rate}, {left}"

    def _fact(self, label: str, part: float | None, words: str) -> list[Line]:
        words = self._symbols.shown(words)
        if self._width < _WITH_BARS:
            return fold(((f"{label} ", "dim"), (words, "")), self._width, 2)
        filled = 0 if part is None else min(_BAR, max(round(part * _BAR), int(part > 0)))
        empty = " " if part is None else self._symbols.to_come
        bar = ((self._symbols.went_on * filled, "green"), (empty * (_BAR - filled), "dim"), ("  ", ""))
        margin = 0 if part is None and label == "rate" else _BAR + 2
        start: Line = ((label.ljust(_LABEL), "dim"), *(bar if margin else ()))
        return fold((*start, (words, "")), self._width, _LABEL + margin)

    def _bars(self) -> list[Line]:
        lines = rungs.bars(self._experiment, self._symbols, self._width)
        return lines if all(width_of(line) <= self._width for line in lines) else []

    def _curve(self) -> list[Line]:
        curve = self._view.curve
        if len(curve) < 2:
            return []
        first, last = text.number(curve[0]), text.number(curve[-1])
        room = min(_LONGEST_SPARKLINE, self._width - cells(first) - cells(last) - 4)
        drawn = sparkline(curve, room, self._symbols.heights)
        return [((f"  {first} ", "dim"), (drawn, "cyan"), (f" {last}", "dim"))] if drawn else []

    def _hparams(self) -> list[Line]:
        best = self._experiment.best_trial
        if best is None:
            return []
        shown = self._symbols.shown
        items: list[Line] = [
            ((f"{shown(name)} ", "dim"), (shown(text.rounded(value)), "")) for name, value in best.hparams.items()
        ]
        return list(flow(items, self._width))

    def _news(self) -> list[Line]:
        lines: list[Line] = [()] if self._view.news else []
        for words in self._view.news:
            lines += self._folded(words)
        return lines
