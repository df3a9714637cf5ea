"""The journal in plain words: what happened, why, and how it is to be taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...client.cli.event_text import told
from ...shared.wire.model import Event
from .numbers import count, number

_DECISIONS = {"continue": "goes on to {target} {unit}", "pause": "pauses", "stop": "is stopped"}
_ENDS = {
    "released": "gave its slot back",
    "given_back": "was given back",
    "invalid": "was refused by its own code",
    "cancelled": "was cancelled",
}
_TROUBLES = {
    "failed": "failed on {worker}",
    "worker_fault": "could not be run by {worker}",
    "cannot_start": "cannot be started by {worker}",
    "environment": "could not be run by {worker} for the moment",
    "expired": "was lost with {worker}",
}
_EXPERIMENT = {
    "experiment_created": "was submitted",
    "experiment_active": "goes on",
    "experiment_paused": "was paused",
    "experiment_completed": "has completed",
    "experiment_cancelled": "was cancelled",
    "experiment_failed": "has failed",
    "experiment_deleted": "was deleted",
    "stop_reached": "ends early",
    "sampler_failed": "draws at random: its sampler does not answer",
    "sampler_recovered": "draws by its sampler again",
    "rules_changed": "goes on by newer rules",
    "thinning": "has its reports thinned",
}
_TOLD = {
    "trial_created": "was made in bracket {bracket}, to train to {target} {unit} first{taken}",
    "assigned": "trains on {worker}, {begin}to {target} {unit}",
    "promoted": "is promoted to rung {rung}: to {target} {unit}",
    "trial_reopened": "goes on after all, to {target} {unit}",
    "trial_sampled": "got its hyperparameters from: {origin}",
    "trial_failed": "failed for good",
    "trial_discarded": "was discarded: another takes its place",
    "checkpoint_broken": "has a broken checkpoint",
    "settings_changed": "The experiment has new settings: {settings}",
    "experiment_extended": "The experiment was extended to {max_trials} trials",
}
_BAD = frozenset(
    {"experiment_failed", "experiment_cancelled", "trial_failed", "trial_discarded"}
    | {"checkpoint_broken", "sampler_failed"}
)


class JournalEntry(NamedTuple):
    """One entry for people: what happened, why ("" where that is plain), and whether it is good, bad or neither."""

    what: str
    why: str = ""
    mood: str = ""


def entry(event: Event, unit: str) -> JournalEntry:
    """What an event says. Of a kind that this version does not know, its name and particulars."""
    data = event.data
    reason = told(data["reason"]) if data.get("reason") else ""
    mood = "bad" if event.kind in _BAD else ""
    if event.kind in _EXPERIMENT:
        return JournalEntry(f"The experiment {_EXPERIMENT[event.kind]}", reason, mood)
    if event.kind == "lease_ended":
        return _ended(data)
    if event.kind in ("decision", "passed"):
        return _decided(data, unit, reason)
    if event.kind in _TOLD:
        return JournalEntry(_TOLD[event.kind].format_map(_plain(data, unit)), reason, mood)
    what = event.kind.replace("_", " ")
    if not reason:
        reason = ", ".join(f"{name} {value}" for name, value in data.items() if value not in (None, ""))
    return JournalEntry(what, reason, mood)


def _decided(data: Mapping[str, Any], unit: str, reason: str) -> JournalEntry:
    action, metric = str(data.get("action")), data.get("metric")
    measured = number(metric) if isinstance(metric, int | float) else metric or "no result"
    what = _DECISIONS.get(action, action).format(target=count(data.get("target") or 0), unit=unit)
    at = f"{count(data.get('resource') or 0)} {unit}"
    return JournalEntry(
        f"{what} (rung {data.get('rung')}, {measured} at {at})", reason, "good" if action == "continue" else ""
    )


def _ended(data: Mapping[str, Any]) -> JournalEntry:
    outcome, worker = str(data.get("outcome")), data.get("worker")
    error = told(data["error"]) if data.get("error") else ""
    if outcome in _TROUBLES:
        return JournalEntry(_TROUBLES[outcome].format(worker=worker), error, "bad")
    return JournalEntry(f"{_ENDS.get(outcome, outcome)} on {worker}", error)


def _plain(data: Mapping[str, Any], unit: str) -> dict[str, Any]:
    """The particulars as they stand in a sentence."""
    numbers = {name: count(data.get(name) or 0) for name in ("target", "max_trials")}
    begin = f"from {count(data['from'])} " if data.get("from") else ""
    taken = "" if data.get("parent") is None else f", from trial {data['parent']}'s checkpoint"
    settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in data.items())
    return {"worker": "", "rung": "", "bracket": "", "origin": "", **data, **numbers} | {
        "unit": unit,
        "begin": begin,
        "taken": taken,
        "settings": settings,
    }
