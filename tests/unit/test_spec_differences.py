"""What differs between specs: each field that does, none that does not."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rungmaster.dashboard.wording.spec_differences import differences

values = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.sampled_from(["a", "b"]), st.just([1, "x"]))
fields = st.dictionaries(st.sampled_from(["a", "b", "c"]), values, max_size=3)
specs = st.dictionaries(st.sampled_from(["x", "y", "z"]), st.one_of(values, fields), max_size=3)


def test_only_the_fields_that_differ_are_named_by_their_paths() -> None:
    one: dict[str, Any] = {"name": "one", "unit": "epochs", "searcher": {"name": "asha", "max_trials": 8, "divisor": 4}}
    other = {"name": "other", "unit": "epochs", "searcher": {"name": "random", "max_trials": 8, "stop_once": None}}
    assert differences([one, other]) == [("searcher.name", ("asha", "random")), ("searcher.divisor", ("4", "–"))]


def test_what_one_alone_has_is_one_field_with_all_that_is_in_it() -> None:
    one = {"hyperparameters": {"width": {"type": "int", "low": 1}}}
    assert differences([one, {"hyperparameters": {}}]) == [
        ("hyperparameters.width", ('{"type": "int", "low": 1}', "–")),
    ]


def test_one_is_not_true_and_is_the_same_as_one_point_nought() -> None:
    assert differences([{"a": 1}, {"a": 1.0}]) == []
    assert differences([{"a": 1}, {"a": True}]) == [("a", ("1", "true"))]


def without_nothing(value: Any) -> Any:
    """A spec without what is null, and its numbers by kind."""
    if isinstance(value, dict):
        return {name: without_nothing(each) for name, each in value.items() if each is not None}
    return (type(value).__name__, value)


@given(specs, specs)
def test_two_that_differ_nowhere_are_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    found = differences([one, other])
    assert (found == []) == (without_nothing(one) == without_nothing(other))
    assert all(len(set(difference.values)) == 2 for difference in found)
    assert {path: values[::-1] for path, values in found} == dict(differences([other, one]))


@given(specs)
def test_one_alone_or_twice_has_no_differences(spec: dict[str, Any]) -> None:
    assert differences([spec]) == []
    assert differences([spec, spec, spec]) == []
