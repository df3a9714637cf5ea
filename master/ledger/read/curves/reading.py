"""Reads the curves of an experiment from the database, a part at a time, so that whoever reads can rest in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .....shared.wire.positions import ReportPosition
from ..queries.curves import CurvesSource, ReportsPart
from ..reader import Reader
from .columns import MeasuredColumns, ReportColumns
from .records import RecordFinder, Spending
from .thinning import ThinnedCurve, Thinner

#: Reports in one part: with documents of usual length, and at least and at most.
_USUAL, _FEWEST, _MOST = 8_192, 256, 16_384
#: How long the metrics of a part should be as text.
_SIZE = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class CurvesSummary:
    """What is known once all reports were read; `spent` is what was trained by each record."""

    records: MeasuredColumns
    spent: list[int]
    metrics: tuple[str, ...]
    total: int
    position: ReportPosition | None


def read_curves(
    reader: Reader, experiment_id: int, metric: str, points: int
) -> Iterator[list[ThinnedCurve] | CurvesSummary]:
    """The curves of a metric (empty: the searcher's), some at a time, and what is known then; each step is one query.

    What is stored after it has begun is left out. The reports are read once for the curves, and their resources once
    more, since what was trained by a record can be told only once the records are known: so memory stays small however
    many reports there are. Raises NotFound.
    """
    source = reader.curves_source(experiment_id)
    return _Reading(reader, experiment_id, metric or source.metric, points, source).steps()


class _Reading:
    def __init__(self, reader: Reader, experiment_id: int, metric: str, points: int, source: CurvesSource) -> None:
        self._reader = reader
        self._experiment_id = experiment_id
        self._metric = metric
        self._source = source
        sign = -1 if source.goal == "maximize" else 1
        self._thinner = Thinner(source.levels, sign, points, source.starts)
        self._records = RecordFinder(sign)
        self._names: set[str] = set()

    def steps(self) -> Iterator[list[ThinnedCurve] | CurvesSummary]:
        """Its steps, in order."""
        position = self._source.position
        begin = ReportsPart(self._experiment_id, -1 if position is None else position.commit_id, _USUAL)
        yield from self._curves(begin)
        spending = Spending(self._records.found, self._source.starts)
        for reports in self._training(begin):
            spending.add(reports)
            yield []
        found = self._records.found
        yield CurvesSummary(found, spending.at_records.tolist(), tuple(sorted(self._names)), spending.total, position)

    def _curves(self, part: ReportsPart) -> Iterator[list[ThinnedCurve]]:
        while (page := self._reader.metric_page(part, self._metric, self._source.create_time)) is not None:
            self._names |= page.names
            if self._metric == self._source.metric:
                self._records.add(page.reports)
            yield self._thinner.add(page.reports)
            limit = max(_FEWEST, min(_MOST, len(page.reports) * _SIZE // page.size))
            part = replace(part, after=page.last, place=part.place + len(page.reports), limit=limit)
        yield self._thinner.end()

    def _training(self, part: ReportsPart) -> Iterator[ReportColumns]:
        while (page := self._reader.training_page(replace(part, limit=_MOST))) is not None:
            yield page.reports
            part = replace(part, after=page.last, place=part.place + len(page.reports))
