"""A talk with one sampler program for those who may wait for it: `sampler try` and `drive`. A master never does."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from ..errors import FailedPrecondition
from .programs import Command
from .protocol import (
    Ask,
    Failure,
    Message,
    Pending,
    ProtocolError,
    Ready,
    Start,
    Suggestion,
    TrialResult,
    decode,
    encode,
    kind_of,
)
from .troubles import broken

#: Seconds that a program may take to import what it needs.
START_S = 120.0
#: What is shown of what a broken program wrote to stderr, from the end.
_SHOWN_LINES, _SHOWN_BYTES = 20, 4096
_GIB = 2**30


class SamplerFailed(FailedPrecondition):
    """The program could not suggest what it was asked for; it may be asked again."""


class SamplerBroken(FailedPrecondition):
    """The program has ended, or what it says is not understood; the text has the end of its stderr."""


class ProgramConversation:
    """One program, from its start to its end; to be used by one thread."""

    def __init__(self, command: Command, memory_gib: float) -> None:
        """Starts it under a guard. Raises OSError where that cannot be started."""
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the conversation
        theirs, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the catalogue's command
                command.guarded(int(memory_gib * _GIB), theirs),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=dict(command.environment),
                pass_fds=(theirs,),
            )
        finally:
            os.close(theirs)
        self._heard: SimpleQueue[Message | str] = SimpleQueue()
        self._to_say: SimpleQueue[bytes | None] = SimpleQueue()
        self._asks = 0
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._speak)]
        for thread in self._threads:
            thread.start()

    def start(self, start: Start, patience_s: float = START_S) -> Ready:
        """Tells it what is searched, and waits until it is ready. Raises SamplerBroken."""
        self._to_say.put(encode(start))
        answer = self._hear(time.monotonic() + patience_s)
        if answer is None:
            raise self._broken(f"it was not ready {patience_s:g} s after its start")
        if not isinstance(answer, Ready):
            raise self._broken(f"it said {kind_of(answer)} before it was ready")
        return answer

    def tell(self, *results: TrialResult) -> None:
        """Results; nobody waits until they are read."""
        for result in results:
            self._to_say.put(encode(result))

    def ask(self, count: int, pending: Sequence[Pending], patience_s: float) -> Iterator[Suggestion]:
        """So many suggestions as they come, or fewer where one takes more than `patience_s` seconds.

        Raises SamplerFailed or SamplerBroken in place of one.
        """
        self._asks += 1
        self._to_say.put(encode(Ask(self._asks, count, tuple(pending))))
        given = 0
        until = time.monotonic() + patience_s
        while given < count and (answer := self._hear(until)) is not None:
            if not isinstance(answer, Suggestion | Failure):
                raise self._broken(f"it said {kind_of(answer)} instead of a suggestion")
            if answer.ask != self._asks:
                # What answers an earlier ask comes too late.
                continue
            if isinstance(answer, Failure):
                raise SamplerFailed(f"the sampler failed: {answer.error}")
            yield answer
            given, until = given + 1, time.monotonic() + patience_s

    def close(self) -> None:
        """Ends it with all that it has started."""
        self._to_say.put(None)
        os.close(self._lifeline)
        self._process.wait()
        for thread in self._threads:
            thread.join()
        self._stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _hear(self, until: float) -> Message | None:
        """What it says next, or None where it says nothing until then."""
        try:
            heard = self._heard.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            return None
        if isinstance(heard, str):
            # Whoever asks again hears it again.
            self._heard.put(heard)
            raise self._broken(heard)
        return heard

    def _broken(self, why: str) -> SamplerBroken:
        self._stderr.seek(max(0, self._stderr.seek(0, os.SEEK_END) - _SHOWN_BYTES))
        lines = self._stderr.read().decode(errors="replace").splitlines()[-_SHOWN_LINES:]
        return SamplerBroken("\n".join([broken(why), *lines]))

    def _listen(self) -> None:
        """In a thread: what it says, as it comes; at last, in words, why nothing more comes."""
        assert self._process.stdout is not None
        try:
            with self._process.stdout as lines:
                for line in lines:
                    self._heard.put(decode(line))
        except ProtocolError as error:
            self._heard.put(f"what it said is not understood: {error}")
            return
        code = self._process.wait()
        self._heard.put(f"it was ended by signal {-code}" if code < 0 else f"it ended with exit code {code}")

    def _speak(self) -> None:
        """In a thread: a program that reads nothing holds up nobody else."""
        assert self._process.stdin is not None
        # Where it has ended, the listening thread tells.
        with contextlib.suppress(OSError), self._process.stdin as pipe:
            while (line := self._to_say.get()) is not None:
                pipe.write(line)
                pipe.flush()
