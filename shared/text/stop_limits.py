"""What ends a search early by its spec's `stop`, as `plan` and `status` say it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ..durations import written


def limits_told(
    stop: Mapping[str, Any], metric: str, goal: str, unit: str, so_far: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """What a search ends at, each limit in a few words; `so_far` says by the names of limits how far they are."""
    told: dict[str, str] = {}
    if (wanted := stop.get("metric")) is not None:
        told["metric"] = f"{metric} at {'most' if goal == 'minimize' else 'least'} {wanted:.6g}"
    if (time := stop.get("time")) is not None:
        told["time"] = f"{written(time)} since its submission"
    if (resource := stop.get("resource")) is not None:
        told["resource"] = f"{resource:,} {unit} of all trials together"
    return [f"{limit} ({so_far[name]})" if name in so_far else limit for name, limit in told.items()]
