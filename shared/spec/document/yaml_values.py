"""Builds the value of a YAML document from its parser's events, within limits, and as version 1.2 reads scalars."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import yaml

from ...limits import LARGEST_WHOLE
from ...text.visible import json_text

MAX_DEPTH = 30
"""The deepest nesting of lists and mappings."""

MAX_VALUES = 100_000
"""The most values in a document, counting those behind an alias each time."""

MAX_DIGITS = 1000
"""The longest whole number, in digits."""


class Mark(Protocol):
    """A place in a text, counted from 0."""

    @property
    def line(self) -> int:
        """The line."""
        ...

    @property
    def column(self) -> int:
        """The column."""
        ...


class NotAllowed(Exception):
    """What a document may not have, and where."""

    def __init__(self, message: str, mark: Mark | None) -> None:
        self.message, self.mark = message, mark
        super().__init__(message)


def whole_number(digits: str) -> int:
    """The number that some digits write. Raises ValueError for more digits than anyone means."""
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a whole number must have at most {MAX_DIGITS} digits, got {len(digits)}")
    return int(digits)


@dataclass(slots=True)
class _Open:
    """A list or mapping that has begun and not ended."""

    value: list[Any] | dict[Any, Any]
    anchor: str | None
    began: int
    #: How deep lists and mappings are nested in it so far, itself included.
    depth: int = 1
    key: Any = None
    has_key: bool = False


@dataclass(slots=True)
class Builder:
    """Builds the value of one document from the parser's events."""

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
            self._deepen(closed.depth)
            self._anchor(closed.anchor, closed.value, self.count - closed.began, closed.depth)
        elif isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event), event)
            self._anchor(event.anchor, self._last, 1, 0)
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
        if isinstance(key, int | float) and not abs(key) <= LARGEST_WHOLE:
            # Python's dict takes quadratic time for huge numbers that somebody has chosen for it.
            raise self._wrong("the name of a field must be text; put it in quotes", event)
        if key == "<<":
            raise self._wrong("merging (<<) is not supported; write the fields out", event)
        if key in mapping:
            raise self._wrong(f"{json_text(key)} is there already", event)
        return key

    def _anchor(self, anchor: str | None, value: Any, count: int, depth: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = (value, count, depth)

    def _deepen(self, depth: int) -> None:
        """What is open has something in it that is so deep."""
        if self.stack:
            self.stack[-1].depth = max(self.stack[-1].depth, depth + 1)

    def _alias(self, event: yaml.AliasEvent) -> None:
        known = self.anchors.get(event.anchor or "")
        if known is None:
            raise self._wrong(f"there is no finished anchor &{event.anchor} before this", event)
        value, count, depth = known
        if len(self.stack) + depth > MAX_DEPTH:
            raise self._wrong(f"is nested more than {MAX_DEPTH} deep", event)
        self._add(value, event, count)
        self._deepen(depth)

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

    def _wrong(self, message: str, event: yaml.Event) -> NotAllowed:
        return NotAllowed(message, event.start_mark)


def _shown_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


_COLLECTION_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_SCALAR_TAGS: dict[str, Callable[[str], Any]] = {
    "!": str,
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:int": whole_number,
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
        return whole_number(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", ""))
    if _BASED.fullmatch(text) and len(text) <= MAX_DIGITS:
        return int(text, 0)
    return text
