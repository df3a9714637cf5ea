"""When a search ends before it has trained all that it may: `stop` in a spec."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from ..durations import seconds_of
from .fields import Model, got, number, whole

_MOST_S = 1e9


def _duration(value: object) -> int | float:
    seconds = seconds_of(value) if isinstance(value, str) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        how = "must be a length of time, such as 8h, 90m, 1h30m or 2d, or a number of seconds"
        raise ValueError(f"{how}, got {got(value)}")
    return seconds


class StopSpec(Model):
    """What ends a search early, whichever comes first; none of it: nothing does.

    `metric`: a result of any report that is at least as good. `time`: so many seconds since it was submitted.
    `resource`: so much resource trained by all trials together.
    """

    metric: Annotated[int | float, number()] | None = None
    # The one that stands last is asked first.
    time: Annotated[int | float, number(above=0, maximum=_MOST_S), BeforeValidator(_duration)] | None = None
    resource: Annotated[int, whole(1)] | None = None
