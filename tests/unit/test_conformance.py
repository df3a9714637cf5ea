"""The cases in tests/conformance: bracket plans, and whole searches event by event, with every expected answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from rungmaster.master.cli.drive import Driver
from rungmaster.master.search.interface import BracketPlan, Goal, SearchContext
from rungmaster.master.search.registry import build_searcher
from rungmaster.shared.spec.searchers import SEARCHERS, SearcherSpec

CASES = Path(__file__).parents[1] / "conformance"
PLANS = json.loads((CASES / "brackets.json").read_text())
SEARCHES = ("traces.json", "winners.json", "barriers.json")
TRACES = [trace for name in SEARCHES for trace in json.loads((CASES / name).read_text())]


def searcher_spec(document: dict[str, Any]) -> SearcherSpec:
    return SEARCHERS[document["name"]].model_validate(document)


def plan_of(document: dict[str, Any]) -> tuple[BracketPlan, ...]:
    return build_searcher(searcher_spec(document), SearchContext(Goal.MINIMIZE)).plan


@pytest.mark.parametrize("case", PLANS["known"] + PLANS["generated"], ids=lambda case: case.get("why", "generated"))
def test_plans_the_expected_brackets(case: dict[str, Any]) -> None:
    planned = [
        {"rungs": list(b.rungs), "max_trials": b.max_trials, "max_concurrent_trials": b.max_concurrent_trials}
        for b in plan_of(case["searcher"])
    ]
    assert planned == case["brackets"]


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace["name"])
def test_answers_every_event_of_a_search_as_expected(trace: dict[str, Any]) -> None:
    searcher = build_searcher(searcher_spec(trace["searcher"]), SearchContext(Goal(trace["goal"])))
    driver = Driver(searcher)
    for i, (event, expected) in enumerate(trace["events"]):
        answer = driver.answer(json.dumps(event))
        assert {key: answer.get(key) for key in expected} == expected, f"event {i}: {event}"
        searcher.check()
