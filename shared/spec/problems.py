"""Says in plain English what pydantic found wrong, with the paths of the document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..errors import Problem
from ..space.hyperparameters import TYPES
from . import elsewhere
from .fields import FieldProblems, did_you_mean, got
from .paths import dotted, joined
from .searchers import SEARCHERS

Location = tuple[int | str, ...]

MAX_PROBLEMS = 100
"""The most problems that are told of one document."""

_VARIANTS = {"hyperparameters": 2, "searcher": 1}
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


def _unknown_variant(path: str, location: Location, value: Any) -> Problem:
    searcher = location[0] == "searcher"
    field, names = ("name", tuple(SEARCHERS)) if searcher else ("type", tuple(TYPES))
    choice = ", ".join(names)
    if not isinstance(value, Mapping):
        wanted = "a mapping" if searcher else "a plain value, or a mapping with a type"
        return Problem(path, f"must be {wanted}, got {got(value)}")
    if field not in value:
        return Problem(joined(path, field), f"is missing; it must be one of {choice}")
    named = value[field]
    what = f"unknown {'searcher' if searcher else 'type'} {got(named).removeprefix('text ')}"
    table = elsewhere.SEARCHERS if searcher else elsewhere.TYPES
    suggestion = elsewhere.known_as(named, table) or did_you_mean(named, names)
    return Problem(joined(path, field), f"{what}{suggestion}; known: {choice}")
