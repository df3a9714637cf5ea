"""The first message of a host: what a spec searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..spec.spec import Spec
from .protocol import Start
from .spaces import neutral_space


def start_of(spec: Spec, experiment_id: int, resources: Sequence[int], options: Mapping[str, Any]) -> Start:
    """What a sampler program is told of an experiment. `resources` are those of its rungs, ascending."""
    return Start(
        experiment=experiment_id,
        seed=spec.seed,
        metric=spec.metric.name,
        goal=spec.metric.goal,
        space=neutral_space(spec.hyperparameters, spec.forbidden),
        resources=tuple(resources),
        options=dict(options),
    )
