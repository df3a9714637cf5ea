"""How a worker runs."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..shared.net.credentials import NO_CREDENTIALS, Credentials
from ..shared.text.visible import visible
from .allowed import Allowed
from .slots.gpus import Device


def default_name() -> str:
    """What people call a worker that was given no name."""
    return visible(f"{socket.gethostname()}-{os.getpid()}")


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker runs. Times in seconds."""

    addresses: tuple[str, ...]
    directory: Path
    logs: Path
    #: Seconds for which the log of a training stays that is not written any more; None: as long as its experiment.
    keep_logs_s: float | None = None
    #: Bytes that are kept of what is printed under one assignment.
    log_limit: int = 10 << 20
    slots: int = 1
    devices: tuple[Device, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    #: Seconds without anything to train after which it leaves; None: it waits for ever.
    exit_when_idle_s: float | None = None
    #: The experiments that it works for; none named: any.
    experiment_ids: frozenset[int] = frozenset()
    name: str = field(default_factory=default_name)
    credentials: Credentials = NO_CREDENTIALS
    #: Storages that it may use, with all below them; none named: any.
    allowed_storages: tuple[str, ...] = ()
    #: How long draining may take before the training is ended by force.
    grace_s: float = 30.0
    #: How long to try at the start before a wrong address is a better explanation than an outage.
    connect_timeout_s: float = 60.0
    #: Unacknowledged events that are kept in memory, and the bytes of those that go to disk then, before reports wait.
    buffer: int = 10_000
    spill: int = 256 << 20
    #: Whether each Python trial gets a fresh process, instead of a fork of one that has imported its libraries.
    fresh_processes: bool = False
    #: What it may run, and patterns of the variables that no training gets.
    allowed: Allowed = field(default_factory=Allowed)
    hidden_variables: tuple[str, ...] = ()
    #: Where to write down every event that the master has acknowledged; see `link/acknowledgement_log.py`.
    acknowledged: Path | None = None
