"""Being told to end, and ending: within a bounded time, whatever the event loop and the threads are busy with."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

log = logging.getLogger(__name__)

#: Seconds after the grace of its calls in which a master ends by itself; what still runs then is cut off.
PATIENCE_S = 4.0


class Stopping:
    """Whether this process was told to end. Once it was, it has so many seconds; `code` is how it exits after them."""

    def __init__(self, seconds: float) -> None:
        self.told = asyncio.Event()
        self.code = 1
        self._seconds = seconds
        #: What comes through the pipe where it is told: 0, or the number of a signal.
        self._telling: set[int] = {0}
        self._loop = asyncio.get_running_loop()
        self._read, self._write = os.pipe2(os.O_CLOEXEC)
        # The kernel wants it for signals, and to wait there would be to hang.
        os.set_blocking(self._write, False)

    @contextlib.contextmanager
    def by_signals(self, *numbers: signal.Signals) -> Iterator[None]:
        """Within, these signals tell it: a thread hears them, since the event loop may be what is stuck."""
        for number in numbers:
            signal.signal(number, _hear_in_the_thread)
        self._telling |= {*numbers}
        former = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        threading.Thread(target=self._wait, name="stopping", daemon=True).start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(former)

    def tell(self) -> None:
        """Tells it."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"\0")

    def _wait(self) -> None:
        # Signals that are not for this have a handler elsewhere, and come through here all the same.
        while os.read(self._read, 1)[0] not in self._telling:
            continue
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.told.set)
        time.sleep(self._seconds)
        self._cut_off()

    def _cut_off(self) -> None:
        mine = (threading.current_thread(), threading.main_thread())
        busy = ", ".join(sorted(thread.name for thread in threading.enumerate() if thread not in mine))
        log.warning("not ended %g s after it was told to, and ended by force; threads there: %s", self._seconds, busy)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(self.code)


def _hear_in_the_thread(*_: object) -> None:
    """In place of what the signal would do by itself."""
