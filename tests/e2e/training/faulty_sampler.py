"""A sampler program for tests, with the fault that its option `fault` names; the standard library is all it needs.

Option `folder`: where it writes its process id and what it was told, and where the file `go` lets it answer.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any


def say(**message: Any) -> None:
    print(json.dumps(message), flush=True)


def crash() -> None:
    sys.exit("KeyError: 'the learning rate'")


def flood() -> None:
    def write() -> None:
        while True:
            sys.stderr.write("noise " * 1000)

    threading.Thread(target=write, daemon=True).start()


def eat() -> None:
    food = []
    while True:
        food.append(bytearray(os.urandom(1)) * 2**24)
        time.sleep(0.05)


class Program:
    """Answers at random, or badly."""

    def __init__(self, start: dict[str, Any]) -> None:
        options = start["options"]
        self.fault: str = options["fault"]
        self.folder = Path(options["folder"])
        self.first = not (self.folder / "begun").exists()
        (self.folder / "begun").touch()
        known = {"environment": [*os.environ], "nice": os.nice(0)}
        (self.folder / f"{os.getpid()}.pid").write_text(json.dumps(known))
        if self.fault == "flood":
            flood()

    def take(self, message: dict[str, Any]) -> None:
        with (self.folder / "told").open("a") as told:
            told.write(json.dumps(message | {"process": os.getpid()}) + "\n")
        if message["type"] == "ask":
            self.answer(message["id"], message["count"])

    def answer(self, ask: int, count: int) -> None:
        once = {"crash once": crash, "kill once": lambda: os.kill(os.getpid(), signal.SIGKILL)}
        if self.first and self.fault in once:
            once[self.fault]()
        faults = {
            "crash": crash,
            "hang": lambda: time.sleep(1000),
            "rubbish": lambda: print("I suggest a learning rate of 0.1", flush=True),
            "long line": lambda: print("[" * 2**21, flush=True),
            "too much": lambda: say(type="suggestion", ask=ask + 7, hyperparameters={"quality": 0.5}),
            "eat": eat,
            "slow": lambda: time.sleep(1.0),
            "hold": self.hold,
        }
        if self.fault in faults:
            faults[self.fault]()
        for _ in range(count):
            if self.fault == "failure":
                say(type="failure", ask=ask, error="the model does not converge")
                return
            quality = 7 if self.fault == "outside" else random.random()
            say(type="suggestion", ask=ask, hyperparameters={"quality": quality}, note="at random")

    def hold(self) -> None:
        while not (self.folder / "go").exists():
            time.sleep(0.02)


def main() -> None:
    program = Program(json.loads(sys.stdin.readline()))
    say(type="ready", protocol=1, name="faulty")
    for line in sys.stdin:
        program.take(json.loads(line))


if __name__ == "__main__":
    main()
