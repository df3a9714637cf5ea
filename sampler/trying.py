"""Talks with a sampler program for a person who wants to see it at work: `rungmaster sampler try`."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Self, TypeVar

from ..shared.errors import FailedPrecondition
from ..shared.sampling.programs import Command
from ..shared.sampling.protocol import (
    MAX_LINE,
    Ask,
    Failure,
    Message,
    Pending,
    ProtocolError,
    Ready,
    Start,
    Suggestion,
    decode,
    encode,
)

#: Lines of what the program told people that are shown where it failed.
_SHOWN_LINES = 20
_GIB = 2**30

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Answer:
    """One suggestion, and how many seconds it took."""

    hyperparameters: dict[str, Any]
    note: str
    took_s: float


class Conversation:
    """A sampler program that runs under its guard. All errors are FailedPrecondition, with what it told people last."""

    def __init__(self, process: subprocess.Popen[bytes], told: IO[bytes]) -> None:
        self._process, self._told = process, told
        self._asks = 0

    @classmethod
    @contextmanager
    def of(cls, command: Command, memory_gib: float) -> Iterator[Self]:
        """Starts the program, and ends it with all that it started."""
        lifeline, held = os.pipe()
        with tempfile.TemporaryFile() as told:
            process = subprocess.Popen(  # noqa: S603 - running the operator's program is the purpose
                command.guarded(int(memory_gib * _GIB), lifeline),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=told,
                pass_fds=[lifeline],
                env=dict(command.environment),
            )
            os.close(lifeline)
            try:
                with process:
                    try:
                        yield cls(process, told)
                    finally:
                        os.close(held)
            except BrokenPipeError:
                pass

    def start(self, start: Start) -> tuple[str, float]:
        """What it calls itself, and how many seconds it took to be ready."""
        began = time.monotonic()
        self.say(start)
        return self._hear(Ready).name, time.monotonic() - began

    def say(self, *messages: Message) -> None:
        """Tells it something."""
        assert self._process.stdin
        try:
            self._process.stdin.write(b"".join(map(encode, messages)))
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._broken("it has ended") from None

    def ask(self, count: int, pending: tuple[Pending, ...]) -> Iterator[Answer]:
        """So many suggestions, as they come."""
        self._asks += 1
        began = time.monotonic()
        self.say(Ask(self._asks, count, pending))
        for _ in range(count):
            suggestion = self._hear(Suggestion)
            now = time.monotonic()
            yield Answer(suggestion.hyperparameters, suggestion.note, now - began)
            began = now

    def _hear(self, wanted: type[M]) -> M:
        assert self._process.stdout
        line = self._process.stdout.readline(MAX_LINE)
        if not line:
            raise self._broken("it has ended")
        try:
            message = decode(line)
        except ProtocolError as error:
            raise self._broken(f"what it said {error}" if str(error).startswith("is ") else str(error)) from None
        if isinstance(message, Failure):
            raise self._broken(message.error)
        if not isinstance(message, wanted):
            raise self._broken(f"it said {type(message).__name__.lower()} instead of {wanted.__name__.lower()}")
        return message

    def _broken(self, why: str) -> FailedPrecondition:
        if why == "it has ended":
            why = f"it ended with {self._process.wait()}"
        self._told.seek(0)
        lines = self._told.read().decode(errors="replace").splitlines()[-_SHOWN_LINES:]
        return FailedPrecondition("\n".join([f"the sampler does not work: {why}", *lines]))
