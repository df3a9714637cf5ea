"""Hyperparameters that stand in the database and cannot be read: the trouble of their own experiments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...shared.errors import DatabaseError, MastershipLost, Unavailable

#: (experiment, trial)
Keys = set[tuple[int, int]]
Hparams = dict[tuple[int, int], dict[str, Any]]


class Unreadable(Exception):
    """By experiment, what kept the hyperparameters of a trial from being read."""

    def __init__(self, experiments: dict[int, Exception]) -> None:
        self.experiments = experiments
        super().__init__(f"hyperparameters cannot be read: {experiments}")


def readable_hparams(read: Callable[[Keys], Hparams], keys: Keys) -> Hparams:
    """The hyperparameters of trials, by `read`: in one call, or where that does not give them all, one by one.

    Raises Unreadable where those of some experiments are gone or damaged, and Unavailable and MastershipLost as `read`.
    """
    found, _ = _read(read, keys)
    causes: dict[int, Exception] = {}
    for key in sorted(keys - found.keys()):
        alone, cause = _read(read, {key})
        found |= alone
        if not alone:
            told = DatabaseError(f"the hyperparameters of trial {key[1]} cannot be read: {cause}")
            causes.setdefault(key[0], told)
    if causes:
        raise Unreadable(causes)
    return found


def _read(read: Callable[[Keys], Hparams], keys: Keys) -> tuple[Hparams, str]:
    """What is there and is what it should be, and why all or some is not."""
    try:
        found = read(keys)
    except (Unavailable, MastershipLost):
        raise
    except Exception as error:  # noqa: BLE001 - a damaged document may raise anything
        return {}, str(error)
    whole = {key: hparams for key, hparams in found.items() if isinstance(hparams, dict)}
    return whole, "they are no mapping" if found else "they are gone"
