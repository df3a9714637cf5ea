"""What went wrong in an experiment: protobuf messages to plain values and back."""

from __future__ import annotations

from ...proto.v1 import experiment_pb2
from .model import Trouble


def trouble_to_proto(value: Trouble) -> experiment_pb2.Trouble:
    """Something that went wrong, as a message."""
    return experiment_pb2.Trouble(kind=value.kind, count=value.count, example=value.example, trial_id=value.trial_id)


def trouble_from_proto(message: experiment_pb2.Trouble) -> Trouble:
    """Something that went wrong, as a value."""
    return Trouble(message.kind, message.count, message.example, message.trial_id)
