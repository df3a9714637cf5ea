"""Population based training: which trial went on from which, and with which hyperparameters a model was trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..shared.wire.model import TrialInfo
from .history import History


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a model's training: which trial, from which resource to which, with which hyperparameters."""

    trial: TrialInfo
    begin: int
    end: int

    @property
    def hparams(self) -> Mapping[str, Any]:
        """With which it was trained."""
        return self.trial.hparams


def ancestry(history: History, trial: TrialInfo) -> tuple[Part, ...]:
    """How a trial's model was trained, from nothing on."""
    parts, seen = [Part(trial, trial.start_resource, max(trial.resource, trial.start_resource))], {trial.trial_id}
    while trial.parent is not None and trial.parent in history.by_id and trial.parent not in seen:
        end, trial = trial.start_resource, history.by_id[trial.parent]
        seen.add(trial.trial_id)
        parts.append(Part(trial, min(trial.start_resource, end), end))
    return tuple(reversed(parts))


def leaves(history: History) -> list[TrialInfo]:
    """The trials from which no other went on."""
    parents = {trial.parent for trial in history.trials}
    return [trial for trial in history.trials if trial.trial_id not in parents]


def members(history: History) -> dict[int, int]:
    """Which member of the population each trial was: one that takes over from another stands where a member stopped.

    From the journal: a new trial takes the place of the member that stopped last and is not replaced yet.
    """
    place: dict[int, int] = {}
    stopped: list[int] = []
    for event in history.events:
        if event.trial_id is None:
            continue
        if event.kind == "decision" and event.data.get("action") == "stop" and event.trial_id in place:
            stopped.append(place[event.trial_id])
        elif event.kind == "trial_created":
            replaces = event.data.get("parent") is not None and stopped
            place[event.trial_id] = stopped.pop(0) if replaces else len(set(place.values()))
    for trial in history.trials:
        place.setdefault(trial.trial_id, len(set(place.values())))
    return place
