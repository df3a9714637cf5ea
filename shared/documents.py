"""Reads YAML or JSON that anyone may have written: text in; plain values, or a problem with its line and column, out.

YAML is read as version 1.2 has it: `1e-3` is a number, `no` and `on` are text, `010` is ten, dates are text. Values
are built from the parser's events, not by its loader, so that a document can neither nest nor multiply without end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml
from yaml.reader import ReaderError

from .errors import InvalidInput, InvalidSpec, Problem

MAX_BYTES = 2**20
"""The largest document, in bytes."""

MAX_DEPTH = 30
"""The deepest nesting of lists and mappings."""

MAX_VALUES = 100_000
"""The most values in a document, counting those behind an alias each time."""

MAX_DIGITS = 1000
"""The longest whole number, in digits."""


class _Mark(Protocol):
    """A place in a text, counted from 0."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


_TOO_LARGE = f"is larger than {MAX_BYTES // 2**20} MiB, the most that a document may have"


def read_document(path: Path) -> str:
    """The text of a file of at most 1 MiB. Raises InvalidInput where it is larger, missing, unreadable or not UTF-8.

    Its size is looked at before anything is read.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidInput(f"{path}: {_TOO_LARGE}")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise InvalidInput(f"{str(path)!r}: is not the name of a file: {error}") from error
    if len(content) > MAX_BYTES:
        raise InvalidInput(f"{path}: {_TOO_LARGE}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: is not UTF-8 text (byte {error.start})") from error


def parse_document(text: str, *, source: str = "document") -> Any:
    """The value of a YAML or JSON text. Raises InvalidSpec with one problem, which begins with `source`.

    Numbers that are not finite are let through, so that a check of the value can say where they stand.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _problem(source, _TOO_LARGE)
    text = text.removeprefix("\ufeff")
    try:
        return _parse_json(text)
    except _NotPlainJson:
        return _parse_yaml(text, source)


def _problem(source: str, message: str, mark: _Mark | None = None) -> InvalidSpec:
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return InvalidSpec([Problem("", f"{source}: {place}{message}")])


class _NotPlainJson(Exception):
    """The text is not JSON, or has something wrong that only the YAML reader can point at."""


def _parse_json(text: str) -> Any:
    """JSON is YAML too, but for a few of its escapes, and this reader is the faster one."""
    if not text.lstrip().startswith(("{", "[")) or _depth_of_brackets(text) > MAX_DEPTH:
        raise _NotPlainJson
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise _NotPlainJson from error


def _depth_of_brackets(text: str) -> int:
    """An upper bound of the nesting depth of JSON text (brackets in strings are counted too)."""
    depth = deepest = 0
    for bracket in re.finditer(r"[\[\]{}]", text):
        depth += 1 if bracket[0] in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise ValueError("duplicate key")
    return mapping


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a whole number must have at most {MAX_DIGITS} digits, got {len(digits)}")
    return int(digits)


@dataclass(slots=True)
class _Open:
    """A list or mapping that has begun and not ended."""

    value: list[Any] | dict[Any, Any]
    anchor: str | None
    began: int
    key: Any = None
    has_key: bool = False


