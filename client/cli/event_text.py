"""Events and reports as lines of plain text: what a person wants to hear of, and anything at all. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...shared.text.failure_text import summary
from ...shared.wire.model import Event, Report
from .text import metrics, number


def noteworthy(event: Event) -> str | None:
    """A line for an event that a person wants to hear of while a search runs; None for the everyday ones."""
    trial, data = f"trial {event.trial_id}", event.data
    match event.kind, data.get("outcome"):
        case "lease_ended", "failed":
            return f"{trial} failed on {data.get('worker')}: {told(data.get('error'))}"
        case "lease_ended", "worker_fault":
            return f"{data.get('worker')} could not run {trial}: {told(data.get('error'))}"
        case "lease_ended", "cannot_start":
            return f"{data.get('worker')} cannot start {trial}: {told(data.get('error'))}"
        case "lease_ended", "environment":
            return f"{data.get('worker')} could not run {trial} for the moment: {told(data.get('error'))}"
        case "lease_ended", "expired":
            return f"{data.get('worker')} was lost while it trained {trial}"
        case ("checkpoint_broken", _):
            return f"{trial} has a broken checkpoint: {told(data.get('reason'))}"
        case ("trial_failed", _):
            return f"{trial} failed for good: {told(data.get('reason'))}"
        case ("trial_discarded", _):
            return f"{trial} was discarded: {told(data.get('reason'))}"
        case (
            "experiment_extended"
            | "experiment_paused"
            | "experiment_active"
            | "experiment_cancelled"
            | "experiment_failed"
            | "stop_reached",
            _,
        ):
            by, reason = data.get("by"), data.get("reason")
            return event.kind.replace("_", " ") + (f" by {by}" if by else f": {told(reason)}" if reason else "")
    return None


def event_line(event: Event) -> str:
    """Any event in one line: when, its number, the trial, what, and the particulars."""
    trial, time = "" if event.trial_id is None else f" trial {event.trial_id}", event.create_time.astimezone()
    return f"{time:%H:%M:%S} {event.event_id}{trial} {event.kind} {particulars(event.data)}".rstrip()


def particulars(data: Mapping[str, Any]) -> str:
    """The particulars of an event or an act in one line."""
    given = (f"{name}={_plain(value)!s}" for name, value in data.items() if value not in (None, ""))
    return " ".join(" ".join(given).split())


def report_line(report: Report) -> str:
    """Any report in one line: when, its position, the trial, how far that was trained, and the metrics."""
    measured = metrics(dict(sorted(report.metrics.items())))
    begin = f"{report.receive_time.astimezone():%H:%M:%S} {report.position} trial {report.trial_id}"
    return f"{begin} resource={report.resource} {measured}".rstrip()


def told(reason: Any) -> str:
    """A reason in one line."""
    return summary(str(reason or "")) or "no reason given"


def _plain(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)
