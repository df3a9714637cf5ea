"""What stays on a person's terminal, a real one of any size, while a search runs and after Ctrl-C."""

from __future__ import annotations

import fcntl
import json
import os
import pty
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

import pyte
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


class Terminal:
    """A terminal of this size, with what a person sees on it."""

    def __init__(self, columns: int, rows: int) -> None:
        self.ours, self.theirs = pty.openpty()
        self.screen = pyte.HistoryScreen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""
        self._size(columns, rows)

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """Makes the window another size; what is in it stays where it is, cut off where it is smaller."""
        self.screen.resize(rows, columns)
        self._size(columns, rows)

    def type(self, keys: str) -> None:
        """Presses keys."""
        os.write(self.ours, keys.encode())

    def shows(self, *words: str, seconds: float = 60.0) -> None:
        """Waits until all of this is to be seen."""
        deadline = time.monotonic() + seconds
        while not all(word in self.text() for word in words):
            assert time.monotonic() < deadline, self.text()
            self.read(0.1)

    def read(self, seconds: float) -> None:
        """Takes in what is written, for as long as something is."""
        while select.select([self.ours], [], [], seconds)[0]:
            written = os.read(self.ours, 65536)
            self.written += written
            self._stream.feed(written)

    def text(self) -> str:
        """The lines on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def text_above(self) -> str:
        """The lines that have scrolled away."""
        lines = (line[column].data for line in self.screen.history.top for column in range(self.screen.columns))
        return "".join(lines)


@contextmanager
def rungmaster(
    terminal: Terminal, folder: Path, *arguments: str, **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The command on this terminal."""
    ours = dict.fromkeys(("COLUMNS", "LINES", "RUNGMASTER_MASTER", "NO_COLOR", "LANG", "LC_ALL", "LC_CTYPE"))
    environment = {name: value for name, value in os.environ.items() if name not in ours} | {"TERM": "xterm"}
    command = [sys.executable, "-P", "-m", "rungmaster.client.cli.main", *arguments]
    tty = terminal.theirs
    environment |= variables
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


@pytest.mark.parametrize(("columns", "rows"), [(40, 24), (60, 24), (160, 24), (40, 12)])
def test_the_best_is_seen_while_it_runs_and_stays_after_control_c(folder: Path, columns: int, rows: int) -> None:
    terminal = Terminal(columns, rows)
    with rungmaster(terminal, folder, "run", "spec.json", "--workers", "1") as run:
        terminal.shows("best error", " units)", "x 0.")
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130
        terminal.read(0.2)
    seen = terminal.text_above() + terminal.text()
    for words in ("experiment 1 (toy) active", "of 4", "best error", " units)", "x 0."):
        assert words in seen
    assert "bracket" in seen or rows == 12
    assert not terminal.screen.cursor.hidden
    assert "the search is kept" in seen


def test_what_was_watched_stays_after_control_c(folder: Path) -> None:
    terminal, other = Terminal(80, 24), Terminal(80, 24)
    with rungmaster(other, folder, "run", "spec.json", "--workers", "1") as run:
        other.shows("best error")
        with rungmaster(terminal, folder, "watch") as watch:
            terminal.shows("best error", "units/s", "left", "1 of 1 slots in use")
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


def test_a_window_that_changes_its_size_has_one_whole_picture(folder: Path) -> None:
    terminal = Terminal(100, 30)
    with rungmaster(terminal, folder, "run", "spec.json", "--workers", "1") as run:
        terminal.shows("best error", "x 0.")
        for columns, rows in ((50, 30), (90, 20), (40, 16)):
            cleared = terminal.written.count(b"\x1b[2J")
            terminal.resize(columns, rows)
            while columns != 90 and terminal.written.count(b"\x1b[2J") == cleared:
                terminal.read(0.1)
            terminal.shows("experiment 1 (toy) begins", "best error", "x 0.")
            terminal.read(0.3)
            assert terminal.text().count("(toy) active") == 1, terminal.text()
            assert terminal.text().count("best error 0") == 1, terminal.text()
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130


@pytest.mark.parametrize(("variable", "value"), [("TERM", "dumb"), ("TERM", "")])
def test_a_terminal_that_cannot_draw_gets_plain_lines(folder: Path, variable: str, value: str) -> None:
    terminal = Terminal(200, 24)
    with rungmaster(terminal, folder, "run", "spec.json", "--workers", "1", **{variable: value}) as run:
        terminal.shows("[0:00] ", "of 4 trials", "best error")
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130
    assert b"\x1b" not in terminal.written


def test_without_colours_and_without_utf_8_it_is_drawn_in_ascii(folder: Path) -> None:
    terminal = Terminal(80, 24)
    plain = {"NO_COLOR": "1", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    with rungmaster(terminal, folder, "run", "spec.json", "--workers", "1", **plain) as run:
        terminal.shows("best error", "x 0.", "slots    ####")
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130
        terminal.read(0.2)
    assert terminal.written.isascii()
    assert b"\x1b[3" not in terminal.written, "no colour was set"