@dataclass(slots=True)
class _Builder:
    """Builds the value of one document from the parser's events."""

    source: str
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int, int]] = field(default_factory=dict)
    count: int = 0
    root: Any = None
    documents: int = 0

    def feed(self, event: yaml.Event) -> None:
        """Takes one event."""
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self._wrong("a second document begins here; only one is wanted", event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            closed = self.stack.pop()
            self._anchor(closed.anchor, closed.value, self.count - closed.began)
        elif isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event), event)
            self._anchor(event.anchor, self._last, 1)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)

    _last: Any = None

    def _begin(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        if event.tag is not None and event.tag not in _COLLECTION_TAGS:
            raise self._wrong(f"the tag {_shown_tag(event.tag)} is not supported", event)
        if len(self.stack) >= MAX_DEPTH:
            raise self._wrong(f"is nested more than {MAX_DEPTH} deep", event)
        value: list[Any] | dict[Any, Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        began = self.count
        self._add(value, event)
        self.stack.append(_Open(value, event.anchor, began))

    def _add(self, value: Any, event: yaml.Event, count: int = 1) -> None:
        self.count += count
        if self.count > MAX_VALUES:
            raise self._wrong(f"the document has more than {MAX_VALUES} values", event)
        self._last = value
        if not self.stack:
            self.root = value
            return
        parent = self.stack[-1]
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.has_key:
            parent.value[parent.key] = value
            parent.has_key = False
        else:
            parent.key, parent.has_key = self._key(value, parent.value, event), True

    def _key(self, key: Any, mapping: dict[Any, Any], event: yaml.Event) -> Any:
        if isinstance(key, list | dict):
            raise self._wrong("the name of a field must be plain text", event)
        if key == "<<":
            raise self._wrong("merging (<<) is not supported; write the fields out", event)
        if key in mapping:
            raise self._wrong(f"{json.dumps(key, ensure_ascii=False)} is there already", event)
        return key

    def _anchor(self, anchor: str | None, value: Any, count: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = (value, count, _depth(value))

    def _alias(self, event: yaml.AliasEvent) -> None:
        known = self.anchors.get(event.anchor or "")
        if known is None:
            raise self._wrong(f"there is no finished anchor &{event.anchor} before this", event)
        value, count, depth = known
        if len(self.stack) + depth > MAX_DEPTH:
            raise self._wrong(f"is nested more than {MAX_DEPTH} deep", event)
        self._add(value, event, count)

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        tag = event.tag
        if tag is None or (tag == "!" and not event.implicit[0]):
            return self._plain(event) if event.implicit[0] else event.value
        convert = _SCALAR_TAGS.get(tag)
        if convert is None:
            raise self._wrong(f"the tag {_shown_tag(tag)} is not supported", event)
        try:
            return convert(event.value)
        except ValueError as error:
            raise self._wrong(f"this is not what its tag {_shown_tag(tag)} says", event) from error

    def _plain(self, event: yaml.ScalarEvent) -> Any:
        try:
            return plain_scalar(event.value)
        except ValueError as error:
            raise self._wrong(str(error), event) from error

    def _wrong(self, message: str, event: yaml.Event) -> InvalidSpec:
        return _problem(self.source, message, event.start_mark)


def _shown_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _depth(value: Any) -> int:
    """How deep lists and mappings are nested in a finished value; its own nesting is limited already."""
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


_COLLECTION_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_SCALAR_TAGS: dict[str, Callable[[str], Any]] = {
    "!": str,
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:int": _whole,
    "tag:yaml.org,2002:float": float,
}

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def plain_scalar(text: str) -> Any:
    """What a scalar without quotes means in YAML 1.2. Raises ValueError for whole numbers that are too long."""
    if text in _WORDS:
        return _WORDS[text]
    if _DECIMAL.fullmatch(text):
        return _whole(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", ""))
    if _BASED.fullmatch(text) and len(text) <= MAX_DIGITS:
        return int(text, 0)
    return text


def _events(text: str) -> Iterator[yaml.Event]:
    """The parser's events; the parser in C is some twenty times faster."""
    return yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _parse_yaml(text: str, source: str) -> Any:
    builder = _Builder(source)
    try:
        for event in _events(text):
            builder.feed(event)
    except yaml.MarkedYAMLError as error:
        raise _problem(source, _reason(error), error.problem_mark or error.context_mark) from error
    except ReaderError as error:
        raise _problem(source, f"has a character at position {error.position} that no text may have") from error
    except UnicodeError as error:
        raise _problem(source, "has half a character (a lone surrogate)") from error
    if builder.documents == 0:
        raise _problem(source, "is empty")
    return builder.root


def _reason(error: yaml.MarkedYAMLError) -> str:
    """The parser's words on one line, with the context that it was in."""
    return f"does not parse: {', '.join(part for part in (error.problem, error.context) if part)}"
