"""What people may change of an experiment while it runs."""

from __future__ import annotations

from typing import Annotated

from .fields import Model, number, whole

Priority = Annotated[int, whole(-(10**6), 10**6)]
Weight = Annotated[int | float, number(above=0, maximum=1e6)]
Concurrency = Annotated[int, whole(1, 10**9)]


class ExperimentSettings(Model):
    """The values in force; of a change, what stays as it is is left out.

    `max_concurrent_trials`: none for every free slot.
    """

    priority: Priority = 0
    weight: Weight = 1.0
    max_concurrent_trials: Concurrency | None = None
