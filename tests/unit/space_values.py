"""Search spaces of any kind, for property tests, and what holds for what is drawn from one."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from rungmaster.shared.space.hyperparameters import Condition, FloatSpec, Hyperparameter, IntSpec, same
from rungmaster.shared.spec.spec import Spec, spec_from_json


def spec_with(hyperparameters: dict[str, Any], forbidden: list[Any] | None = None) -> Spec:
    """A spec with this space."""
    return spec_from_json(
        {
            "name": "space",
            "entrypoint": "training:train",
            "metric": {"name": "loss", "goal": "minimize"},
            "hyperparameters": hyperparameters,
            "forbidden": forbidden or [],
            "searcher": {"name": "asha", "max_trials": 10, "max_resource": 9},
        }
    )


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)
NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=8)
BOUNDS = st.floats(-1e290, 1e290, allow_subnormal=False) | st.sampled_from([0.0, 1e-300, 1e-15, 1e15])
CHOICES = st.lists(st.none() | st.booleans() | st.integers(-9, 9) | TEXTS, min_size=1, max_size=4, unique_by=same)


@st.composite
def numbers(draw: st.DrawFn) -> dict[str, Any]:
    """A float or an int, of any kind and any size."""
    whole = draw(st.booleans())
    bounds = st.integers(-(2**53) + 1, 2**53 - 1) | st.integers(-3, 12) if whole else BOUNDS
    low, high = sorted(draw(st.tuples(bounds, bounds).filter(lambda pair: pair[0] != pair[1])))
    declared = {"type": "int" if whole else "float", "low": low, "high": high, "log": low > 0 and draw(st.booleans())}
    if draw(st.booleans()) and not (whole and declared["log"]):
        width = 1 if declared["log"] else float(high) - float(low)
        declared["prior"] = {"mean": draw(st.sampled_from([low, high])), "std": draw(st.floats(1e-5, 100)) * width}
    return declared


@st.composite
def spaces(draw: st.DrawFn) -> tuple[dict[str, Any], list[Any]]:
    """Hyperparameters, of which later ones may depend on earlier ones, and combinations that are forbidden."""
    declared: dict[str, Any] = {}
    values: dict[str, list[Any]] = {}
    names = draw(st.lists(NAMES, min_size=1, max_size=7, unique=True))

    def condition(most: int) -> dict[str, Any]:
        parents = draw(st.lists(st.sampled_from([*values]), max_size=most, unique=True)) if values else []
        return {name: draw(st.lists(st.sampled_from(values[name]), min_size=1, max_size=3)) for name in parents}

    for name in names:
        if draw(st.booleans()):
            declared[name] = draw(numbers()) | {"when": condition(2)}
        else:
            choices = draw(CHOICES)
            declared[name] = {"type": "categorical", "choices": choices, "when": condition(2)}
            values[name] = choices
    forbidden = [each for _ in range(draw(st.integers(0, 2))) if (each := condition(3))]
    return declared, forbidden


def agrees(condition: Condition, drawn: dict[str, Any]) -> bool:
    """Whether everything that a condition names has a value that it allows."""
    return all(name in drawn and same(drawn[name]) in map(same, values) for name, values in condition.items())


def fits(spec: Hyperparameter, value: Any) -> bool:
    """Whether a value lies within what was declared."""
    if isinstance(spec, FloatSpec | IntSpec):
        return type(value).__name__ == spec.type and spec.low <= value <= spec.high
    return any(value is each or value == each for each in spec.values)
