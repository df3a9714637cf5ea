"""Says in plain English what pydantic found wrong, with the paths of the document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..errors import Problem
from ..space.hyperparameters import TYPES
from . import elsewhere
from .document.paths import dotted, joined
from .fields import FieldProblems, did_you_mean, got
from .samplers import SAMPLERS, unknown_sampler
from .searchers import SEARCHERS

Location = tuple[int | str, ...]

MAX_PROBLEMS = 100
"""The most problems that are told of one document."""

_VARIANTS = {"hyperparameters": 2, "searcher": 1, "sampler": 1}
"""Where pydantic puts the name of the chosen variant into a location, by the location's first part."""


def problems_of(error: ValidationError, root: type[BaseModel]) -> Iterator[Problem]:
    """Every problem of a document that was validated as `root`; those after the first MAX_PROBLEMS places, which nobody
    is told, without a message."""
    places: set[Location] = set()
    for detail in error.errors(include_url=False):
        if len(places) >= MAX_PROBLEMS and detail["loc"] not in places:
            yield Problem(_path(detail["loc"]), "")
        else:
            places.add(detail["loc"])
            yield from _explain(detail, root)


def _path(location: Location) -> str:
    return dotted(part for part in _without_variant(location) if part != "[key]")


def _explain(detail: ErrorDetails, root: type[BaseModel]) -> Iterator[Problem]:
    location = detail["loc"]
    path = _path(location)
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, FieldProblems):
        yield from (Problem(joined(path, each.path), each.message) for each in cause.problems)
    elif isinstance(cause, ValueError):
        yield Problem(path, str(cause))
    elif detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        yield _unknown_variant(path, location, detail["input"])
    else:
        yield Problem(path, _phrase(detail, root))


def _phrase(detail: ErrorDetails, root: type[BaseModel]) -> str:
    match detail["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return _unknown_field(detail["loc"], root)
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"must be a mapping, got {got(detail['input'])}"
        case "tuple_type":
            return f"must be a list, got {got(detail['input'])}"
        case _:
            return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}, got {got(detail['input'])}"


def _without_variant(location: Location) -> Location:
    place = _VARIANTS.get(str(location[0])) if location else None
    return location if place is None else location[:place] + location[place + 1 :]


def _unknown_field(location: Location, root: type[BaseModel]) -> str:
    known = sorted(_model_at(location[:-1], root).model_fields)
    field = str(location[-1])
    suggestion = elsewhere.known_as(field, elsewhere.FIELDS) or did_you_mean(field, known)
    return f"unknown field{suggestion or '; the fields here are ' + ', '.join(known)}"


def _model_at(location: Location, root: type[BaseModel]) -> type[BaseModel]:
    """The model whose fields stand at a place."""
    match location:
        case ("searcher", str(name), *below):
            model: type[BaseModel] = SEARCHERS[name]
        case ("sampler", str(name), *below):
            model = SAMPLERS[name]
        case ("hyperparameters", _, str(kind), *below):
            model = TYPES[kind]
        case _:
            model, below = root, [*location]
    for part in below:
        model = next(_models(model.model_fields[str(part)].annotation))
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)


@dataclass(frozen=True, slots=True)
class _Choice:
    """A place of a spec where one of several models stands, which one of its fields tells."""

    field: str
    models: Mapping[str, type[BaseModel]]
    #: What may stand there.
    wanted: str
    #: What is said of a name that is unknown.
    unknown: Callable[[object], str]


def _unknown_searcher(name: object) -> str:
    return _unknown("searcher", name, SEARCHERS, elsewhere.SEARCHERS)


def _unknown_type(name: object) -> str:
    return _unknown("type", name, TYPES, elsewhere.TYPES)


def _unknown(what: str, name: object, known: Iterable[str], table: tuple[elsewhere.Foreign, ...]) -> str:
    suggestion = elsewhere.known_as(name, table) or did_you_mean(name, [*known])
    return f"unknown {what} {got(name).removeprefix('text ')}{suggestion}; known: {', '.join(known)}"


_CHOICES = {
    "searcher": _Choice("name", SEARCHERS, "a mapping", _unknown_searcher),
    "sampler": _Choice("name", SAMPLERS, "a name, or a mapping with a name", unknown_sampler),
}
_TYPE = _Choice("type", TYPES, "a plain value, or a mapping with a type", _unknown_type)


def _unknown_variant(path: str, location: Location, value: Any) -> Problem:
    choice = _CHOICES.get(str(location[0]), _TYPE)
    if not isinstance(value, Mapping):
        return Problem(path, f"must be {choice.wanted}, got {got(value)}")
    at = joined(path, choice.field)
    if choice.field not in value:
        return Problem(at, f"is missing; it must be one of {', '.join(choice.models)}")
    return Problem(at, choice.unknown(value[choice.field]))
