"""A spec as a person would write it: YAML, without what is the default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..durations import seconds_of, written
from ..errors import InvalidSpec
from ..text.visible import json_text
from .document.reading import parse_document
from .document.yaml_writing import yaml_text
from .spec import spec_from_json, spec_to_json, stored_spec


def spec_to_yaml(document: Mapping[str, Any]) -> str:
    """A stored spec as YAML that reads as the same spec, without fields that have their defaults. One that today's
    rules refuse is written as it is stored."""
    try:
        spec = stored_spec(document)
    except InvalidSpec:
        return yaml_text([document], short=True)
    brief = _with_names(spec.model_dump(mode="json", exclude_defaults=True), spec_to_json(spec))
    time = spec.stop.time
    if time is not None and seconds_of(written(time)) == time:
        brief["stop"]["time"] = written(time)
    text = yaml_text([brief], short=True)
    return text if _reads_as(text, spec_to_json(spec)) else json_text(dict(document), 2)


def _reads_as(text: str, document: Mapping[str, Any]) -> bool:
    try:
        return json_text(spec_to_json(spec_from_json(parse_document(text)))) == json_text(document)
    except InvalidSpec:
        # Today's limits refuse what was accepted once.
        return json_text(spec_to_json(stored_spec(parse_document(text)))) == json_text(document)


def _with_names(brief: dict[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    """With the searcher's and the sampler's name and each hyperparameter's type, in the order of the whole spec."""
    for part in {"searcher", "sampler"} & brief.keys():
        brief[part] = {"name": whole[part]["name"]} | brief[part]
    for name, declared in whole["hyperparameters"].items():
        if isinstance(declared, Mapping):
            brief["hyperparameters"][name] = {"type": declared["type"]} | brief["hyperparameters"][name]
    return brief
