"""How commands print: messages as JSON in protobuf's mapping, and lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from ...shared.model import Experiment, ExperimentState


def print_document(message: Message) -> None:
    """Prints an answer as one JSON document."""
    click.echo(json.dumps(_plain(message), indent=2, sort_keys=True, ensure_ascii=False))


def print_json_lines(messages: Iterable[Message]) -> None:
    """Prints each message as JSON on a line of its own, at once."""
    for message in messages:
        click.echo(json.dumps(_plain(message), sort_keys=True, ensure_ascii=False))


def print_values(documents: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Prints plain values with their types, 1.0 apart from 1: as YAML documents, or as JSON, one a line."""
    if as_json:
        for document in documents:
            click.echo(json.dumps(dict(document), ensure_ascii=False))
        return
    import yaml

    click.echo(yaml.safe_dump_all(map(dict, documents), sort_keys=False, allow_unicode=True), nl=False)


def print_lines(lines: Iterable[str]) -> None:
    """Prints lines of text as they come."""
    for line in lines:
        click.echo(line)


def outcome(experiment: Experiment) -> int:
    """The exit code for how an experiment ended; says on stderr why it did not complete."""
    if experiment.state in (ExperimentState.COMPLETED, ExperimentState.ACTIVE, ExperimentState.PAUSED):
        return 0
    reason = f": {experiment.state_reason}" if experiment.state_reason else ""
    click.echo(f"Error: experiment {experiment.experiment_id} {experiment.state}{reason}", err=True)
    return 1


def _plain(message: Message) -> Any:
    return _narrowed(
        MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    )


def _narrowed(value: Any) -> Any:
    """Doubles that are whole numbers as JSON writes them elsewhere: 64, not 64.0."""
    if isinstance(value, dict):
        return {key: _narrowed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_narrowed(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53 else value
