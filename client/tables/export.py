"""Trials or reports as files of CSV, JSON lines or Parquet: each is there whole or not at all, in bounded memory."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from ...plots.errors import MissingExtra
from ...proto.v1 import experiment_pb2
from ...shared.errors import FailedPrecondition
from ...shared.files import written_whole
from ...shared.wire.model import Experiment
from ..client import Client
from ..requests import list_trials
from .cells import csv_rows, json_object
from .rows import REPORTS, TRIALS, Kind, Row, as_kind, kind_of

FORMATS = ("csv", "parquet", "jsonl")
MAX_NAMES = 2_000
"""The most different names of hyperparameters or metrics that become columns."""

#: Values that are in memory at once, and rows in a row group of Parquet.
_VALUES, _ROWS = 1_000_000, 50_000
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Table:
    """The trials, or with `reports` the reports, of an experiment as they are when they are read."""

    client: Client
    experiment: Experiment
    reports: bool

    @property
    def kind(self) -> Kind:
        """What its rows are."""
        return REPORTS if self.reports else TRIALS

    def messages(self) -> Iterator[Any]:
        """Trials by id, or reports in the order in which they were stored, as the master sends them."""
        number = self.experiment.experiment_id
        if not self.reports:
            yield from self.client.connection.pages(list_trials(number))
            return
        request = experiment_pb2.WatchReportsRequest(experiment_id=number)
        with closing(self.client.connection.watch(request)) as answers:
            for answer in answers:
                yield from answer.reports
                if answer.caught_up:
                    return


def lines(table: Table, form: str) -> Iterator[str]:
    """The table as lines of "csv" or "jsonl", each with its ending. Raises FailedPrecondition where a CSV would have
    too many columns."""
    if form == "jsonl":
        for message in table.messages():
            yield json_object(_values(table.kind, table.kind.row_of(message))) + "\n"
        return
    with _Gathered(table) as gathered:
        yield from csv_rows([*table.kind.fixed, *gathered.named], gathered.rows())


def write(table: Table, form: str, target: Path, *, replace: bool = False) -> int:
    """Writes the table to a file, which is there once it is whole; how many rows it has.

    Raises InvalidInput where the file exists and is not to be replaced, MissingExtra where Parquet cannot be written,
    FailedPrecondition where there are too many names for columns.
    """
    if form == "parquet":
        _check_parquet()
        with written_whole(target, replace=replace) as partial, _Gathered(table) as gathered:
            return _write_parquet(gathered, partial)
    count = 0
    with written_whole(target, replace=replace) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        for count, line in enumerate(lines(table, form), 1):  # noqa: B007 - the last is asked for
            file.write(line)
    return count - (form == "csv")


def _values(kind: Kind, row: Row) -> dict[str, Any]:
    fixed = {name: value for name, value in zip(kind.fixed, row.fixed, strict=True) if value is not None}
    return fixed | {kind.prefix + name: row.named[name] for name in sorted(row.named)}


class _Gathered:
    """All rows in a temporary file, as messages one after the other, and which names of columns they have: these are
    known only once all have come."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._types: dict[str, set[type]] = {}

    def __enter__(self) -> _Gathered:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="rungmaster-export-")
        try:
            for message in self._table.messages():
                self._take(message)
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _take(self, message: Any) -> None:
        content = message.SerializeToString()
        self._file.write(_LENGTH.pack(len(content)))
        self._file.write(content)
        named = message.metrics if self._table.reports else self._table.kind.row_of(message).named
        for name, value in named.items():
            self._types.setdefault(name, set()).add(type(value))
        if len(self._types) > MAX_NAMES:
            number = self._table.experiment.experiment_id
            raise FailedPrecondition(
                f"experiment {number} has more than {MAX_NAMES:,} different names, too many for columns; "
                "--format jsonl has no columns"
            )

    @property
    def table(self) -> Table:
        """What was gathered."""
        return self._table

    @property
    def named(self) -> dict[str, str]:
        """The columns of hyperparameters or metrics, in the order of their names, and what they hold."""
        return {self._table.kind.prefix + name: kind_of(types) for name, types in sorted(self._types.items())}

    def rows(self, kinds: Mapping[str, str] | None = None) -> Iterator[list[Any]]:
        """All rows with all columns; with `kinds` each value as one of its column's kind."""
        kind, names = self._table.kind, sorted(self._types)
        told = None if kinds is None else [kinds[kind.prefix + name] for name in names]
        self._file.seek(0)
        while length := self._file.read(_LENGTH.size):
            row = kind.row_of(kind.message.FromString(self._file.read(_LENGTH.unpack(length)[0])))
            named = [row.named.get(name) for name in names]
            if told is not None:
                named = [as_kind(value, each) for value, each in zip(named, told, strict=True)]
            yield [*row.fixed, *named]


def _check_parquet() -> None:
    try:
        import pyarrow.parquet  # noqa: F401 - asks whether it is installed
    except ImportError as error:
        raise MissingExtra(f"Parquet needs pyarrow: pip install 'rungmaster[parquet]' ({error})") from error


def _write_parquet(gathered: _Gathered, path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = {
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "text": pa.string(),
        "json": pa.string(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    kinds = gathered.named
    columns = {**gathered.table.kind.fixed, **kinds}
    fields = [(name, arrow[kind]) for name, kind in columns.items()]
    schema = pa.schema(fields, metadata=_about(gathered.table.experiment))
    size, written = max(1, min(_ROWS, _VALUES // len(fields))), 0
    rows = gathered.rows(kinds)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while page := list(islice(rows, size)):
            arrays = [pa.array(column, kind) for column, (_, kind) in zip(_transposed(page), fields, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=size)
            written += len(page)
    return written


def _transposed(page: Iterable[list[Any]]) -> Iterator[tuple[Any, ...]]:
    return zip(*chain(page), strict=True)


def _about(experiment: Experiment) -> dict[str, str]:
    """What a Parquet file says of itself, beside its columns."""
    return {
        "rungmaster.experiment_id": str(experiment.experiment_id),
        "rungmaster.name": experiment.name,
        "rungmaster.state": experiment.state.value,
        "rungmaster.spec": json_object(experiment.spec),
    }
