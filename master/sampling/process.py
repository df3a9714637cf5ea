"""One sampler program as a process under its guard: its messages, the end of its stderr, its end.

Whatever the program does, the process costs the master little: what it writes is bounded, and it ends with the guard.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator

from ...shared.sampling.programs import Command
from ...shared.sampling.protocol import MAX_LINE, Message, ProtocolError, decode

#: Bytes of a program's stderr that are kept, from its end.
STDERR_KEPT = 4096
#: What is read of it at once, and how long it then has to wait where that was all that fits: a flood costs little.
STDERR_CHUNK, STDERR_PAUSE_S = 65536, 0.02
#: Seconds that a program has to end by itself once its stdin is closed.
END_PATIENCE_S = 1.0


class ProgramBroken(Exception):
    """A program has ended, or said what is no message; the text says it for people."""


class SamplerProcess:
    """A program that runs. `started` is the only way to one."""

    def __init__(self, process: Process, lifeline: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._lifeline = process, lifeline
        self._in, self._out = process.stdin, process.stdout
        self._tail = b""
        self._reading_stderr = asyncio.create_task(self._keep_stderr())

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, command: Command, memory_bytes: int) -> AsyncIterator[SamplerProcess]:
        """The program for as long as the context lasts; then it has ended, with all that it started."""
        lifeline, held = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *command.guarded(memory_bytes, lifeline),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env=dict(command.environment),
                pass_fds=(lifeline,),
                start_new_session=True,
                limit=MAX_LINE,
            )
        except BaseException as error:
            os.close(held)
            if isinstance(error, OSError):
                raise ProgramBroken(f"it cannot be started: {error}") from error
            raise
        finally:
            os.close(lifeline)
        running = cls(process, held)
        try:
            yield running
        finally:
            await asyncio.shield(asyncio.ensure_future(running._end()))

    @property
    def pid(self) -> int:
        """That of its guard."""
        return self._process.pid

    @property
    def stderr(self) -> str:
        """The end of what it wrote there, in whole lines where there are any."""
        tail = self._tail[-STDERR_KEPT:]
        if len(self._tail) > STDERR_KEPT:
            tail = tail.partition(b"\n")[2] or tail
        return tail.decode(errors="replace").strip()

    async def send(self, lines: bytes) -> None:
        """Writes lines to it; waits while it does not read. Raises ProgramBroken where it has ended."""
        try:
            self._in.write(lines)
            await self._in.drain()
        except (ConnectionError, RuntimeError):
            raise ProgramBroken(await self._how_it_ended()) from None

    async def read(self) -> Message:
        """Its next message. Raises ProgramBroken where there is none."""
        try:
            line = await self._out.readuntil()
        except asyncio.IncompleteReadError as rest:
            if rest.partial:
                raise ProgramBroken("its last line has no end") from None
            raise ProgramBroken(await self._how_it_ended()) from None
        except asyncio.LimitOverrunError:
            raise ProgramBroken(f"it wrote a line of more than {MAX_LINE:,} bytes") from None
        try:
            return decode(line)
        except ProtocolError as error:
            raise ProgramBroken(f"it wrote what is no message: {error}") from None

    async def _how_it_ended(self) -> str:
        """Once its stdout has ended; a moment for the rest of its stderr."""
        try:
            async with asyncio.timeout(END_PATIENCE_S):
                code = await self._process.wait()
                await self._reading_stderr
        except TimeoutError:
            return "it closed its stdout"
        if code >= 0:
            return f"it exited with {code}"
        return f"it was ended by {signal.Signals(-code).name}"

    async def _keep_stderr(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        while chunk := await stderr.read(STDERR_CHUNK):
            self._tail = (self._tail + chunk)[-2 * STDERR_KEPT :]
            if len(chunk) >= STDERR_CHUNK // 2:
                await asyncio.sleep(STDERR_PAUSE_S)

    async def _end(self) -> None:
        """Lets it end by itself, or has its guard end it."""
        self._in.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), END_PATIENCE_S)
        os.close(self._lifeline)
        await self._process.wait()
        self._reading_stderr.cancel()
        await asyncio.gather(self._reading_stderr, return_exceptions=True)
