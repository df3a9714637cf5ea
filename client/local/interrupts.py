"""Ctrl-C, and again: the first one interrupts, the next ones end what is left, and interrupt nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """What SIGTERM does to a command that ends by it as by Ctrl-C."""
    raise KeyboardInterrupt


@contextmanager
def interrupted_once(again: Callable[[], None]) -> Iterator[None]:
    """Within it the first SIGINT, or SIGTERM where that is an `interrupt`, raises KeyboardInterrupt; each one after it
    calls `again`. An exception in the midst of what cleans up would keep gRPC from ever closing a channel.

    Handlers that somebody else has installed stay, and so does everything outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        if seen:
            again()
            return
        seen = True
        interrupt(number, frame)

    ours = (signal.default_int_handler, interrupt)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    replaced = {number: handler for number, handler in before.items() if handler in ours}
    for number in replaced:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
