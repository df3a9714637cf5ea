"""Draws hyperparameters ahead of the search, in a thread of its own: the event loop never waits for a draw."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from weakref import WeakValueDictionary, ref

from ....shared.idle_threads import IdleThreads
from ...experiment.next_trial import Draw

#: Trials of one experiment that are drawn ahead.
AHEAD = 64
#: Seconds after which an experiment that is drawn with difficulty lets others have the thread, at its next portion.
SLICE_S = 0.02

Hparams = Mapping[str, Any]


class Drawer:
    """The one thread, and the experiments that take turns in it."""

    def __init__(self, wake: Callable[[int], None]) -> None:
        """`wake` is called in the event loop with an experiment whose next trial was asked for and is drawn now."""
        self._wake = wake
        self._thread = IdleThreads(1, "drawing")
        self._aheads: WeakValueDictionary[int, Ahead] = WeakValueDictionary()

    def ahead(self, experiment_id: int, draw: Draw) -> Draw:
        """The same draw, but it gives None at once where the trial is not drawn yet.

        It takes the place of the one that the experiment had before; one that nobody has any more draws nothing more.
        """
        former = self._aheads.get(experiment_id)
        if former is not None:
            former.stop()
        made = self._aheads[experiment_id] = Ahead(draw, self._thread, partial(self._wake, experiment_id))
        return made

    def close(self) -> None:
        """Draws nothing more."""
        for ahead in self._aheads.values():
            ahead.stop()
        self._thread.close()


class Ahead:
    """The hyperparameters of an experiment's next trials. To be asked for one after the other, in the event loop."""

    def __init__(self, draw: Draw, thread: IdleThreads, wake: Callable[[], None]) -> None:
        self._draw = draw
        self._thread = thread
        self._wake = wake
        self._drawn: dict[int, Hparams | Exception] = {}
        self._drawing = False
        self._stopped = False
        #: The trial that was asked for in vain.
        self._wanted: int | None = None

    def stop(self) -> None:
        """Draws nothing more, and wakes nobody."""
        self._stopped = True

    def __call__(self, trial: int) -> Hparams | None:
        """What was drawn for a trial; None where it is not there yet. Raises what drawing it raised."""
        for passed in [number for number in self._drawn if number < trial]:
            # That trial did without.
            del self._drawn[passed]
        found = self._drawn.pop(trial, None)
        if isinstance(found, Exception):
            raise found
        if found is None:
            self._wanted = trial
        if len(self._drawn) < AHEAD // 2:
            self._go_on(trial if found is None else trial + 1)
        return found

    def _go_on(self, trial: int) -> None:
        if not self._drawing and not self._stopped:
            self._drawing = True
            first = max(self._drawn, default=trial - 1) + 1
            drawing = self._thread.begin(_draw_some, self._draw, first, AHEAD - len(self._drawn))
            mine = ref(self)
            drawing.add_done_callback(lambda drawn: here._take(drawn) if (here := mine()) else None)

    def _take(self, drawing: asyncio.Future[dict[int, Hparams | Exception]]) -> None:
        self._drawing = False
        if drawing.cancelled() or self._stopped:
            return
        self._drawn |= drawing.result()
        if self._wanted in self._drawn:
            self._wanted = None
            self._wake()
        elif self._wanted is not None:
            self._go_on(self._wanted)


def _draw_some(draw: Draw, first: int, most: int) -> dict[int, Hparams | Exception]:
    """In the thread: trials from the first on, as many as are found in a slice of time."""
    drawn: dict[int, Hparams | Exception] = {}
    end = time.monotonic() + SLICE_S
    while len(drawn) < most:
        trial = first + len(drawn)
        try:
            found = draw(trial)
        except Exception as error:  # noqa: BLE001 - one experiment's trouble is its own
            # It is raised when the trial is asked for; those after it are never.
            drawn[trial] = error
            break
        if found is not None:
            drawn[trial] = found
        if time.monotonic() >= end:
            break
    return drawn
