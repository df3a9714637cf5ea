"""The messages between a host and a sampler program, version 1: one JSON object a line.

The standard library is all that this needs, since a sampler's own environment has nothing else of ours.
`docs/samplers.md` explains every field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

PROTOCOL = 1
"""The version that is spoken here."""

MAX_LINE = 1024 * 1024
"""The longest line that a program may write, in bytes with its end."""

T = TypeVar("T")


class ProtocolError(ValueError):
    """A line is no message of this protocol, or a message cannot be written as one; the text names the field."""


@dataclass(frozen=True, slots=True)
class Start:
    """The first line for a program: what is searched, and by what. `resources` are those of all rungs, ascending; the
    last is the most that a trial trains. `options` are what else the spec's `sampler` has for the program."""

    experiment: int
    seed: int
    metric: str
    goal: str
    space: dict[str, Any]
    resources: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)
    protocol: int = PROTOCOL


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What a trial reached at a rung, or that it failed for good. A metric that is no finite number is None. Of an
    earlier experiment, by which the sampler is warmed up, where `experiment` is there."""

    trial: int
    hyperparameters: dict[str, Any]
    resource: int
    metric: float | None
    failed: bool = False
    experiment: int | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """Hyperparameters whose result is yet to come: in training, or not in use yet (then without a trial)."""

    hyperparameters: dict[str, Any]
    trial: int | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """Wants `count` suggestions."""

    id: int
    count: int
    pending: tuple[Pending, ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """A program's first line: it has understood the start."""

    name: str
    protocol: int = PROTOCOL


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Hyperparameters for one trial; `note` is for people."""

    ask: int
    hyperparameters: dict[str, Any]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """There are no suggestions for this ask, or no further ones, and why."""

    ask: int
    error: str


Message = Start | TrialResult | Ask | Ready | Suggestion | Failure


def same(value: Any) -> str:
    """A text that is equal for values that JSON takes for equal: 1 and 1.0 are, 1 and true are not."""
    return json.dumps(_whole_as_int(value), sort_keys=True)


def _whole_as_int(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list | tuple):
        return [_whole_as_int(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole_as_int(item) for key, item in value.items()}
    return value


def kind_of(message: Message) -> str:
    """What a message is called in its line."""
    return _NAMES[type(message)]


def encode(message: Message) -> bytes:
    """A message as its line. NumPy's numbers are numbers. Raises ProtocolError for what JSON does not have."""
    document = {"type": kind_of(message)} | {
        name: value
        for name in _fields(message)
        if (value := _plain(getattr(message, name))) is not None or name in _NULL
    }
    try:
        return json.dumps(document, allow_nan=False, separators=(",", ":"), default=_item).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"{document['type']}: cannot be written as JSON: {error}") from None


def decode(line: bytes | str) -> Message:
    """The message of a line. What a later version may add to a message is passed over. Raises ProtocolError."""
    found = _Fields(_document(line))
    kind = found.get("type", _text)
    if kind not in _READERS:
        raise ProtocolError(f"type: must be one of {', '.join(_READERS)}; got {_shown(kind)}")
    found.kind = f"{kind}."
    return _READERS[kind](found)


def _document(line: bytes | str) -> dict[str, Any]:
    try:
        text = line.decode() if isinstance(line, bytes) else line
        document = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except ProtocolError:
        raise
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"is no JSON: {error}; got {_shown(line)}") from None
    return _object(document)


def _no_constant(name: str) -> NoReturn:
    raise ProtocolError(f"is no JSON: {name} is no number of it")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ProtocolError(f"is no JSON: {text[:40]} is too large a number")
    return value


class _Fields:
    """The fields of a document, each read by what it has to be."""

    def __init__(self, document: Mapping[str, Any], kind: str = "") -> None:
        self._document = document
        self.kind = kind

    def get(self, name: str, read: Callable[[Any], T]) -> T:
        """A field that must be there."""
        if name not in self._document:
            raise ProtocolError(f"{self.kind}{name}: is missing")
        return self._read(name, read)

    def maybe(self, name: str, read: Callable[[Any], T], default: T) -> T:
        """A field that need not be there, nor have a value."""
        return default if self._document.get(name) is None else self._read(name, read)

    def _read(self, name: str, read: Callable[[Any], T]) -> T:
        try:
            return read(self._document[name])
        except ProtocolError as error:
            raise ProtocolError(f"{self.kind}{name}: {error}") from None


