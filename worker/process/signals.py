"""Signals that reach every process of a worker, but are meant for the worker alone.

Service managers, batch systems and terminals signal all processes at once. The worker then asks its trials to save and
to end; one that had died of the signal would be lost.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable

FOR_THE_WORKER = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def hear_nothing() -> None:
    """This process goes on until the worker ends it; so do those that it starts, until they decide otherwise."""
    for number in FOR_THE_WORKER:
        signal.signal(number, signal.SIG_IGN)


def let_pass(meant: int) -> None:
    """From now on this process lets pass what is for the worker.

    The descriptor `meant` becomes readable when a SIGTERM is for this process: its supervisor ends it. Handlers, unlike
    signals that are ignored, are not passed on to the programs that this process starts; its forks lose them again, so
    that multiprocessing can end its children.
    """

    def pass_on(number: int, _: object) -> None:
        if number == signal.SIGTERM and _readable(meant):
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def as_usual() -> None:
        for number in FOR_THE_WORKER:
            if signal.getsignal(number) is pass_on:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    for number in FOR_THE_WORKER:
        signal.signal(number, pass_on)
    _change_in_forks(as_usual)


def _change_in_forks(change: Callable[[], None]) -> None:
    """Calls `change` in each fork of this process; a signal that is sent to the fork before that waits for it."""
    masks = threading.local()

    def hold_back() -> None:
        masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_WORKER)

    def let_through() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.before)

    def begin() -> None:
        change()
        let_through()

    os.register_at_fork(before=hold_back, after_in_parent=let_through, after_in_child=begin)


def hear_as_usual() -> None:
    """Signals do what they do to any program."""
    for number in FOR_THE_WORKER:
        signal.signal(number, signal.SIG_DFL)


def _readable(descriptor: int) -> bool:
    try:
        return bool(select.select([descriptor], [], [], 0)[0])
    except (OSError, ValueError):
        return True
