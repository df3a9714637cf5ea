"""What differs between specs: field by field, and nothing of what is the same in all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ...shared.spec.document.paths import dotted
from ...shared.text.visible import json_text
from .numbers import hyperparameter

LONGEST = 300
"""Characters of one value."""


class Difference(NamedTuple):
    """A field by its dotted path, and its value in each of the specs; a dash where it is not set."""

    path: str
    values: tuple[str, ...]


def differences(specs: Sequence[Mapping[str, Any]], besides: frozenset[str] = frozenset({"name"})) -> list[Difference]:
    """The fields of which not all specs have the same value, in the order of the specs. A field that is not there is
    the same as one that is null. `besides` are fields of the specs that are passed over."""
    trimmed = [{name: value for name, value in spec.items() if name not in besides} for spec in specs]
    return list(_below((), trimmed)) if len(specs) > 1 else []


def _below(path: tuple[str, ...], values: Sequence[Any]) -> Iterator[Difference]:
    given = [value for value in values if value is not None]
    if all(isinstance(value, Mapping) for value in given) and len(given) == len(values):
        # In order of the first that has each.
        for name in dict.fromkeys(name for value in values for name in value):
            yield from _below((*path, name), [value.get(name) for value in values])
    elif any(not _same(value, values[0]) for value in values):
        yield Difference(dotted(path), tuple(map(_told, values)))


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal; 1 and true are not."""
    return json_text(one) == json_text(other) if type(one) is type(other) else _is_number(one, other) and one == other


def _is_number(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _told(value: Any) -> str:
    if value is None:
        return "–"
    text = json_text(value) if isinstance(value, Mapping | list) else hyperparameter(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
