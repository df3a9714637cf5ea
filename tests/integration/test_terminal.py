"""What stays on a person's terminal, a real one of any size, while a search runs and after Ctrl-C."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .test_client_run import spec

TRAINING = """
import os
import time

def train(trial):
    for step in trial.steps():
        if not os.path.exists("end"):
            time.sleep(0.1)
        trial.report(error=trial.hparams["x"] + 1 / (step + 1))
"""

_PART = re.compile(r"\x1b\[(\d*)([A-Z])|\x1b\[[?\d;]*[a-z]|([\r\n])|([^\x1b\r\n]+)")


class Terminal:
    """A terminal of this size, with what a person sees on it, and what has scrolled away above."""

    def __init__(self, columns: int, rows: int) -> None:
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._written = b""

    def shows(self, *words: str, seconds: float = 60.0) -> None:
        """Waits until all of this is to be seen."""
        deadline = time.monotonic() + seconds
        while not all(word in self.text() for word in words):
            assert time.monotonic() < deadline, self.text()
            self.read(0.1)

    def read(self, seconds: float) -> None:
        """Takes in what is written, for as long as something is."""
        while select.select([self.ours], [], [], seconds)[0]:
            self._written += os.read(self.ours, 65536)

    def text(self) -> str:
        """The lines, with what was erased or written over gone. Words that were broken at the edge are one again."""
        lines, row = [""], 0
        for part in _PART.finditer(self._written.decode(errors="replace")):
            count, command, ending, words = part.groups()
            if command == "A":
                row -= int(count or 1)
            elif command == "K":
                lines[row] = ""
            elif ending == "\n":
                row += 1
                lines += [""] * (row == len(lines))
            elif words:
                lines[row] += words
        return "\n".join(lines)


@contextmanager
def rungmaster(terminal: Terminal, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command on this terminal."""
    ours = dict.fromkeys(("COLUMNS", "LINES", "RUNGMASTER_MASTER", "NO_COLOR"))
    environment = {name: value for name, value in os.environ.items() if name not in ours} | {"TERM": "xterm"}
    command = [sys.executable, "-P", "-m", "rungmaster.client.cli.main", *arguments]
    tty = terminal.theirs
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=tty, stdout=tty, stderr=tty)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A search that ends once there is a file `end`, of which a trial shows a result every tenth of a second."""
    (tmp_path / "toy.py").write_text(TRAINING)
    searcher = {"name": "asha", "max_trials": 4, "max_resource": 10_000, "divisor": 100, "max_rungs": 2}
    (tmp_path / "spec.json").write_text(json.dumps(spec(searcher=searcher)))
    return tmp_path


@pytest.mark.parametrize(("columns", "rows"), [(40, 24), (60, 24), (100, 24), (40, 12)])
def test_the_best_is_seen_while_it_runs_and_stays_after_control_c(folder: Path, columns: int, rows: int) -> None:
    terminal = Terminal(columns, rows)
    with rungmaster(terminal, folder, "run", "spec.json", "--workers", "1") as run:
        terminal.shows("best error", " units)", "x  0.")
        run.send_signal(signal.SIGINT)
        terminal.shows("rungmaster run spec.json --workers 1")
        assert run.wait(60) == 130
        terminal.read(0.2)
    seen = terminal.text()
    assert "…" not in seen
    for words in ("experiment 1 (toy) active", "of 4 trials", "best error", " units)", "x  0."):
        assert words in seen
    assert ("bracket" in seen) == (rows > 12)


def test_what_was_watched_stays_after_control_c(folder: Path) -> None:
    terminal, other = Terminal(80, 24), Terminal(80, 24)
    with rungmaster(other, folder, "run", "spec.json", "--workers", "1") as run:
        other.shows("best error")
        with rungmaster(terminal, folder, "watch") as watch:
            terminal.shows("best error")
            watch.send_signal(signal.SIGINT)
            assert watch.wait(60) == 130
            terminal.shows("no longer watching", "best error")
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130


def test_at_the_end_the_result_takes_the_place_of_the_picture(folder: Path) -> None:
    (folder / "end").touch()
    terminal = Terminal(80, 24)
    with rungmaster(terminal, folder, "run", "spec.json", "--workers", "1") as run:
        terminal.shows("(toy) completed", "best error")
        assert run.wait(60) == 0
        terminal.read(0.2)
    assert terminal.text().count("bracket  rung") == 1
    assert "active" not in terminal.text()
