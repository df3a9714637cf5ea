"""Any value of shared/wire, made from the hints of its class; how large a number may be, its message says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from google.protobuf.descriptor import FieldDescriptor
from hypothesis import strategies as st

from rungmaster.proto.v1 import cluster_pb2, experiment_pb2, worker_pb2
from rungmaster.shared.wire import model, session

Values = st.SearchStrategy[Any]

#: Every class of values, and its message.
MESSAGES: Mapping[Any, Any] = {
    model.Bracket: experiment_pb2.Bracket,
    model.Checkpoint: experiment_pb2.Checkpoint,
    model.Event: experiment_pb2.Event,
    model.Act: experiment_pb2.Act,
    model.Experiment: experiment_pb2.Experiment,
    model.Gpu: worker_pb2.Gpu,
    model.Lease: experiment_pb2.Lease,
    model.LeaseRef: worker_pb2.LeaseRef,
    model.MasterInfo: cluster_pb2.GetMasterInfoResponse,
    model.Report: experiment_pb2.Report,
    model.Rung: experiment_pb2.Rung,
    model.ScheduleEntry: experiment_pb2.ScheduleEntry,
    model.Thinning: experiment_pb2.Thinning,
    model.TrialInfo: experiment_pb2.Trial,
    model.Trouble: experiment_pb2.Trouble,
    model.Worker: cluster_pb2.Worker,
    session.Acknowledgement: worker_pb2.Acknowledgement,
    session.Assignment: worker_pb2.Assignment,
    session.CheckpointRef: worker_pb2.CheckpointRef,
    session.CheckpointSaved: worker_pb2.CheckpointSaved,
    session.Decision: worker_pb2.Decision,
    session.Exit: worker_pb2.Exit,
    session.FailedDeletion: worker_pb2.FailedDeletion,
    session.Found: worker_pb2.FoundCheckpoint,
    session.Hello: worker_pb2.Hello,
    session.LeaseEvent: worker_pb2.LeaseEvent,
    session.LeaseLost: worker_pb2.LeaseLost,
    session.Measurement: worker_pb2.Measurement,
    session.SessionRequest: worker_pb2.SessionRequest,
    session.SessionResponse: worker_pb2.SessionResponse,
    session.LogRequest: worker_pb2.LogRequest,
    session.LogChunk: worker_pb2.LogChunk,
    session.Sweep: worker_pb2.Sweep,
    session.Swept: worker_pb2.Swept,
    session.TrialRef: worker_pb2.TrialRef,
    session.Welcome: worker_pb2.Welcome,
    session.WorkRequest: worker_pb2.WorkRequest,
}

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBERS = st.floats(allow_nan=False)
SECONDS = st.integers(0, 10**12).map(lambda milliseconds: milliseconds / 1000)
TIMES = st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC))
JSON: Values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(TEXT, JSON, max_size=4)
GOALS = st.sampled_from(["minimize", "maximize"])


@cache
def values_of(cls: Any) -> Values:
    """Any value of one of the classes."""
    known = MESSAGES[cls].DESCRIPTOR.fields_by_name
    hints = get_type_hints(cls)
    return st.builds(
        cls, **{name: _values(hint, known.get(name.removesuffix("_s")), name) for name, hint in hints.items()}
    )


def _values(hint: Any, field: FieldDescriptor | None, name: str = "") -> Values:
    origin, parts = get_origin(hint), get_args(hint)
    if type(None) in parts:
        return st.none() | _values(parts[0], field)
    if origin in (tuple, frozenset):
        return st.lists(_values(parts[0], field), max_size=3).map(origin)
    if origin is Mapping:
        return _mappings(*parts)
    if parts:
        return st.one_of(*map(values_of, parts))
    if hint in MESSAGES:
        return values_of(hint)
    if issubclass(hint, StrEnum):
        return st.sampled_from(hint)
    return _scalars(hint, field, name)


def _mappings(key: Any, value: Any) -> Values:
    if issubclass(key, StrEnum):
        return st.fixed_dictionaries({state: st.integers(0, 2**31 - 1) for state in key})
    return DOCUMENTS if value is Any else st.dictionaries(TEXT, {str: TEXT, float: NUMBERS}[value], max_size=3)


def _scalars(hint: Any, field: FieldDescriptor | None, name: str) -> Values:
    if hint is int:
        bits = 63 if field is not None and field.cpp_type == FieldDescriptor.CPPTYPE_INT64 else 31
        return st.integers(-(2**bits), 2**bits - 1)
    if hint is str and field is not None and field.enum_type is not None:
        return GOALS | st.just("") if name == "save_best" else GOALS
    if hint is float and field is not None and field.message_type is not None:
        return SECONDS
    return {str: TEXT, bytes: st.binary(), float: NUMBERS, bool: st.booleans(), datetime: TIMES}[hint]
