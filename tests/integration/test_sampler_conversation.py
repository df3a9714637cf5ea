"""A talk with a sampler program by those who wait for it: real processes, under a guard."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from rungmaster.shared.sampling.conversation import ProgramConversation, SamplerBroken, SamplerFailed
from rungmaster.shared.sampling.programs import Command, scrubbed_environment
from rungmaster.shared.sampling.protocol import Start, Suggestion, TrialResult

START = Start(1, 0, "loss", "minimize", {"parameters": [], "forbidden": []}, (1, 3))

#: Suggests the number of the results that it was told; what its metric says to do, it does.
PROGRAM = """
import json, sys, time
results = 0
for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "start":
        print(json.dumps({"type": "ready", "protocol": 1, "name": "counting"}), flush=True)
    elif message["type"] == "result":
        results += 1
        what = message["hyperparameters"].get("do")
    else:
        what = locals().get("what")
        if what == "exit":
            print("this is the end", file=sys.stderr)
            sys.exit(3)
        if what == "rubbish":
            print("rubbish", flush=True)
        if what == "hang":
            time.sleep(1000)
        if what == "fail":
            print(json.dumps({"type": "failure", "ask": message["id"], "error": "no idea"}), flush=True)
            continue
        for _ in range(message["count"]):
            answer = {"type": "suggestion", "ask": message["id"], "hyperparameters": {"x": results}}
            print(json.dumps(answer), flush=True)
"""


@contextmanager
def talking(folder: Path, program: str = PROGRAM) -> Iterator[ProgramConversation]:
    (folder / "program.py").write_text(program)
    command = Command((sys.executable, "-P", str(folder / "program.py")), scrubbed_environment())
    with ProgramConversation(command, 1) as conversation:
        yield conversation


def told(conversation: ProgramConversation, trial: int, **hyperparameters: str) -> None:
    conversation.tell(TrialResult(trial, hyperparameters, 3, 0.5))


def test_it_is_told_results_and_asked_for_suggestions(tmp_path: Path) -> None:
    with talking(tmp_path) as conversation:
        assert conversation.start(START).name == "counting"
        told(conversation, 0)
        told(conversation, 1)
        assert [*conversation.ask(2, (), 30)] == [Suggestion(1, {"x": 2}), Suggestion(1, {"x": 2})]
        told(conversation, 2, do="fail")
        with pytest.raises(SamplerFailed, match="the sampler failed: no idea"):
            next(conversation.ask(2, (), 30))
        told(conversation, 3)
        assert [*conversation.ask(1, (), 30)] == [Suggestion(3, {"x": 4})]


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("exit", "the sampler is broken: it ended with exit code 3\nthis is the end"),
        ("rubbish", "the sampler is broken: what it said is not understood: is no JSON"),
    ],
)
def test_a_broken_program_is_told_as_often_as_it_is_asked(tmp_path: Path, what: str, why: str) -> None:
    with talking(tmp_path) as conversation:
        conversation.start(START)
        told(conversation, 0, do=what)
        for _ in range(2):
            with pytest.raises(SamplerBroken, match=why):
                next(conversation.ask(1, (), 30))


def test_one_that_does_not_answer_is_waited_for_no_longer_than_wanted_and_leaves_nothing_behind(tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    with talking(tmp_path) as conversation:
        conversation.start(START)
        told(conversation, 0, do="hang")
        began = time.monotonic()
        assert [*conversation.ask(1, (), 0.1)] == []
        assert time.monotonic() - began >= 0.1
    assert set(psutil.Process().children(recursive=True)) == before


def test_one_that_cannot_be_run_is_broken(tmp_path: Path) -> None:
    command = Command((str(tmp_path / "missing"),), scrubbed_environment())
    with (
        ProgramConversation(command, 1) as conversation,
        pytest.raises(SamplerBroken, match="ended with exit code 127"),
    ):
        conversation.start(START)
