"""The environment variables of a training process."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from shutil import which

from ...shared.hparam_variables import fits, hparam_variables
from ..trial.protocol import TrialStart

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
        "RUNGMASTER_EXPERIMENT_ID": str(start.experiment_id),
        "RUNGMASTER_TRIAL_ID": str(start.trial_id),
        "RUNGMASTER_SEED": str(start.seed),
        "RUNGMASTER_RESOURCE": str(start.resource),
        "RUNGMASTER_TARGET": str(start.target),
    }
    if start.checkpoint is not None:
        told["RUNGMASTER_CHECKPOINT"] = start.checkpoint
    if devices is not None:
        told[DEVICES] = ",".join(devices)
    return hparam_variables(start.hparams) | {name: value for name, value in told.items() if fits(name, value)}