def _start(found: _Fields) -> Start:
    protocol = found.get("protocol", _version)
    return Start(
        experiment=found.get("experiment", _whole),
        seed=found.get("seed", _whole),
        metric=found.get("metric", _text),
        goal=found.get("goal", _goal),
        space=found.get("space", _object),
        resources=found.get("resources", _wholes),
        options=found.maybe("options", _object, {}),
        protocol=protocol,
    )


def _result(found: _Fields) -> TrialResult:
    return TrialResult(
        trial=found.get("trial", _whole),
        hyperparameters=found.get("hyperparameters", _object),
        resource=found.get("resource", _whole),
        metric=found.maybe("metric", _number, None),
        failed=found.maybe("failed", _flag, False),
        experiment=found.maybe("experiment", _whole, None),
    )


def _ask(found: _Fields) -> Ask:
    return Ask(
        id=found.get("id", _whole), count=found.get("count", _whole), pending=found.maybe("pending", _all_pending, ())
    )


def _all_pending(value: Any) -> tuple[Pending, ...]:
    pending: list[Pending] = []
    for index, each in enumerate(_list(value)):
        found = _Fields(_object(each), f"[{index}].")
        pending.append(Pending(found.get("hyperparameters", _object), found.maybe("trial", _whole, None)))
    return tuple(pending)


def _ready(found: _Fields) -> Ready:
    return Ready(protocol=found.get("protocol", _version), name=found.get("name", _text))


def _suggestion(found: _Fields) -> Suggestion:
    return Suggestion(
        ask=found.get("ask", _whole),
        hyperparameters=found.get("hyperparameters", _object),
        note=found.maybe("note", _text, ""),
    )


def _failure(found: _Fields) -> Failure:
    return Failure(ask=found.get("ask", _whole), error=found.get("error", _text))


_READERS: dict[str, Callable[[_Fields], Message]] = {
    "start": _start,
    "result": _result,
    "ask": _ask,
    "ready": _ready,
    "suggestion": _suggestion,
    "failure": _failure,
}
_NAMES: dict[type, str] = {
    Start: "start",
    TrialResult: "result",
    Ask: "ask",
    Ready: "ready",
    Suggestion: "suggestion",
    Failure: "failure",
}
#: What is written even where it is null.
_NULL = {"metric"}


def _fields(message: Any) -> list[str]:
    """In the order in which people want to read them: the protocol's version first."""
    return sorted(message.__dataclass_fields__, key=lambda name: name != "protocol")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [*map(_plain, value)]
    return (
        {name: getattr(value, name) for name in ("trial", "hyperparameters")} if isinstance(value, Pending) else value
    )


def _item(value: Any) -> Any:
    """What a library's number is as one of Python's."""
    if not callable(getattr(value, "item", None)):
        raise TypeError(f"{type(value).__name__} is nothing that JSON has")
    return value.item()


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProtocolError(f"must be an object, got {_shown(value)}")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ProtocolError(f"must be a list, got {_shown(value)}")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ProtocolError(f"must be a whole number, got {_shown(value)}")
    return int(value)


def _wholes(value: Any) -> tuple[int, ...]:
    return tuple(map(_whole, _list(value)))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProtocolError(f"must be a number, got {_shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ProtocolError("is too large a number") from None


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ProtocolError(f"must be true or false, got {_shown(value)}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ProtocolError(f"must be text, got {_shown(value)}")
    # Half a pair of UTF-16 is nothing that can be written again as UTF-8.
    return value.encode("utf-8", "replace").decode()


def _goal(value: Any) -> str:
    if value not in ("minimize", "maximize"):
        raise ProtocolError(f"must be minimize or maximize, got {_shown(value)}")
    return value


def _version(value: Any) -> int:
    if value != PROTOCOL or isinstance(value, bool):
        raise ProtocolError(f"must be {PROTOCOL}, the only version that is understood here; got {_shown(value)}")
    return PROTOCOL


def _shown(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value[:41] if isinstance(value, str | bytes) else value)
    return text if len(text) <= 60 else text[:59] + "…"
