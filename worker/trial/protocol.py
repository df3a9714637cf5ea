"""The local protocol: what a training process and its worker say to each other, as JSON lines.

`docs/training-code.md` describes it for writers of training code in any language. Both ends share this module,
so it imports nothing that a training program would have to pay for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ...shared.errors import InvalidInput
from ...shared.limits import MAX_ERROR, MAX_METRIC_NAME, MAX_METRICS, MAX_RESOURCE
from ...shared.text.visible import hidden_problem

#: A line longer than this, in bytes, is refused.
MAX_LINE = 1 << 20
#: At most so many characters of an error or a reason are kept.
MAX_REASON = MAX_ERROR

#: The file beside the socket in which a Python entrypoint leaves the exception that ended it.
LAST_WORD = "exception"

_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


@dataclass(frozen=True, slots=True)
class TrialStart:
    """What a training process is told at the beginning. `resource` and `target` are in units."""

    hparams: dict[str, Any]
    experiment_id: int
    trial_id: int
    seed: int
    resource: int
    target: int
    metric: str
    checkpoint: str | None
    experiment_name: str

    def to_json(self) -> dict[str, Any]:
        """The reply to the request `start`."""
        return asdict(self)

    @classmethod
    def from_json(cls, reply: Mapping[str, Any]) -> TrialStart:
        """Reads the reply to the request `start`; fields that it does not know are left out."""
        return cls(**{name: reply[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class Reply:
    """What a trial does after a report: train on to `target` (in units), pause or stop; and whether it saves now."""

    decision: Literal["continue", "pause", "stop"]
    target: int
    save: bool = False

    @property
    def ends(self) -> bool:
        """Whether the training ends here."""
        return self.decision != "continue"

    def to_json(self) -> dict[str, Any]:
        """The reply to the request `report`."""
        return {"decision": self.decision, "target": self.target, "save": self.save}

    @classmethod
    def from_json(cls, reply: Mapping[str, Any]) -> Reply:
        """Reads the reply to the request `report`."""
        return cls(reply["decision"], reply["target"], reply["save"])


def encode(message: Mapping[str, Any]) -> bytes:
    """One line of the protocol."""
    return json.dumps(message, allow_nan=False).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Reads one line of the protocol. Raises InvalidInput for anything but a JSON object."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"not a JSON line: {error}; send one JSON object in one line") from error
    if not isinstance(message, dict):
        raise InvalidInput(f'send one JSON object in one line, such as {{"op": "start"}}, not {line[:100]!r}')
    return message


def metrics_to_json(metrics: Mapping[str, float]) -> dict[str, float | str]:
    """Metrics for the wire: JSON has no NaN and no infinities, so they travel as strings."""
    return {name: value if math.isfinite(value) else str(value) for name, value in metrics.items()}


def checked_metrics(metrics: object) -> dict[str, float]:
    """Reads the metrics of a report. Raises InvalidInput for wrong names, too many, or what is not a number."""
    if not isinstance(metrics, Mapping):
        raise InvalidInput('metrics: must be an object of names and numbers, such as {"validation_error": 0.2}')
    if len(metrics) > MAX_METRICS:
        raise InvalidInput(f"metrics: at most {MAX_METRICS} in one report, got {len(metrics)}")
    for name in metrics:
        if not isinstance(name, str) or not 0 < len(name) <= MAX_METRIC_NAME:
            raise InvalidInput(f"metrics: a name has 1 to {MAX_METRIC_NAME} characters, got {str(name)[:200]!r}")
        if problem := hidden_problem(name):
            raise InvalidInput(f"metrics: a name {problem}")
    return {name: _number(name, value) for name, value in metrics.items()}


def _number(name: str, value: object) -> float:
    if isinstance(value, str) and value in _NON_FINITE:
        return _NON_FINITE[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"metrics.{name}: must be a number, got {str(value)[:100]!r} ({type(value).__name__})")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def checked_resource(resource: object, after: int) -> int:
    """Reads the resource of a report. Raises InvalidInput unless it is a whole number above `after`."""
    if isinstance(resource, bool) or not isinstance(resource, int):
        raise InvalidInput(f"resource: must be a whole number of units, got {str(resource)[:100]!r}")
    if resource > MAX_RESOURCE:
        raise InvalidInput(f"resource: must be at most {MAX_RESOURCE}, got {resource}")
    if resource <= after:
        raise InvalidInput(
            f"resource: must grow from report to report, got {resource} after {after}; "
            "give all metrics that belong to one resource in one report"
        )
    return resource


def check_has_metric(metric: str, metrics: Mapping[str, float], resource: int, target: int) -> None:
    """Raises InvalidInput where a report that reaches the target lacks the metric that the searcher goes by."""
    if resource >= target and metric not in metrics:
        raise InvalidInput(
            f"metrics: {metric!r} is missing at resource {resource}; the searcher goes by it, so every report at or "
            f"past the target ({target}) needs it; got {', '.join(sorted(metrics)) or 'no metrics'}"
        )
