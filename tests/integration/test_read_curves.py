"""A master reads the curves of an experiment as the stream of its reports has them, on either database."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from rungmaster.master.dispatcher.broadcast import Broadcast
from rungmaster.master.experiment.changes import Changes, ThinningRow
from rungmaster.master.experiment.life.retention import Span
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.curves import reading
from rungmaster.master.ledger.read.curves.reading import CurvesSummary, read_curves
from rungmaster.master.ledger.read.curves.thinning import ThinnedCurve
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.master.services.curves import CurveReads
from rungmaster.master.services.watching import ReportStreams, Watches
from rungmaster.plots.gathering import Gathering
from rungmaster.proto.v1 import experiment_pb2 as pb
from rungmaster.shared.errors import InvalidInput, NotFound
from rungmaster.shared.wire.model import Report
from rungmaster.shared.wire.positions import ReportPosition

from .ledger_rows import START, created, report, trial
from .query_plans import sqlite_steps

LEVELS = (3, 9)
BEGIN = ReportPosition()
VALUES = (0.5, 0.25, 2.0, -1.0, math.nan, math.inf, -math.inf)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a few reports, so that trials lie across them."""
    for name in ("_USUAL", "_FEWEST", "_MOST"):
        monkeypatch.setattr(reading, name, 7)


def fill(ledger: Ledger, seed: int, commits: int = 12) -> None:
    """Reports of three trials, some of them repeated under the next lease, some without the metric."""
    rng, next_of = random.Random(seed), dict[int, tuple[int, int]]()
    for _ in range(commits):
        rows = []
        for _ in range(rng.randint(1, 9)):
            number = rng.randint(0, 2)
            token, sequence = next_of.get(number, (1, 0))
            if rng.random() < 0.1:
                token, sequence = token + 1, rng.randint(0, sequence)
            sequence += 1
            next_of[number] = token, sequence
            metrics = {"loss": rng.choice(VALUES) + rng.random()} if rng.random() < 0.9 else {}
            if rng.random() < 0.3:
                metrics['ä "b"'] = rng.random()
            rows.append(report(number, sequence, token, metrics=metrics))
        ledger.commit(Changes(new_reports=rows))


def streamed(reader: Reader, after: ReportPosition = BEGIN) -> list[Report]:
    return reader.reported(1, after, 10_000)[0]


def gathered(reports: list[Report], sign: int, metric: str = "loss", starts: dict[int, int] | None = None) -> Gathering:
    gathering = Gathering(LEVELS, sign, 10_000)
    gathering.starts.update(starts or {})
    for one in reports:
        time_s = one.receive_time.timestamp() - (START + 1)
        gathering.add(one.trial_id, one.resource, one.metrics.get(metric), time_s)
    return gathering


def parts(steps: Iterator[list[ThinnedCurve] | CurvesSummary]) -> tuple[dict[int, ThinnedCurve], CurvesSummary]:
    *curves, end = steps
    assert isinstance(end, CurvesSummary)
    found = [curve for part in curves if isinstance(part, list) for curve in part]
    assert len({curve.trial_id for curve in found}) == len(found)
    return {curve.trial_id: curve for curve in found}, end


def assert_as_streamed(reader: Reader, sign: int, metric: str = "loss", starts: dict[int, int] | None = None) -> None:
    curves, end = parts(read_curves(reader, 1, metric, 10_000))
    reports = streamed(reader)
    expected = gathered(reports, sign, metric, starts)
    assert curves.keys() == expected.curves().keys()
    for number, whole in expected.curves().items():
        assert curves[number].resource.tolist() == whole.resource.tolist()
        assert list(map(repr, curves[number].value.tolist())) == list(map(repr, whole.value.tolist()))
        assert curves[number].time_us.tolist() == pytest.approx([1e6 * time for time in whole.time_s], abs=2)
    assert end.total == expected.spent
    assert end.metrics == tuple(sorted({name for one in reports for name in one.metrics}))
    assert end.position is None or (not reports or reports[-1].position <= end.position)
    assert streamed(reader, end.position or BEGIN) == []
    if metric == "loss":
        found = end.records
        columns = (end.spent, found.trial.tolist(), found.resource.tolist(), found.value.tolist())
        records = [(one.spent, one.trial_id, one.resource, one.value) for one in expected.records]
        assert list(zip(*columns, strict=True)) == records


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_curves_and_records_are_those_of_the_stream(ledger: Ledger, reader: Reader, seed: int, goal: str) -> None:
    ledger.commit(created(trials=3, goal=goal))
    assert_as_streamed(reader, 1)
    fill(ledger, seed)
    sign = -1 if goal == "maximize" else 1
    assert_as_streamed(reader, sign)
    assert_as_streamed(reader, sign, 'ä "b"')
    assert_as_streamed(reader, sign, "unknown")
    with ledger._transaction() as connection:
        connection.execute(text("UPDATE reports SET commit_id = 0 WHERE token = 1 AND sequence < 5"))
    assert_as_streamed(reader, sign)
    with ledger._transaction() as connection:
        connection.execute(text("UPDATE reports SET commit_id = 0"))
    assert_as_streamed(reader, sign)


def test_curves_of_reports_that_were_thinned_are_those_that_are_left(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created(trials=3))
    fill(ledger, 7)
    thinning = ThinningRow(1, 0, 0, 0, START, None)
    ledger.commit(Changes(new_thinnings=[thinning]))
    assert ledger.thin(thinning, [Span(0, 1, 2, 4), Span(1, 1, 1, 3), Span(2, 1, 1, 100)], 3, finished=True)
    assert_as_streamed(reader, 1)


