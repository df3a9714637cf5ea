"""Reads YAML or JSON that anyone may have written: text in; plain values, or a problem with its line and column, out.

YAML is read as version 1.2 has it: `1e-3` is a number, `no` and `on` are text, `010` is ten, dates are text. Values
are built from the parser's events, not by its loader, so that a document can neither nest nor multiply without end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import ReaderError

from ...errors import InvalidInput, InvalidSpec, Problem
from .yaml_values import MAX_DEPTH, Builder, Mark, NotAllowed, whole_number

MAX_BYTES = 2**20
"""The largest document, in bytes."""

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


def _problem(source: str, message: str, mark: Mark | None = None) -> InvalidSpec:
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return InvalidSpec([Problem("", f"{source}: {place}{message}")])


class _NotPlainJson(Exception):
    """The text is not JSON, or has something wrong that only the YAML reader can point at."""


def _parse_json(text: str) -> Any:
    """JSON is YAML too, but for a few of its escapes, and this reader is the faster one."""
    if not text.lstrip().startswith(("{", "[")) or _depth_of_brackets(text) > MAX_DEPTH:
        raise _NotPlainJson
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates, parse_int=whole_number)
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


def _events(text: str) -> Iterator[yaml.Event]:
    """The parser's events; the parser in C is some twenty times faster."""
    return yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _parse_yaml(text: str, source: str) -> Any:
    builder = Builder()
    try:
        for event in _events(text):
            builder.feed(event)
    except NotAllowed as error:
        raise _problem(source, error.message, error.mark) from error
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
    """The parser's words on one line, with the context that it was in and where that began."""
    if not error.context:
        return f"does not parse: {error.problem}"
    mark = error.context_mark
    began = f" that began at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"does not parse: {error.problem}, {error.context}{began}"
