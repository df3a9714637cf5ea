"""The loop of a sampler program in Python: reads the host's messages, calls a Sampler, writes its suggestions.

It runs in the sampler's own environment, so it needs the standard library and `shared/sampling/protocol.py` alone.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO, Protocol

from ..shared.sampling.protocol import (
    Ask,
    Failure,
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

Suggested = tuple[dict[str, Any], str]
"""Hyperparameters, and a note for people, which may be empty."""


class Sampler(Protocol):
    """What a sampler in Python is. All calls come one after the other, from one thread."""

    #: What it calls itself, such as `optuna TPESampler`; asked once it has started.
    name: str

    def start(self, start: Start) -> None:
        """What is searched; called once, before everything else. Whatever it raises ends the program."""

    def tell(self, result: TrialResult) -> None:
        """A result; the same trial may have several, of ascending resources."""

    def suggest(self, count: int, pending: Sequence[Pending]) -> Iterable[Suggested]:
        """So many suggestions, each sent as soon as it is there. What it raises is told to the host, which goes on."""
        ...


def main(make: Callable[[], Sampler]) -> None:
    """Serves a sampler over this process's standard input and output, and ends the process.

    `make` is called when nothing that a library prints can get among the messages: heavy imports belong there, or into
    the sampler's `start`.
    """
    lines, out = _own_pipes()
    try:
        serve(make(), lines, out)
    except BrokenPipeError:
        # The host is gone: nobody is left to tell.
        sys.exit(0)
    except ProtocolError as error:
        sys.exit(f"this is no host that is understood here: {error}")


def serve(sampler: Sampler, lines: Iterable[bytes], out: BinaryIO) -> None:
    """Answers a host's lines until they end. Raises ProtocolError for a line that is no message for a program."""
    messages = map(decode, lines)
    start = next(messages, None)
    if start is None:
        return
    if not isinstance(start, Start):
        raise ProtocolError(f"the first message must be the start, got {kind_of(start)}")
    sampler.start(start)
    _write(out, encode(Ready(sampler.name)))
    for message in messages:
        if isinstance(message, TrialResult):
            sampler.tell(message)
        elif isinstance(message, Ask):
            for answer in _answers(sampler, message):
                _write(out, answer)
        else:
            raise ProtocolError(f"a host never says {kind_of(message)} here")


def _answers(sampler: Sampler, ask: Ask) -> Iterator[bytes]:
    given = 0
    try:
        for hyperparameters, note in islice(sampler.suggest(ask.count, ask.pending), ask.count):
            yield encode(Suggestion(ask.id, hyperparameters, note))
            given += 1
    except Exception as error:  # noqa: BLE001 - a model may fail in any way; the host must hear of it
        traceback.print_exc()
        yield encode(Failure(ask.id, f"{type(error).__name__}: {error}"))
        return
    if given < ask.count:
        yield encode(Failure(ask.id, f"it has no more suggestions: {given} instead of {ask.count}"))


def _write(out: BinaryIO, line: bytes) -> None:
    out.write(line)
    out.flush()


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes of the host, for this loop alone: what else reads finds nothing, and what else prints goes to stderr,
    from Python, from C, or from a process that a library starts."""
    sys.stdout.flush()
    lines, out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return lines, out
