"""Where a checkpoint lies in its storage: `<database_id>/<experiment>/<trial>/<token>-<resource>-<random>`, and where
what was printed under a lease: `<database_id>/<experiment>/logs/<trial>-<token>.log`. Pure.

A worker and a master say such paths to each other, never whole addresses: what a storage is, the spec says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..wire.model import LeaseRef

_DATABASE, _NUMBER, _RANDOM = "[0-9a-f]{16}", "[0-9]{1,19}", "[0-9a-f]{1,64}"
_NAME = rf"({_NUMBER})-({_NUMBER})-({_RANDOM})"
#: The id of a database.
DATABASE = re.compile(_DATABASE)
#: The folder of a checkpoint, and of what is not whole yet, or not whole any more, on a disk; each begins with a token.
CHECKPOINT = re.compile(_NAME)
PARTIAL = re.compile(rf"\.{_NAME}\.partial")
#: The folder of an experiment's logs, and one in it: `<trial>-<token>.log`, or `.….partial` while it is written.
LOG_FOLDER = re.compile(rf"(?:^|/){_DATABASE}/{_NUMBER}/logs/?\Z")
LOG = re.compile(rf"{_NUMBER}-{_NUMBER}\.log|\.{_NUMBER}-{_NUMBER}\.log\.partial")
_END = re.compile(rf"(?:^|/)(?:({_DATABASE})/)?({_NUMBER})/({_NUMBER})/(\.?){_NAME}(\.partial)?/?\Z")


def log_folder(database_id: str, experiment_id: int) -> str:
    """The path of an experiment's logs below its storage."""
    return f"{database_id}/{experiment_id}/logs"


def log_path(database_id: str, lease: LeaseRef) -> str:
    """The path of what was printed under a lease."""
    return f"{log_folder(database_id, lease.experiment_id)}/{lease.trial_id}-{lease.token}.log"


@dataclass(frozen=True, slots=True)
class CheckpointPath:
    """One checkpoint. `database_id` is empty for what older versions saved; `partial`: it never became whole, or was
    deleted in part; `token` is that of the lease under which it was saved."""

    database_id: str
    experiment_id: int
    trial_id: int
    token: int
    resource: int
    random: str
    partial: bool = False

    @classmethod
    def parse(cls, address: str) -> CheckpointPath | None:
        """What the end of an address says; None for what is no checkpoint's."""
        found = _END.search(address)
        if found is None or bool(found[4]) != bool(found[8]):
            return None
        experiment, trial, token, resource = (int(found[group]) for group in (2, 3, 5, 6))
        return cls(found[1] or "", experiment, trial, token, resource, found[7], bool(found[8]))

    @property
    def trial(self) -> tuple[int, int]:
        """Experiment and trial."""
        return self.experiment_id, self.trial_id

    @property
    def name(self) -> str:
        """The name of a whole one."""
        return f"{self.token}-{self.resource}-{self.random}"

    def __str__(self) -> str:
        """The path below the storage."""
        name = f".{self.name}.partial" if self.partial else self.name
        below = f"{self.experiment_id}/{self.trial_id}/{name}"
        return f"{self.database_id}/{below}" if self.database_id else below
