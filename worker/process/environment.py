"""The environment variables of a training process."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from shutil import which
from typing import Any

from ..trial.protocol import TrialStart

#: Linux takes no longer variable than 128 KiB, in bytes, with its name; what is left out can be had over the socket.
MAX_VARIABLE = 120 << 10
#: Names the hyperparameters that have no variable of their own, as a JSON list; unset where all have one.
LEFT_OUT = "RUNGMASTER_HPARAMS_LEFT_OUT"
#: Tells a process which GPUs it may use.
DEVICES = "CUDA_VISIBLE_DEVICES"


#: Variables of the worker alone: how it reaches its masters, and what a service manager gave it.
_OF_THE_WORKER = ("RUNGMASTER_*", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_*", "LISTEN_*")


def scrubbed(inherited: Mapping[str, str], hidden: Sequence[str] = ()) -> dict[str, str]:
    """An environment without what is the worker's alone, and without the variables that match a pattern in `hidden`."""
    patterns = (*_OF_THE_WORKER, *hidden)
    return {
        name: value for name, value in inherited.items() if not any(fnmatchcase(name, pattern) for pattern in patterns)
    }


def base_environment(inherited: Mapping[str, str], *, own_devices: bool, hidden: Sequence[str] = ()) -> dict[str, str]:
    """What all training processes of a worker have: its own environment without what is the worker's alone or hidden.

    With `own_devices` each trial is told its GPUs, and CUDA_VISIBLE_DEVICES is left to that.
    """
    base = scrubbed(inherited, hidden)
    base["PYTHONUNBUFFERED"] = "1"
    if which("rungmaster", path=base.get("PATH", "")) is None:
        # Last, so that it hides nothing: shell programs say `rungmaster report`.
        base["PATH"] = os.pathsep.join(filter(None, [base.get("PATH"), str(Path(sys.executable).parent)]))
    if own_devices:
        base.pop(DEVICES, None)
        base.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    return base


def trial_environment(start: TrialStart, socket: Path, devices: Sequence[str] | None) -> dict[str, str]:
    """What one trial is told. `devices` are its GPUs; None leaves CUDA_VISIBLE_DEVICES as it is."""
    told = {
        "RUNGMASTER_SOCKET": str(socket),
        "RUNGMASTER_HPARAMS": json.dumps(start.hparams),
        "RUNGMASTER_EXPERIMENT_ID": str(start.experiment_id),
        "RUNGMASTER_TRIAL_ID": str(start.trial_id),
        "RUNGMASTER_SEED": str(start.seed),
        "RUNGMASTER_RESOURCE": str(start.resource),
        "RUNGMASTER_TARGET": str(start.target),
    }
    told |= {_variable(name): as_text(value) for name, value in start.hparams.items()}
    if alone := without_variable(start.hparams):
        told = {name: value for name, value in told.items() if name not in set(map(_variable, alone))}
        told[LEFT_OUT] = json.dumps(alone)
    if start.checkpoint is not None:
        told["RUNGMASTER_CHECKPOINT"] = start.checkpoint
    if devices is not None:
        told[DEVICES] = ",".join(devices)
    return {name: value for name, value in told.items() if _fits(name, value)}


def without_variable(hparams: Mapping[str, Any]) -> list[str]:
    """Hyperparameters that get no variable: those that would share one, and those whose value does not fit in."""
    shared = Counter(map(_variable, hparams))
    return [
        name
        for name, value in hparams.items()
        if shared[_variable(name)] > 1 or not _fits(_variable(name), as_text(value))
    ]


def _fits(name: str, value: str) -> bool:
    return len(name) + len(value.encode(errors="replace")) < MAX_VARIABLE and "\0" not in value


def _variable(name: str) -> str:
    return "RUNGMASTER_HPARAM_" + re.sub(r"[^A-Z0-9_]", "_", name.upper())


def as_text(value: Any) -> str:
    """Texts as they are, everything else as JSON: 0.1, true, null."""
    return value if isinstance(value, str) else json.dumps(value)
