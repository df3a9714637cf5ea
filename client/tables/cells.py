"""Values as cells of a CSV table, and as JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from ...shared.text.visible import json_text

#: What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_rows(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """A table as CSV (RFC 4180), a row at a time, with all digits.

    Text that a spreadsheet would run has a ' before it.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    for row in chain([header], rows):
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([_csv_cell(value) for value in row])
        yield buffer.getvalue()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        # As pandas, Polars and DuckDB all read them.
        return "NaN" if math.isnan(value) else str(value)
    plain = json_value(value)
    if isinstance(plain, bool | list | dict):
        return json_text(plain)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return plain


def json_object(values: Mapping[str, Any]) -> str:
    """Values as one JSON object in one line."""
    return json_text({name: json_value(value) for name, value in values.items()})


def json_value(value: Any) -> Any:
    """A value as JSON has it: times are RFC 3339 in UTC; NaN and infinities, which JSON lacks, are the texts "NaN",
    "Infinity" and "-Infinity", as everywhere else in what Rungmaster prints."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
