"""Threads for what may hang."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from rungmaster.shared.idle_threads import IdleThreads

HANGING = """
import asyncio, threading
from rungmaster.shared.idle_threads import IdleThreads

async def story():
    threads = IdleThreads(1, "test")
    task = asyncio.create_task(threads.run(threading.Event().wait))
    await asyncio.sleep(0)
    task.cancel()
    threads.close()

asyncio.run(story())
"""


def test_a_program_ends_although_a_call_hangs() -> None:
    assert subprocess.run([sys.executable, "-P", "-c", HANGING], timeout=40, check=False).returncode == 0


HANGING_ALONE = """
import asyncio, threading
from rungmaster.shared.idle_threads import in_thread

async def story():
    assert await in_thread(divmod, 7, 2) == (3, 1)
    in_thread(threading.Event().wait)

asyncio.run(story())
"""


def test_a_program_ends_although_a_thread_of_its_own_hangs() -> None:
    assert subprocess.run([sys.executable, "-P", "-c", HANGING_ALONE], timeout=40, check=False).returncode == 0


def test_calls_give_and_raise_what_they_do_and_those_that_nobody_awaits_any_more_are_not_begun() -> None:
    begun = threading.Event()
    release = threading.Event()

    async def story() -> None:
        threads = IdleThreads(1, "test")
        assert await threads.run(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await threads.run(divmod, 7, 0)
        first = asyncio.create_task(threads.run(release.wait))
        second = asyncio.create_task(threads.run(begun.set))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        release.set()
        assert await first
        threads.close()

    asyncio.run(story())
    assert not begun.is_set()
