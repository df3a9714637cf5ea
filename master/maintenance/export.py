"""An experiment's reports or trials as a Parquet file, for pandas, DuckDB, Spark and the like.

One row a report (or a trial), and one column for each metric (or hyperparameter): that is how people ask, with
`avg(metric_loss)` or `df.plot(x="resource", y="metric_loss")`, and columns of numbers are what Parquet keeps small. A
prefix keeps their names apart from ours. A metric that a report lacks is null, which is not the same as NaN.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

from ...shared.errors import FailedPrecondition
from ...shared.files import written_whole
from ..experiment.changes import ExperimentRow, ReportRow, TrialRow
from ..ledger.read.inspection import Inspection, inspect_database

#: Values that are in memory at once, and rows in a row group.
VALUES, ROWS = 1_000_000, 50_000
#: Different names of metrics or hyperparameters in one experiment.
MAX_NAMES = 2_000

#: What fields of rows are in the file; mappings have columns of their own.
_KINDS = {int: "int64", float: "double", str: "string"}


class Exported(NamedTuple):
    """How many rows were written, and how many reports the experiment had beside them before it was thinned."""

    rows: int
    dropped: int


def export(url: str, experiment_id: int, target: Path, *, trials: bool = False, replace: bool = False) -> Exported:
    """Writes the reports (or the trials) of an experiment to a file, whole or not at all.

    It reads one snapshot, beside a running master, in bounded memory. Raises NotFound; InvalidInput where the file
    exists and is not to be replaced; FailedPrecondition where pyarrow is not installed, or there are too many names.
    """
    _check_installed()
    with written_whole(target, replace=replace) as partial, inspect_database(url) as inspection:
        experiment = inspection.experiment(experiment_id)
        if trials:
            writer = _Writer(inspection, experiment, TrialRow, "hparam_", lambda row: row.hparams or {})
            return Exported(writer.run(partial), 0)
        thinning = inspection.thinning(experiment_id)
        writer = _Writer(inspection, experiment, ReportRow, "metric_", lambda row: row.metrics)
        return Exported(writer.run(partial), thinning.reports_dropped if thinning else 0)


def _check_installed() -> None:
    try:
        import pyarrow.parquet  # noqa: F401 - asks whether it is installed
    except ImportError as error:
        raise FailedPrecondition(f"Parquet needs pyarrow: pip install 'rungmaster[parquet]' ({error})") from error


class _Writer:
    """Rows of one kind to a file: fixed columns, and one for each name in what `named` gives of a row."""

    def __init__(
        self,
        inspection: Inspection,
        experiment: ExperimentRow,
        row_type: Any,
        prefix: str,
        named: Callable[[Any], Mapping[str, Any]],
    ) -> None:
        self._inspection = inspection
        self._experiment = experiment
        self._row_type = row_type
        self._fixed = _fixed(row_type)
        self._prefix = prefix
        self._named = named

    def run(self, path: Path) -> int:
        """Reads everything twice: the names, which make the columns, and then the rows."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = self._kinds()
        fields = [(name, _arrow(kind)) for name, kind in self._fixed.items()]
        fields += [(self._prefix + name, _arrow(kind)) for name, kind in kinds.items()]
        schema = pa.schema(fields, metadata=_about(self._experiment))
        size, written = max(1, min(ROWS, VALUES // len(fields))), 0
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for page in self._pages(size):
                columns = [*self._fixed_columns(page), *self._named_columns(page, kinds)]
                arrays = [pa.array(column, kind) for column, (_, kind) in zip(columns, fields, strict=True)]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=size)
                written += len(page)
        return written

    def _pages(self, size: int) -> Iterator[list[Any]]:
        return self._inspection.pages(self._row_type, self._experiment.experiment_id, size)

    def _kinds(self) -> dict[str, str]:
        """The kind of each name's values, in the order of the names."""
        seen: dict[str, set[type]] = {}
        for page in self._pages(ROWS // 10):
            for name, value in chain.from_iterable(self._named(row).items() for row in page):
                seen.setdefault(name, set()).add(type(value))
            if len(seen) > MAX_NAMES:
                raise FailedPrecondition(
                    f"experiment {self._experiment.experiment_id} has more than {MAX_NAMES:,} different names, "
                    "too many for columns; read its rows with SQL instead"
                )
        return {name: _kind(seen[name]) for name in sorted(seen)}

    def _fixed_columns(self, page: Sequence[Any]) -> Iterator[list[Any]]:
        for name, kind in self._fixed.items():
            values = map(attrgetter(name), page)
            yield list(map(_time, values) if kind == "time" else values)

    def _named_columns(self, page: Sequence[Any], kinds: Mapping[str, str]) -> Iterator[list[Any]]:
        documents = [self._named(row) for row in page]
        for name, kind in kinds.items():
            values = (document.get(name) for document in documents)
            yield list(map(_as_json, values) if kind == "json" else values)


def _fixed(row_type: Any) -> dict[str, str]:
    """The columns that every row has, by name, and what they hold."""
    hints = get_type_hints(row_type)
    plain = {name: get_args(hint)[0] if type(None) in get_args(hint) else hint for name, hint in hints.items()}
    kinds = {name: "time" if name.endswith("_time") else _KINDS.get(hint) for name, hint in plain.items()}
    return {name: kind for name, kind in kinds.items() if kind}


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _as_json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def _kind(types: Iterable[type]) -> str:
    """What a column holds whose values have these types; where they do not go together, JSON as text."""
    types = set(types) - {type(None)}
    for kind, allowed in (("bool", {bool}), ("int64", {int}), ("double", {int, float}), ("string", {str})):
        if types and types <= allowed:
            return kind
    return "json"


def _arrow(kind: str) -> Any:
    import pyarrow as pa

    return {
        "int64": pa.int64(),
        "double": pa.float64(),
        "bool": pa.bool_(),
        "string": pa.string(),
        "json": pa.string(),
        "time": pa.timestamp("us", tz="UTC"),
    }[kind]


def _about(experiment: ExperimentRow) -> dict[str, str]:
    """What the file says of itself, beside its columns."""
    return {
        "rungmaster.experiment_id": str(experiment.experiment_id),
        "rungmaster.name": experiment.name,
        "rungmaster.state": experiment.state,
        "rungmaster.spec": json.dumps(experiment.spec),
    }
