"""A spec in any form that Python has it, as the text that goes to the master."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shared.errors import InvalidSpec, Problem
from ..shared.spec.document.reading import read_document

if TYPE_CHECKING:
    from ..shared.spec.spec import Spec


def spec_text(spec: str | Path | Mapping[str, Any] | Spec) -> str:
    """The text of `spec`: YAML or JSON text as it is, a file's content, or a dict or Spec as JSON.

    In a dict, `entrypoint` may be a Python function that can be imported. Whether the spec is right is for the master
    to say; raises InvalidInput where it cannot be read or has no JSON form.
    """
    if isinstance(spec, Path):
        return read_document(spec)
    if isinstance(spec, str):
        return spec
    if isinstance(spec, Mapping):
        return _json(spec)
    from ..shared.spec.spec import spec_to_json

    return _json(spec_to_json(spec))


def _json(document: Mapping[str, Any]) -> str:
    document = dict(document)
    entrypoint = document.get("entrypoint")
    if callable(entrypoint):
        document["entrypoint"] = _named(entrypoint)
    try:
        return json.dumps(document, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidSpec([Problem("", f"the spec has no JSON form: {error}")]) from error


def _named(function: Callable[..., Any]) -> str:
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if module in (None, "__main__") or "<" in name:
        problem = f"workers cannot import {name or function!r}; put it at the top level of a module of its own"
        raise InvalidSpec([Problem("entrypoint", problem)])
    return f"{module}:{name}"
