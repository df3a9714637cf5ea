"""What a spec costs before anything is trained: near to linear in its size, with limits that are told.

Work is counted in executed lines of Python, not in seconds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from unit.space_values import agrees, spaces

from rungmaster.master.search.interface import Goal, SearchContext
from rungmaster.master.search.registry import build_searcher
from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.space.problems import MAX_CIRCLES, MAX_CLAUSES, MAX_FORBIDDEN
from rungmaster.shared.space.space import DRAW_RULES, SMALL, Space, repetition
from rungmaster.shared.spec.document.plain import MAX_ALL_TEXT
from rungmaster.shared.spec.searchers import MAX_BRACKETS, AdaptiveAshaSpec
from rungmaster.shared.spec.spec import MAX_PROBLEMS, parse_spec, parse_with_space, spec_from_json
from rungmaster.shared.text import suggestions
from rungmaster.shared.text.suggestions import MAX_SUGGESTIONS, closest, few_suggestions

FLOAT = {"type": "float", "low": 0, "high": 1}


def document(hyperparameters: dict[str, Any], forbidden: list[Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A spec with this space, and more fields."""
    return {
        "name": "space",
        "entrypoint": "training:train",
        "metric": {"name": "loss", "goal": "minimize"},
        "hyperparameters": hyperparameters,
        "forbidden": forbidden or [],
        "searcher": {"name": "asha", "max_trials": 10, "max_resource": 9},
    } | fields


def choices(number: int, **fields: Any) -> dict[str, Any]:
    return {"type": "categorical", "choices": [*range(number)]} | fields


def one_combination_of_many_values(n: int) -> dict[str, Any]:
    return document({"x": choices(2 * n), "y": FLOAT}, [{"x": [*range(n)]}])


def many_combinations_of_a_value_each(n: int) -> dict[str, Any]:
    return document({"x": choices(2 * n), "y": FLOAT}, [{"x": number} for number in range(n)])


