"""Rungmaster: adaptive ASHA hyperparameter search as a distributed master-worker service.

What people need most, imported only when it is used: `Trial` for training code, `Client` and `run` for everything else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rungmaster.shared.version import __version__

if TYPE_CHECKING:
    from rungmaster import plots
    from rungmaster.client import Client, DatabaseClient, run
    from rungmaster.shared.net.credentials import Credentials
    from rungmaster.worker import Trial

__all__ = ["Client", "Credentials", "DatabaseClient", "Trial", "__version__", "plots", "run"]

_HOMES = {
    "Trial": "rungmaster.worker",
    "Client": "rungmaster.client",
    "DatabaseClient": "rungmaster.client",
    "run": "rungmaster.client",
    "Credentials": "rungmaster.shared.net.credentials",
}


def __getattr__(name: str) -> Any:
    if name == "plots":
        return import_module("rungmaster.plots")
    if name not in _HOMES:
        raise AttributeError(f"module 'rungmaster' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
