"""What is known of one experiment at a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...shared.wire.model import Event, Experiment, TrialInfo


@dataclass(frozen=True, slots=True)
class Picture:
    """An experiment, its trials by number, and the latest entries of its journal, oldest first.

    `number` grows with each change. `away` says why the master does not answer now; empty where it does.
    """

    experiment: Experiment
    trials: Mapping[int, TrialInfo] = field(default_factory=dict)
    events: Sequence[Event] = ()
    number: int = 0
    away: str = ""
