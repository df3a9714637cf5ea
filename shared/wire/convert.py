"""The one conversion between values (`model.py`, `session.py`) and the messages of `proto/v1`: by the names of fields.

A value's class and its message have the same name, but for those in `_NAMES`, and the same fields. What a field holds
is told by the class's type hints. A StrEnum is the enum value of the same name, and so is a word such as "minimize"; a
datetime is a Timestamp; a number of seconds in `<name>_s` is a Duration in `<name>`; a document is JSON text in
`<name>_json`; a mapping by states is a message with a number for each of them; a tuple that may be None is a message
with one repeated field; None leaves a field unset.

What a message leaves out becomes the zero of its type, and an enum value that this version does not know raises
InvalidInput. Nothing else is refused. What comes with every report is converted in `convert_session.py`, by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from ...proto.v1 import cluster_pb2, experiment_pb2, worker_pb2
from ..errors import InvalidInput
from .model import MasterInfo, TrialInfo
from .session import Found

V = TypeVar("V")
S = TypeVar("S", bound=StrEnum)
Convert = Callable[[Any], Any]

_MODULES = (experiment_pb2, worker_pb2, cluster_pb2)
_NAMES: Mapping[type, str] = {TrialInfo: "Trial", MasterInfo: "GetMasterInfoResponse", Found: "FoundCheckpoint"}
#: What a value has at another place than its message.
_PLACES = {"planned_trials": ("trial_counts", "planned")}
#: What an enum's values are, for people.
_WORDS = {
    "ExperimentState": "a state of an experiment",
    "TrialState": "a state of a trial",
    "TrialOrder": "an order of trials",
    "WorkerState": "a state of a worker",
    "Goal": "a goal",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_message(value: Any) -> Any:
    """The message of a value. Raises InvalidInput for a word that its enum lacks, ValueError as `document_to_json`."""
    plan = _plan(type(value))
    return plan.kind(**plan.fields_of(value))


def from_message(message: Any, cls: type[V]) -> V:
    """The value in a message. Raises InvalidInput where a state is unset or unknown, or a document is not JSON."""
    return _plan(cls).value_of(message)


def from_messages(messages: Iterable[Any], cls: type[V]) -> Iterator[V]:
    """The values in messages, each as `from_message` gives it, when it is asked for."""
    return map(_plan(cls).value_of, messages)


def to_number(value: StrEnum) -> Any:
    """The enum value of a state, an order or the like."""
    return _Enumeration.of(type(value)).numbers[value]


def from_number(number: int, cls: type[S]) -> S:
    """A state, an order or the like; raises InvalidInput where it is unset or unknown."""
    return _Enumeration.of(cls).value(number)


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def document_to_json(values: Mapping[str, Any]) -> str:
    """Hyperparameters, a spec or an event's particulars as JSON text, which keeps types, digits and the keys' order.

    Raises ValueError for NaN and infinities, and TypeError for a value that JSON does not have.
    """
    return _encode(dict(values))


def document_from_json(text: str, field: str) -> dict[str, Any]:
    """What `document_to_json` was given; nothing where the field is unset. Raises InvalidInput for any other text."""
    try:
        document = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{field}: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidInput(f"{field}: must be a JSON object, got {text[:100]!r}")
    return document


class _Plan:
    """How the values of one class are converted, worked out once."""

    def __init__(self, cls: Any) -> None:
        self.kind: Any = _generated(_NAMES.get(cls, cls.__name__))
        defaults, hints = _defaults(cls), get_type_hints(cls)
        parts = {name: _part(name, hints[name], self.kind.DESCRIPTOR, defaults.get(name)) for name in hints}
        self._writes = [(name, part.field, part.write) for name, part in parts.items() if name not in _PLACES]
        self._placed = [(name, *_PLACES[name]) for name in parts if name in _PLACES]
        self._reads = [part.read for part in parts.values()]
        self._make: Convert = cls

    def fields_of(self, value: Any) -> dict[str, Any]:
        """What the message is made from. Messages within it are dictionaries, which cost half of messages."""
        made: dict[str, Any] = {}
        for name, field, write in self._writes:
            given = getattr(value, name)
            made[field] = given if write is None or given is None else write(given)
        for name, field, inner in self._placed:
            made[field][inner] = getattr(value, name)
        return made

    def value_of(self, message: Any) -> Any:
        """The value in a message of the kind."""
        return self._make(*[read(message) for read in self._reads])


_plan = cache(_Plan)


def _generated(name: str) -> Any:
    return next(getattr(module, name) for module in _MODULES if hasattr(module, name))


def _defaults(cls: Any) -> Mapping[str, Any]:
    if not is_dataclass(cls):
        return cls._field_defaults
    return {each.name: each.default if each.default_factory is MISSING else {} for each in fields(cls)}


class _Part(NamedTuple):
    """One field: what it is called in the message, what it is there (None: the same), and how it is read."""

    field: str
    write: Convert | None
    read: Convert


def _part(name: str, hint: Any, message: Descriptor, default: Any) -> _Part:
    if name in _PLACES:
        return _Part(name, None, attrgetter(".".join(_PLACES[name])))
    if f"{name}_json" in message.fields_by_name:
        return _document(f"{name}_json", spared=default == {})
    field = message.fields_by_name.get(name) or message.fields_by_name[name.removesuffix("_s")]
    if (field.message_type is Duration.DESCRIPTOR) != name.endswith("_s"):
        raise TypeError(f"{message.name}.{field.name}: a duration, and nothing else, is called `…_s` here, not {name}")
    name = field.name
    get = attrgetter(name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _Part(name, None, lambda message: dict(get(message)))
    if field.is_repeated:
        return _repeated(name, get_origin(hint), *_single(get_args(hint)[0], field))
    if type(None) not in get_args(hint):
        write, read = _single(hint, field, unset=default == "")
        return _Part(name, write, get if read is None else lambda message: read(get(message)))
    write, read = _single(get_args(hint)[0], field)
    convert = read or _same
    return _Part(name, write, lambda message: convert(get(message)) if message.HasField(name) else None)


def _same(value: Any) -> Any:
    return value


def _document(name: str, *, spared: bool) -> _Part:
    """JSON text; left out where there is nothing and it may be `spared`."""
    get = attrgetter(name)
    return _Part(
        name,
        lambda values: document_to_json(values) if values or not spared else "",
        lambda message: document_from_json(get(message), name),
    )


def _repeated(name: str, several: Any, write: Convert | None, read: Convert | None) -> _Part:
    get = attrgetter(name)
    if read is None or write is None:
        return _Part(name, sorted if several is frozenset else None, lambda message: several(get(message)))
    return _Part(
        name,
        lambda values: [write(value) for value in values],
        lambda message: several([read(item) for item in get(message)]),
    )


def _single(hint: Any, field: FieldDescriptor, *, unset: bool = False) -> tuple[Convert | None, Convert | None]:
    """How one value is written and read; None where it stays as it is. `unset`: whether an enum's word may be ""."""
    if field.enum_type is not None:
        known = _Enumeration.of(hint) if issubclass(hint, StrEnum) else _words(field.enum_type, unset=unset)
        return known.number, known.value
    if field.message_type is None:
        return None, None
    if field.message_type is Timestamp.DESCRIPTOR:
        return None, _time
    if field.message_type is Duration.DESCRIPTOR:
        return _duration, _seconds
    if get_origin(hint) is Mapping:
        states = list(get_args(hint)[0])
        return _counts, lambda message: {state: getattr(message, state.value) for state in states}
    if get_origin(hint) is tuple:
        (several,) = field.message_type.fields_by_name
        return lambda values: {several: values}, lambda message: tuple(getattr(message, several))
    plan = _plan(hint)
    return plan.fields_of, plan.value_of


