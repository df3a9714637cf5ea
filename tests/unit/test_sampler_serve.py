"""The loop of sampler programs in Python."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from rungmaster.sampler.serve import serve
from rungmaster.shared.sampling.protocol import (
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
)

START = Start(1, 0, "loss", "minimize", {"parameters": []}, (1, 3))


class Recorder:
    """Suggests numbers, and remembers what it was told."""

    name = "recorder"

    def __init__(self, most: int = 99) -> None:
        self.heard: list[Any] = []
        self._most = most

    def start(self, start: Start) -> None:
        self.heard.append(start)

    def tell(self, result: TrialResult) -> None:
        self.heard.append(result)

    def suggest(self, count: int, pending: Sequence[Pending]) -> Iterable[tuple[dict[str, Any], str]]:
        self.heard.append((count, pending))
        for number in range(self._most):
            if number == 3:
                raise ValueError("three is too many")
            yield {"a": number}, f"the {number}th"


def talk(sampler: Any, *messages: Message) -> list[Message]:
    out = io.BytesIO()
    serve(sampler, map(encode, messages), out)
    return list(map(decode, out.getvalue().splitlines()))


def test_a_sampler_hears_everything_in_order_and_answers_each_ask() -> None:
    sampler, result, pending = Recorder(), TrialResult(1, {"a": 0}, 1, 0.5), (Pending({"a": 7}, 2),)
    answers = talk(sampler, START, result, Ask(4, 2, pending), result, Ask(5, 1))
    assert sampler.heard == [START, result, (2, pending), result, (1, ())]
    suggested = [(4, 0), (4, 1), (5, 0)]
    assert answers == [Ready("recorder"), *(Suggestion(ask, {"a": n}, f"the {n}th") for ask, n in suggested)]


def test_what_a_sampler_raises_is_told_after_what_it_suggested_and_it_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers = talk(Recorder(), START, Ask(4, 5), Ask(5, 1))
    assert [type(answer) for answer in answers] == [Ready, *[Suggestion] * 3, Failure, Suggestion]
    assert answers[4] == Failure(4, "ValueError: three is too many")
    assert "three is too many" in capsys.readouterr().err


def test_a_sampler_that_gives_less_than_was_asked_for_says_so() -> None:
    answers = talk(Recorder(most=1), START, Ask(4, 2))
    assert answers[-1] == Failure(4, "it has no more suggestions: 1 instead of 2")


def test_a_suggestion_that_cannot_be_written_is_a_failure() -> None:
    class Odd(Recorder):
        def suggest(self, count: int, pending: Sequence[Pending]) -> Iterable[tuple[dict[str, Any], str]]:
            return [({"a": float("nan")}, "")]

    (failure,) = talk(Odd(), START, Ask(4, 1))[1:]
    assert isinstance(failure, Failure)
    assert "cannot be written as JSON" in failure.error


def test_without_a_start_nothing_is_done() -> None:
    assert talk(Recorder()) == []
    with pytest.raises(ProtocolError, match="first message must be the start, got ask"):
        talk(Recorder(), Ask(1, 1))
    with pytest.raises(ProtocolError, match="a host never says ready here"):
        talk(Recorder(), START, Ready("host"))


NOISY = """
import os, subprocess, sys
from rungmaster.sampler.serve import main

class Noisy:
    name = "noisy"
    def start(self, start):
        print("a print")
        os.write(1, b"a write\\n")
        subprocess.run(["echo", "a child"])
        self.read = sys.stdin.read() + subprocess.run(["cat"], capture_output=True, text=True).stdout
    def tell(self, result): pass
    def suggest(self, count, pending):
        print("before")
        yield {"read": self.read}, ""

print("before the loop, to stdout", file=sys.stderr)
main(Noisy)
"""


def program(code: str, lines: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-P", "-c", code], input=lines, capture_output=True, timeout=60, check=False)


def test_nothing_that_a_library_prints_or_reads_gets_among_the_messages() -> None:
    done = program(NOISY, encode(START) + encode(Ask(1, 1)))
    assert done.returncode == 0, done.stderr
    assert list(map(decode, done.stdout.splitlines())) == [Ready("noisy"), Suggestion(1, {"read": ""})]
    assert {"a print", "a write", "a child", "before"} <= set(done.stderr.decode().splitlines())


def test_a_program_ends_with_its_host_and_complains_in_one_line_of_another() -> None:
    assert program(NOISY, b"").returncode == 0
    done = program(NOISY, encode(START).replace(b'"protocol":1', b'"protocol":9'))
    assert done.returncode == 1
    told = done.stderr.decode().splitlines()[-1]
    assert told.startswith("this is no host that is understood here: start.protocol: must be 1")


def test_a_program_whose_host_no_longer_reads_ends_quietly() -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", NOISY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin
    assert process.stdout
    process.stdout.close()
    process.stdin.write(encode(START))
    process.stdin.close()
    assert process.wait(60) == 0
