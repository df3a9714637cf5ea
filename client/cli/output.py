"""How commands print: messages as JSON, much as protobuf maps them, and lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from ...shared.limits import LARGEST_WHOLE
from ...shared.text.printing import say, say_json
from ...shared.wire.model import Experiment, ExperimentState

_TEXT = "_json"
_WHOLE = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
_PACKAGE = "rungmaster.v1"


def print_document(message: Message) -> None:
    """Prints an answer as one JSON document."""
    say_json(_plain(message), indent=2)


def print_json_lines(messages: Iterable[Message]) -> None:
    """Prints each message as JSON on a line of its own, at once."""
    for message in messages:
        say_json(_plain(message))


def outcome(experiment: Experiment) -> int:
    """The exit code for how an experiment ended; says on stderr why it did not complete."""
    if experiment.state in (ExperimentState.COMPLETED, ExperimentState.ACTIVE, ExperimentState.PAUSED):
        return 0
    reason = f": {experiment.state_reason}" if experiment.state_reason else ""
    say(f"Error: experiment {experiment.experiment_id} {experiment.state}{reason}", err=True)
    return 1


def _plain(message: Message) -> Any:
    document = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return _readable(document, message.DESCRIPTOR)


def _readable(document: dict[str, Any], kind: Any) -> dict[str, Any]:
    """Protobuf's mapping with JSON text as what it says (`spec_json` as `spec`), and 64-bit numbers as numbers."""
    shown: dict[str, Any] = {}
    for name, value in document.items():
        field = kind.fields_by_name[name]
        if name.endswith(_TEXT):
            shown |= {name.removesuffix(_TEXT): json.loads(value)} if value else {}
        elif isinstance(value, list):
            shown[name] = [_readable_value(item, field) for item in value]
        else:
            shown[name] = _readable_value(value, field)
    return shown


def _readable_value(value: Any, field: Any) -> Any:
    if field.cpp_type in _WHOLE:
        return number if abs(number := int(value)) <= LARGEST_WHOLE else value
    kind = field.message_type
    ours = kind is not None and kind.file.package == _PACKAGE and not kind.GetOptions().map_entry
    return _readable(value, kind) if ours else value