def _time(message: Timestamp) -> datetime:
    """In UTC, to the microsecond; in half the time that Timestamp.ToDatetime takes."""
    return _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1000)


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1_000_000_000))
    return duration


def _seconds(duration: Duration) -> float:
    return duration.ToNanoseconds() / 1_000_000_000


def _counts(counts: Mapping[StrEnum, int]) -> dict[str, int]:
    return {state.value: count for state, count in counts.items()}


class _Enumeration:
    """The values of an enum by number, and back."""

    def __init__(self, name: str, values: Mapping[int, Any]) -> None:
        self._words = _WORDS.get(name, name)
        self._values = values
        self.numbers: Mapping[Any, int] = {value: number for number, value in values.items()}

    @staticmethod
    @cache
    def of(kind: Any) -> _Enumeration:
        """That of a StrEnum, whose members have the names of the enum's values."""
        names = _names(_generated(kind.__name__).DESCRIPTOR)
        return _Enumeration(kind.__name__, {number: kind[name] for number, name in names.items() if number})

    def value(self, number: int) -> Any:
        """Raises InvalidInput where it is not known."""
        if number not in self._values:
            raise InvalidInput(f"{number} is not {self._words} that this version of rungmaster knows")
        return self._values[number]

    def number(self, value: Any) -> int:
        """Raises InvalidInput where it is not known."""
        if value not in self.numbers:
            raise InvalidInput(f"{self._words} is {' or '.join(map(str, self.numbers))}, got {value!r}")
        return self.numbers[value]


def _words(enum: EnumDescriptor, *, unset: bool) -> _Enumeration:
    """An enum of which plain words are told; "" where it is left out, if that may be."""
    words = {number: name.lower() if number else "" for number, name in _names(enum).items()}
    return _Enumeration(enum.name, {number: word for number, word in words.items() if number or unset})


def _names(enum: EnumDescriptor) -> dict[int, str]:
    """The names by number, without what all begin with."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {number: value.name.removeprefix(prefix) for number, value in enum.values_by_number.items()}
