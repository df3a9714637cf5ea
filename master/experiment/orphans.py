"""Which checkpoints in a store nothing needs, by what the ledger knows. Pure.

A worker may have died while it saved, or saved under a lease that was lost meanwhile: such a checkpoint is told to no
ledger. It can never be told of any more once its lease has ended. What this ledger cannot know all about is let be: it
may be a copy of the one that goes on, or a backup of earlier.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

#: `<experiment>/<trial>/<token>-<resource>-<random>` at the end of an address, or its partial form.
_PLACE = re.compile(r"(?:^|/)(\d+)/(\d+)/(\.?)((\d+)-\d+-[0-9a-f]+)(\.partial)?/?$")


@dataclass(frozen=True, slots=True)
class CheckpointName:
    """Of which lease a checkpoint is, by its address, and its name; `partial`: it never became whole, or was deleted
    in part."""

    experiment_id: int
    trial_id: int
    token: int
    name: str
    partial: bool

    @property
    def trial(self) -> tuple[int, int]:
        """Experiment and trial."""
        return self.experiment_id, self.trial_id


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of some trials. Trials are (experiment, trial)."""

    #: Experiments that were deleted, and are not there any more.
    deleted: Set[int] = frozenset()
    #: The last token of each trial.
    tokens: Mapping[tuple[int, int], int] = field(default_factory=dict)
    #: The token of each lease that is held.
    held: Mapping[tuple[int, int], int] = field(default_factory=dict)
    #: (experiment, trial, name) of the checkpoints whose files the ledger has not seen go.
    checkpoints: Set[tuple[int, int, str]] = frozenset()


def parse_name(uri: str) -> CheckpointName | None:
    """What the address of a checkpoint says; None for what is none."""
    found = _PLACE.search(uri)
    if found is None or bool(found[3]) != bool(found[6]):
        return None
    return CheckpointName(int(found[1]), int(found[2]), int(found[5]), found[4], partial=bool(found[6]))


def is_orphan(place: CheckpointName, known: Known) -> bool:
    """Whether nothing can ever need the checkpoint."""
    if not place.partial and (*place.trial, place.name) in known.checkpoints:
        return False
    if place.experiment_id in known.deleted:
        return True
    return place.token <= known.tokens.get(place.trial, 0) and place.token != known.held.get(place.trial)
