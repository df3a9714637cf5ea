"""Ends the training when the worker itself was killed: a small process that outlives it for a moment.

The worker writes `+<process group>` and `-<process group>` lines to the guard's standard input. When that closes,
the guard kills the groups that are left, whole: also what a shell or a training program started itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterable


class Guard:
    """The worker's handle on its guard process."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Starts the guard process, out of reach of the terminal's signals."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            __name__,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """The process group dies with this worker."""
        self._write(f"+{group}\n")

    def forget(self, group: int) -> None:
        """The process group is gone."""
        self._write(f"-{group}\n")

    async def stop(self) -> None:
        """Ends the guard, and with it whatever is still watched."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()

    def _write(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None and self._process.returncode is None:
            self._process.stdin.write(line.encode())


def survivors(lines: Iterable[str]) -> set[int]:
    """The process groups that were named and not taken back."""
    groups: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    return groups


def main() -> None:
    """Waits for standard input to close, then kills what is left."""
    for caught in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(caught, signal.SIG_IGN)
    for group in survivors(sys.stdin):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