def many_combinations_of_many_hyperparameters(n: int) -> dict[str, Any]:
    space = {f"x{number}": choices(2) for number in range(n)}
    return document(space | {"y": FLOAT}, [{f"x{number}": 0, f"x{number - 1}": 0} for number in range(8)] * (n // 8))


def one_combination_of_all_hyperparameters(n: int) -> dict[str, Any]:
    space = {f"x{number:04d}": {"type": "constant", "value": 1} for number in range(n)}
    return document(space | {"y": FLOAT, "z": choices(2)}, [dict.fromkeys(space, 1) | {"z": 1}])


def a_chain_of_conditions(n: int) -> dict[str, Any]:
    space = {f"x{number}": choices(2, when={f"x{number - 1}": 1} if number else {}) for number in range(n)}
    return document(space | {"y": FLOAT})


def many_parents_of_many_children(n: int) -> dict[str, Any]:
    parents = {f"p{number}": {"type": "constant", "value": 1} for number in range(8)}
    children = {
        f"x{number}": {"type": "constant", "value": 1, "when": dict.fromkeys(parents, 1)} for number in range(n)
    }
    return document(parents | children)


def a_grid_of_one_child_of_many_parents(n: int) -> dict[str, Any]:
    parents = {f"p{number}": {"type": "constant", "value": 1} for number in range(n)}
    child = {"x": choices(2, when=dict.fromkeys(parents, 1))}
    return document(child | parents, searcher={"name": "grid", "max_resource": 9})


def many_weights(n: int) -> dict[str, Any]:
    return document({"x": choices(n, weights=[1] * n), "y": FLOAT}, [{"x": 0}])


def misspelt_names(n: int) -> dict[str, Any]:
    names = {f"hyperparameter_{number}": 1 for number in range(300)}
    return document(names | {"y": FLOAT | {"when": {f"hyperparametre_{number}": 1 for number in range(n)}}})


def impossible_values(n: int) -> dict[str, Any]:
    return document({"x": choices(n), "y": FLOAT | {"when": {"x": [f"no {number}" for number in range(n)]}}})


def unknown_fields(n: int) -> dict[str, Any]:
    return document({"y": FLOAT}) | {f"sede{number}": 1 for number in range(4 * n)}


def circles(n: int) -> dict[str, Any]:
    return document({f"x{number}": choices(2, when={f"x{number ^ 1}": 1}) for number in range(2 * n)})


SHAPES: list[Callable[[int], dict[str, Any]]] = [
    one_combination_of_many_values,
    many_combinations_of_a_value_each,
    many_combinations_of_many_hyperparameters,
    one_combination_of_all_hyperparameters,
    a_chain_of_conditions,
    many_parents_of_many_children,
    a_grid_of_one_child_of_many_parents,
    many_weights,
    misspelt_names,
    impossible_values,
    unknown_fields,
    circles,
]


@contextmanager
def counting_lines() -> Iterator[list[int]]:
    """Within, every line of Python that this thread executes is counted, in the list's only item."""
    count, former = [0], sys.gettrace()

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        del frame, argument
        count[0] += event == "line"
        return trace

    sys.settrace(trace)
    try:
        yield count
    finally:
        sys.settrace(former)


def accept_and_draw(text: str) -> None:
    """All that a submission and the first trial of it take; or what a refusal takes."""
    try:
        spec, space = parse_with_space(text)
    except InvalidSpec:
        return
    repetition(spec, space)
    space.draw(0, 0)


def work(text: str) -> int:
    with counting_lines() as count:
        accept_and_draw(text)
    return count[0]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_twice_the_spec_is_about_twice_the_work(shape: Callable[[int], dict[str, Any]]) -> None:
    accept_and_draw(json.dumps(shape(8)))  # imports what it needs
    some, more = (work(json.dumps(shape(n))) for n in (240, 480))
    assert more <= 2.4 * some


def test_a_search_of_as_many_brackets_as_it_may_have_is_built_and_asked_with_little_work() -> None:
    def cost(brackets: int) -> tuple[int, int]:
        spec = AdaptiveAshaSpec(
            max_trials=10**9, max_resource=2**53 - 1, divisor=1.0001, bracket_rungs=(100,) * brackets
        )
        with counting_lines() as built:
            searcher = build_searcher(spec, SearchContext(Goal.MINIMIZE))
        with counting_lines() as asked:
            searcher.next()
        return built[0], asked[0]

    some, most = cost(MAX_BRACKETS // 2), cost(MAX_BRACKETS)
    assert most[0] <= 2.4 * some[0]
    assert most[1] <= 2.4 * some[1]


def problems_of(spec: dict[str, Any] | str) -> list[str]:
    with pytest.raises(InvalidSpec) as caught:
        parse_spec(spec if isinstance(spec, str) else json.dumps(spec))
    return str(caught.value).splitlines()


def test_more_is_named_than_may_be() -> None:
    when = {f"x{number}": 1 for number in range(MAX_CLAUSES + 1)}
    (problem,) = problems_of(document({"y": FLOAT | {"when": when}}))
    assert problem == (
        "hyperparameters: all `when` and `forbidden` together must name at most 10000 hyperparameters, got 10001"
    )
    (problem,) = problems_of(document({"x": 1, "y": 2}, [{"x": 1}] * (MAX_FORBIDDEN + 1)))
    assert problem == "forbidden: must have at most 1000 combinations, got 1001"
    names = {f"x{number}": 1 for number in range(11)}
    (problem,) = problems_of(document(names, [names] * 1000))
    assert problem.startswith("forbidden: all `when` and `forbidden` together must name at most 10000")


def test_more_brackets_than_there_may_be_are_refused_with_the_number() -> None:
    searcher = {"name": "adaptive_asha", "max_trials": 10**6, "max_resource": 9}
    (problem,) = problems_of(document({"x": 1}, searcher=searcher | {"bracket_rungs": [1] * 90_000}))
    assert problem == "searcher.bracket_rungs: must name at most 100 brackets, got 90,000"
    most = spec_from_json(document({"x": 1}, searcher=searcher | {"bracket_rungs": [1] * MAX_BRACKETS}))
    assert len(build_searcher(most.searcher, SearchContext(Goal.MINIMIZE)).plan) == MAX_BRACKETS


def test_every_mode_fits_into_the_limit_of_brackets() -> None:
    modes = AdaptiveAshaSpec(
        max_trials=10**9, max_resource=2**53 - 1, divisor=1.0001, max_rungs=100, mode="conservative"
    )
    assert len(build_searcher(modes, SearchContext(Goal.MINIMIZE)).plan) == MAX_BRACKETS


def test_few_misspelt_names_are_told_with_the_closest_and_all_of_them_are_counted() -> None:
    problems = problems_of(misspelt_names(480))
    assert sum("did you mean" in problem for problem in problems) == MAX_SUGGESTIONS
    assert problems[0].endswith('there is no such hyperparameter; did you mean "hyperparameter_0"?')
    assert problems[MAX_SUGGESTIONS].endswith("there is no such hyperparameter")
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1] == "and 380 more problems"


def test_only_what_is_told_is_put_into_words() -> None:
    problems = problems_of(unknown_fields(480))
    assert all("unknown field" in problem for problem in problems[:MAX_PROBLEMS])
    assert problems[-1] == f"and {4 * 480 - MAX_PROBLEMS} more problems"


def test_some_circles_are_told_where_there_are_many() -> None:
    assert len(problems_of(circles(480))) == MAX_CIRCLES


def test_the_closest_name_is_found_among_the_likeliest_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns of two characters are what the comparison in full takes longest for."""
    names = ["ab" * 40 + f"{number:03d}" for number in range(500)]
    with counting_lines() as all_alike:
        assert closest("ba" * 40 + "777", names) is not None
    monkeypatch.setattr(suggestions, "COMPARED", 2 * suggestions.COMPARED)
    with counting_lines() as twice_as_many:
        closest("ba" * 40 + "777", names)
    assert twice_as_many[0] > 1.2 * all_alike[0], "most of the work is in those few"
    assert closest("x" * (suggestions.LONGEST + 1), ["x" * suggestions.LONGEST]) is None
    assert closest("wdth", ["width", "w" * 10_000]) == "width"


def test_a_limit_of_suggestions_ends_with_its_document() -> None:
    with few_suggestions(1):
        assert [closest("wdth", ["width"]) for _ in range(3)] == ["width", None, None]
    assert closest("wdth", ["width"]) == "width"


def test_texts_that_aliases_repeat_are_counted_each_time() -> None:
    (problem,) = problems_of("name: &a " + "x" * 9000 + "\nlist: [" + "*a, " * (MAX_ALL_TEXT // 9000) + "]")
    assert problem == (
        "has more than 1,048,576 characters in all its texts together, counting those behind an alias each time"
    )


def test_huge_numbers_in_place_of_names_are_refused_at_the_first() -> None:
    """Multiples of 2^61-1 are all alike to Python's dict, which then takes quadratic time."""
    text = "{" + ", ".join(f"{(2**61 - 1) * number}: 1" for number in range(1, 20_000)) + "}"
    assert problems_of(text) == ["spec: line 1, column 2: the name of a field must be text; put it in quotes"]


def test_deep_anchors_are_measured_once() -> None:
    def nested(values: int) -> str:
        """Lists within lists, each with an anchor, around many values."""
        return "a: " + "".join(f"&a{level} [" for level in range(20)) + "1, " * values + "]" * 20

    with counting_lines() as some:
        problems_of(nested(1000))
    with counting_lines() as more:
        problems_of(nested(2000))
    flat = (more[0] - some[0]) / 1000
    with counting_lines() as plain:
        problems_of("a: [" + "1, " * 2000 + "]")
    assert flat <= 1.5 * plain[0] / 2000


def test_combinations_that_are_very_long_have_no_order() -> None:
    """Putting ten thousand of a kilobyte or more in order would take all experiments' drawing thread for seconds."""
    spec, space = parse_with_space(
        json.dumps(document({"text": "x" * 9000, "n": {"type": "int", "low": 1, "high": SMALL}}))
    )
    assert space.number == SMALL
    assert not space.is_small
    assert len({space.draw(0, trial)["n"] for trial in range(2000)}) < 2000
    spec = spec.model_copy(update={"searcher": spec.searcher.model_copy(update={"max_trials": SMALL + 1})})
    assert "some come several times" in repetition(spec, space)
    assert Space(spec.hyperparameters, rules=2).is_small
    assert Space({"n": spec.hyperparameters["n"]}, rules=DRAW_RULES).is_small


@settings(max_examples=100, deadline=None)
@given(spaces())
def test_combinations_are_counted_as_if_each_were_looked_at(declared: tuple[dict[str, Any], list[Any]]) -> None:
    hyperparameters, forbidden = declared
    finite = {name: spec for name, spec in hyperparameters.items() if spec["type"] == "categorical"}
    try:
        spec = spec_from_json(document(finite or {"x": 1}, forbidden))
    except InvalidSpec:
        return
    values = [[*spec.hyperparameters[name].values] for name in finite]  # pyright: ignore[reportAttributeAccessIssue]
    found = set[str]()
    for combination in product(*values):
        drawn = dict(zip(finite, combination, strict=True))
        # Later ones depend on earlier ones.
        for name in finite:
            if not agrees(spec.hyperparameters[name].when, drawn):
                drawn.pop(name)
        if not any(agrees(each, drawn) for each in spec.forbidden):
            found.add(json.dumps(drawn))
    assert Space(spec.hyperparameters, spec.forbidden).number == (len(found) if finite else 1)
