"""Which checkpoints in a store nothing needs, by what the ledger knows. Pure.

A worker may have died while it saved, or saved under a lease that was lost meanwhile: such a checkpoint is told to no
ledger. It can never be told of any more once its lease has ended. What this ledger cannot know all about is let be: it
may be a copy of the one that goes on, or a backup of earlier.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from ....shared.checkpoints.paths import CheckpointPath


@dataclass(frozen=True, slots=True)
class KnownCheckpoints:
    """What the ledger knows of some trials. Trials are (experiment, trial)."""

    #: Experiments that were deleted, and are not there any more.
    deleted: Set[int] = frozenset()
    #: The last token of each trial.
    tokens: Mapping[tuple[int, int], int] = field(default_factory=dict)
    #: The token of each lease that is held.
    held: Mapping[tuple[int, int], int] = field(default_factory=dict)
    #: (experiment, trial, name) of the checkpoints whose files the ledger has not seen go.
    checkpoints: Set[tuple[int, int, str]] = frozenset()


def is_orphan(place: CheckpointPath, known: KnownCheckpoints) -> bool:
    """Whether nothing can ever need the checkpoint."""
    if not place.partial and (*place.trial, place.name) in known.checkpoints:
        return False
    if place.experiment_id in known.deleted:
        return True
    return place.token <= known.tokens.get(place.trial, 0) and place.token != known.held.get(place.trial)