def test_a_trial_that_began_at_anothers_checkpoint_was_trained_from_there_on(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created(trials=2))
    ledger.commit(Changes(new_trials=[trial(2, parent=0, start_resource=4)]))
    rows = [report(0, n) for n in range(1, 5)] + [report(2, n) for n in range(5, 9)]
    ledger.commit(Changes(new_reports=rows))
    assert_as_streamed(reader, 1, starts={2: 4})
    assert parts(read_curves(reader, 1, "", 10))[1].total == 8


def test_what_is_stored_meanwhile_comes_afterwards(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created(trials=3))
    fill(ledger, 1)
    before = streamed(reader)
    steps = read_curves(reader, 1, "", 10_000)
    first = next(steps)
    fill_on = [report(number, 50 + n, 9) for n in range(5) for number in (2, 0)]
    ledger.commit(Changes(new_reports=fill_on))
    curves, end = parts(step for some in ([first], steps) for step in some)
    expected = gathered(before, 1)
    assert {number: len(curve.value) for number, curve in curves.items()} == {
        number: len(curve) for number, curve in expected.curves().items()
    }
    assert end.position is not None
    after = streamed(reader, end.position)
    assert sorted((one.trial_id, one.sequence) for one in after) == sorted((r.trial_id, r.sequence) for r in fill_on)


async def _answers(reads: CurveReads, request: pb.ReadCurvesRequest) -> list[pb.ReadCurvesResponse]:
    return [pb.ReadCurvesResponse.FromString(answer) async for answer in reads.answers(request)]


def test_curves_are_sent_with_their_end_in_the_last_message_alone(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created(trials=3))
    fill(ledger, 3)

    async def scenario() -> None:
        watches = Watches(lambda query: asyncio.to_thread(query))
        reads = CurveReads(reader, watches)
        both = await asyncio.gather(*(_answers(reads, pb.ReadCurvesRequest(experiment_id=1)) for _ in range(2)))
        assert both[0] == both[1]
        answers = both[0]
        assert [answer.HasField("end") for answer in answers] == [False] * (len(answers) - 1) + [True]
        expected = gathered(streamed(reader), 1)
        sent = {curve.trial_id: curve for answer in answers for curve in answer.curves}
        assert {number: list(curve.resources) for number, curve in sent.items()} == {
            number: curve.resource.tolist() for number, curve in expected.curves().items()
        }
        assert [one.spent for answer in answers for one in answer.records] == [one.spent for one in expected.records]
        streams = ReportStreams(reader, Broadcast(), watches)
        follow = streams.follow(1, ReportPosition.parse(answers[-1].end.position))
        first = pb.WatchReportsResponse.FromString(await anext(follow))
        assert (len(first.reports), first.caught_up) == (0, True)
        await follow.aclose()

    asyncio.run(scenario())


def test_who_leaves_in_the_middle_holds_nobody_up(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created(trials=3))
    fill(ledger, 3)

    async def scenario() -> None:
        reads = CurveReads(reader, Watches(lambda query: asyncio.to_thread(query)))
        request = pb.ReadCurvesRequest(experiment_id=1)
        leaving = [asyncio.create_task(_answers(reads, request)) for _ in range(5)]
        for _ in range(3):
            await asyncio.sleep(0)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        assert len(await asyncio.wait_for(_answers(reads, request), 60)) > 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (pb.ReadCurvesRequest(experiment_id=2), NotFound),
        (pb.ReadCurvesRequest(experiment_id=1, points=-1), InvalidInput),
        (pb.ReadCurvesRequest(experiment_id=1, points=10_001), InvalidInput),
        (pb.ReadCurvesRequest(experiment_id=1, metric="m" * 101), InvalidInput),
    ],
)
def test_what_cannot_be_read_is_refused(
    ledger: Ledger, reader: Reader, request_: pb.ReadCurvesRequest, error: type[Exception]
) -> None:
    ledger.commit(created())
    reads = CurveReads(reader, Watches(lambda query: asyncio.to_thread(query)))
    with pytest.raises(error):
        asyncio.run(_answers(reads, request_))


def test_curves_are_read_in_the_order_of_the_keys_and_nothing_is_sorted(sqlite_url: str) -> None:
    """By what SQLite says that it does."""
    ledger, reader = Ledger.open(sqlite_url, holder="me"), Reader(sqlite_url)
    try:
        ledger.commit(created(trials=3))
        fill(ledger, 1)
        steps = sqlite_steps(reader._engine)
        parts(read_curves(reader, 1, "", 10))
        of_reports = [step for step in steps if "SEARCH reports" in step or "SCAN reports" in step or "TEMP" in step]
        assert of_reports
        by_key = "SEARCH reports USING PRIMARY KEY (experiment_id=? AND (trial_id,token,sequence)>(?,?,?))"
        by_commit = "SEARCH reports USING COVERING INDEX ix_reports_commit (experiment_id=?)"
        assert set(of_reports) <= {by_key, by_commit, "USE TEMP B-TREE FOR DISTINCT", "USE TEMP B-TREE FOR ORDER BY"}, (
            of_reports
        )
        assert by_key in of_reports
    finally:
        reader.close()
        ledger.close()
