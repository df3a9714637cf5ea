"""Seeds of trials."""

from __future__ import annotations

import hashlib


def trial_seed(experiment_seed: int, trial_id: int) -> int:
    """A trial's own seed, 0 … 2³¹−1: the same whenever and wherever the trial is trained, another for each trial."""
    digest = hashlib.sha256(f"{experiment_seed}/{trial_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
