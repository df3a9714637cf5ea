"""How values that SQL has no plain column for are written: JSON documents, metrics, and text from outside.

All of it is stored as text that a person can read with any SQL client.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Double, Text, TypeDecorator

_encode = json.JSONEncoder(allow_nan=False, check_circular=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().decode


def dump_json(value: Any) -> str:
    """JSON text. Raises ValueError for NaN and infinities, which JSON does not have."""
    return _encode(value)


def dump_metrics(metrics: Mapping[str, float]) -> str:
    """Metrics by name as one JSON object, in which the words "nan", "inf" and "-inf" stand for what JSON lacks.

    Written by hand, because it is done for every report: `json` takes three times as long to say the same.
    """
    return "{" + ",".join([f"{_quoted(name)}:{_number(value)}" for name, value in metrics.items()]) + "}"


#: The same few names come again and again.
_quoted = lru_cache(4096)(_encode)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return f'"{value!r}"'
    return float.__repr__(value) if isinstance(value, float) else _encode(value)


def load_metrics(text: str) -> dict[str, float]:
    """The metrics that `dump_metrics` was given, exactly."""
    return {name: float(value) for name, value in _decode(text).items()}


def load_many_metrics(texts: Sequence[str]) -> list[dict[str, float]]:
    """The metrics of many texts, parsed at once: in a quarter of the time. Raises ValueError where one is damaged."""
    found = _decode(f"[{','.join(texts)}]")
    if len(found) != len(texts):
        raise ValueError(f"{len(texts)} metrics were stored, and {len(found)} are read")
    return [{name: float(value) for name, value in each.items()} for each in found]


def load_metric(text: str, name: str) -> float | None:
    """One of the metrics that `dump_metrics` was given; None where it is not among them."""
    value = _decode(text).get(name)
    return None if value is None else float(value)


def clean_text(text: str) -> str:
    """Text as every database can store it: PostgreSQL refuses the character NUL, which a worker's error may contain."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def finite(value: float) -> float:
    """The number itself. Raises ValueError where it is not finite: SQLite would silently turn NaN into NULL."""
    if not math.isfinite(value):
        raise ValueError(f"a metric column holds finite numbers or NULL, not {value!r}")
    return value


class Encoded(TypeDecorator[Any]):
    """A column whose values are encoded on their way in. Whoever writes many rows calls `encode` directly."""

    impl = Text
    cache_ok = True
    encode: Callable[[Any], Any]

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """Python to SQL; None is NULL."""
        return None if value is None else type(self).encode(value)


class CleanText(Encoded):
    """Text that comes from people and workers."""

    cache_ok = True
    encode = staticmethod(clean_text)


class Metric(Encoded):
    """A finite number, or NULL where there is none."""

    impl = Double
    cache_ok = True
    encode = staticmethod(finite)


class JsonText(Encoded):
    """A JSON document."""

    cache_ok = True
    encode = staticmethod(dump_json)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """SQL to Python."""
        return None if value is None else json.loads(value)


class SparedJson(JsonText):
    """A JSON object that counts as empty where it is damaged: one row keeps none beside it from being read."""

    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """SQL to Python."""
        try:
            found = super().process_result_value(value, dialect)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class MetricsText(Encoded):
    """Metrics by name, non-finite ones as words."""

    cache_ok = True
    encode = staticmethod(dump_metrics)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """SQL to Python."""
        return None if value is None else load_metrics(value)
