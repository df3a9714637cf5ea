"""Reads curves for those who draw them: thinned here, so that what no figure shows is neither parsed twice nor sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from itertools import islice
from typing import TypeVar

from ...proto.v1 import experiment_pb2 as pb
from ...shared.errors import InvalidInput
from ...shared.limits import MAX_METRIC_NAME
from ..ledger.read.curves.reading import CurvesSummary, read_curves
from ..ledger.read.curves.thinning import ThinnedCurve
from ..ledger.read.reader import Reader
from .bundles import check_text
from .watching import Watches

#: Points of a trial where the request says nothing, and at most.
USUAL_POINTS, MOST_POINTS = 100, 10_000
#: Records in one message.
_RECORDS = 10_000

Part = list[ThinnedCurve] | CurvesSummary
T = TypeVar("T")


class CurveReads:
    """Answers ReadCurves. A read takes its turn with the watches, part by part, and is sent at their pace."""

    def __init__(self, reader: Reader, watches: Watches) -> None:
        self._reader = reader
        self._watches = watches
        # However many read, watches wait for one part of one of them at most.
        self._turn = asyncio.Lock()

    async def answers(self, request: pb.ReadCurvesRequest) -> AsyncGenerator[bytes, None]:
        """Messages, encoded. Raises NotFound, InvalidInput."""
        check_text("metric", request.metric, MAX_METRIC_NAME)
        points = request.points or USUAL_POINTS
        if not 1 <= points <= MOST_POINTS:
            raise InvalidInput(f"points: must be 1 to {MOST_POINTS:,}, got {points}")
        parts = await self._look(lambda: read_curves(self._reader, request.experiment_id, request.metric, points))
        while (messages := await self._look(lambda: _next(parts))) is not None:
            for message in messages:
                await self._watches.pace.keep(len(message))
                yield message

    async def _look(self, query: Callable[[], T]) -> T:
        async with self._turn:
            return await self._watches.look(query)


def _next(parts: Iterator[Part]) -> list[bytes] | None:
    """In a thread: the messages of the next part, which may be none; None at the end."""
    part = next(parts, None)
    if part is None:
        return None
    if isinstance(part, CurvesSummary):
        return [message.SerializeToString() for message in (*_records(part), _end(part))]
    return [pb.ReadCurvesResponse(curves=map(_curve, part)).SerializeToString()] if part else []


def _curve(curve: ThinnedCurve) -> pb.Curve:
    return pb.Curve(
        trial_id=curve.trial_id,
        furthest=curve.furthest,
        resources=curve.resource.tolist(),
        values=curve.value.tolist(),
        times_us=curve.time_us.tolist(),
    )


def _records(summary: CurvesSummary) -> Iterator[pb.ReadCurvesResponse]:
    found = summary.records
    columns = (found.trial.tolist(), found.resource.tolist(), found.value.tolist(), found.time_us.tolist())
    rows = zip(*columns, summary.spent, strict=True)
    while some := list(islice(rows, _RECORDS)):
        records = [
            pb.ResultRecord(trial_id=trial, resource=resource, value=value, time_us=time_us, spent=spent)
            for trial, resource, value, time_us, spent in some
        ]
        yield pb.ReadCurvesResponse(records=records)


def _end(summary: CurvesSummary) -> pb.ReadCurvesResponse:
    position = "" if summary.position is None else str(summary.position)
    return pb.ReadCurvesResponse(end=pb.CurvesEnd(metrics=summary.metrics, spent=summary.total, position=position))
