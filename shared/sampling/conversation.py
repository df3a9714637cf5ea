"""A talk with one sampler program for those who may wait for it: `sampler try` and `drive`. A master never does."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from ..errors import RungmasterError
from .programs import Command
from .protocol import Ask, Failure, Message, Pending, ProtocolError, Ready, Result, Start, Suggestion, decode, encode

#: Seconds that a program may take to import what it needs.
START_S = 120.0


class SamplerBroken(RungmasterError):
    """The program has ended, or what it says is not understood; the text is one line for people."""


class Conversation:
    """One program, from its start to its end; to be used by one thread. What it writes to stderr, people see."""

    def __init__(self, command: Command, memory_bytes: int) -> None:
        """Starts it under a guard. Raises OSError where it cannot be started."""
        theirs, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the catalogue's command
                command.guarded(memory_bytes, theirs),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=dict(command.environment),
                pass_fds=(theirs,),
            )
        finally:
            os.close(theirs)
        self._heard: SimpleQueue[Message | SamplerBroken] = SimpleQueue()
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
            raise SamplerBroken(f"the sampler was not ready after {patience_s:g} s")
        if not isinstance(answer, Ready):
            raise SamplerBroken(f"the sampler must say that it is ready first, and said {_kind(answer)}")
        return answer

    def tell(self, result: Result) -> None:
        """A result; nobody waits until it is read."""
        self._to_say.put(encode(result))

    def ask(self, count: int, pending: Sequence[Pending], patience_s: float) -> list[Suggestion | Failure]:
        """So many suggestions, or what came within `patience_s` seconds, or before it failed. Raises SamplerBroken."""
        self._asks += 1
        self._to_say.put(encode(Ask(self._asks, count, tuple(pending))))
        until, answers = time.monotonic() + patience_s, list[Suggestion | Failure]()
        while len(answers) < count and not (answers and isinstance(answers[-1], Failure)):
            answer = self._hear(until)
            if answer is None:
                break
            if not isinstance(answer, Suggestion | Failure):
                raise SamplerBroken(f"the sampler must answer with suggestions, and said {_kind(answer)}")
            if answer.ask == self._asks:
                # What answers an earlier ask comes too late.
                answers.append(answer)
        return answers

    def close(self) -> None:
        """Ends it with all that it has started."""
        self._to_say.put(None)
        os.close(self._lifeline)
        self._process.wait()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _hear(self, until: float) -> Message | None:
        try:
            heard = self._heard.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            return None
        if isinstance(heard, SamplerBroken):
            # Whoever asks again hears it again.
            self._heard.put(heard)
            raise heard
        return heard

    def _listen(self) -> None:
        """In a thread: what it says, as it comes."""
        assert self._process.stdout is not None
        try:
            with self._process.stdout as lines:
                for line in lines:
                    self._heard.put(decode(line))
        except ProtocolError as error:
            self._heard.put(SamplerBroken(f"what the sampler said is not understood: {error}"))
            return
        code = self._process.wait()
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self._heard.put(SamplerBroken(f"the sampler {how}"))

    def _speak(self) -> None:
        """In a thread: a program that reads nothing holds up nobody else."""
        assert self._process.stdin is not None
        # Where it has ended, the listening thread tells.
        with contextlib.suppress(OSError), self._process.stdin as pipe:
            while (line := self._to_say.get()) is not None:
                pipe.write(line)
                pipe.flush()


def _kind(message: Message) -> str:
    return type(message).__name__.lower()
