"""Completion: what real shells make of it once one command has installed it, quickly, and without a master as well."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rungmaster.client.cli.installing import MARK, Places, detected, script_for
from rungmaster.client.cli.main import COMMANDS, cli, execute
from rungmaster.shared.errors import InvalidInput
from rungmaster.shared.wire.model import ExperimentState

from .small_master import SmallMaster, experiment
from .test_client import unused_address
from .test_terminal import Terminal

SHELLS = {"bash": ["bash", "--noprofile", "-i"], "zsh": ["zsh", "-i"], "fish": ["fish", "-i"]}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a user who works in it; no master is named."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR", "RUNGMASTER_MASTER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def database(home: Path) -> Path:
    """What completion reads of a database, in the columns that docs/ledger.md names."""
    file = home / "rungmaster.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE experiments (experiment_id INTEGER, name TEXT, state TEXT)")
        connection.executemany(
            "INSERT INTO experiments VALUES (?, ?, ?)", [(7, "digits", "completed"), (12, "bad\x1b[2J", "active")]
        )
    connection.close()
    return file


def completed(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """What zsh is given for the last of these words, with the help of each."""
    environment = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment, "_RUNGMASTER_COMPLETE": "zsh_complete"}.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit):
            cli.main([], prog_name="rungmaster")
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    return [f"{value} {help_}" for value, help_ in zip(lines[1::3], lines[2::3], strict=True)]


def test_commands_come_with_their_help_and_none_is_imported(capsys: pytest.CaptureFixture[str]) -> None:
    assert completed(capsys, "rungmaster", "") == [f"{name} {about}" for name, (_, about) in COMMANDS.items()]
    code = "import os; from rungmaster.client.cli.main import cli; cli.main([], prog_name='rungmaster')"
    environment = {
        **os.environ,
        "_RUNGMASTER_COMPLETE": "bash_complete",
        "COMP_WORDS": "rungmaster ",
        "COMP_CWORD": "1",
    }
    program = (
        f"import atexit, sys; atexit.register(lambda: print('grpc' in sys.modules, 'rich' in sys.modules)); {code}"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"


def test_options_and_their_values_are_completed(capsys: pytest.CaptureFixture[str]) -> None:
    assert [each.split()[0] for each in completed(capsys, "rungmaster", "best", "--f")] == ["--format"]
    values = [each.split()[0] for each in completed(capsys, "rungmaster", "best", "--format", "")]
    assert values == ["text", "yaml", "json", "env", "args"]


def test_ids_come_from_the_database_in_this_folder(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.read_bytes() for path in database.parent.iterdir()}
    assert completed(capsys, "rungmaster", "status", "") == [r"12 bad\x1b[2J, active", "7 digits, completed"]
    assert completed(capsys, "rungmaster", "watch", "1") == [r"12 bad\x1b[2J, active"]
    assert {path.name: path.read_bytes() for path in database.parent.iterdir()} == before
    other = database.rename(database.with_name("other.db"))
    assert completed(capsys, "rungmaster", "status", "--db", str(other), "7") == ["7 digits, completed"]


def test_ids_come_from_the_master_that_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    master = SmallMaster().start()
    master.experiments = {1: experiment(1), 2: replace(experiment(2), state=ExperimentState.PAUSED)}
    try:
        named = ("--master", master.address)
        assert completed(capsys, "rungmaster", "best", *named, "") == ["2 search-2, paused", "1 search-1, active"]
    finally:
        master.stop()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--master", "{unused}"),
        ("--master", "not an address:x"),
        ("--db", "{home}/nothing.db"),
        ("--db", "{home}/garbage.db"),
        ("--db", "postgresql://nobody@nowhere/x"),
    ],
)
def test_where_nobody_tells_there_is_silence(
    home: Path, arguments: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "garbage.db").write_bytes(b"no database")
    given = [each.format(unused=unused_address(), home=home).replace(" ", "") for each in arguments]
    assert completed(capsys, "rungmaster", "status", *given, "") == []
    assert not (home / "nothing.db").exists()


def test_a_master_that_hangs_holds_nobody_up(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    master = SmallMaster().start()
    master.experiments = {1: experiment(1)}
    master.delay = 3.0
    try:
        assert completed(capsys, "rungmaster", "status", "--master", master.address, "") == []
        assert master.calls["list"] == 1
    finally:
        master.stop()


@pytest.mark.parametrize("shell", SHELLS)
def test_one_command_installs_it_and_again_changes_nothing(
    home: Path, shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = Places.of(shell).own
    if own is not None:
        own.write_text("export MINE=1")
    assert execute(["completion", "install", shell]) == 0
    assert f"wrote {Places.of(shell).script}\n" in capsys.readouterr().out
    before = {path: path.read_text() for path in home.rglob("*") if path.is_file()}
    assert own is None or before[own] == f"export MINE=1\n{Places.of(shell).line}\n"
    assert execute(["completion", "install", shell]) == 0
    assert f"{shell} has it already" in capsys.readouterr().out
    assert {path: path.read_text() for path in home.rglob("*") if path.is_file()} == before
    assert execute(["completion", "remove", shell]) == 0
    assert [path for path in home.rglob("*") if path.is_file() and MARK in path.read_text()] == []
    assert not Places.of(shell).script.exists()
    assert own is None or own.read_text() == "export MINE=1\n"
    capsys.readouterr()
    assert execute(["completion", "remove", shell]) == 0
    assert capsys.readouterr().out == f"{shell} does not have it\n"


def test_it_can_be_looked_at_first(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["completion", "install", "bash", "--print"]) == 0
    assert capsys.readouterr().out.rstrip() == script_for("bash", cli).rstrip()
    assert list(home.iterdir()) == []


def test_the_shell_is_found_out() -> None:
    nobody = 2**22 + 1
    assert detected({"SHELL": "/usr/bin/zsh"}, nobody) == "zsh"
    with pytest.raises(InvalidInput, match=r"Name it: rungmaster completion install bash\|zsh\|fish"):
        detected({"SHELL": "/bin/tcsh"}, nobody)
    with subprocess.Popen([*SHELLS["bash"][:1], "-c", "echo ready; read line"], stdin=-1, stdout=-1) as typed_into:
        assert typed_into.stdout is not None
        typed_into.stdout.readline()
        assert detected({"SHELL": "/bin/fish"}, typed_into.pid) == "bash"
        typed_into.kill()


@pytest.fixture
def typed(home: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """A terminal with a shell in which it is installed."""
    shell = request.param
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    assert execute(["completion", "install", shell]) == 0
    terminal = Terminal(100, 30)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"HOME": str(home), "PATH": path, "TERM": "xterm", "LANG": "C.UTF-8", "PS1": "> "}
    tty = terminal.theirs
    process = subprocess.Popen(
        SHELLS[shell],
        env=environment,
        cwd=home,
        stdin=tty,
        stdout=tty,
        stderr=tty,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    terminal.type("echo rea''dy\r")
    terminal.shows("ready")
    yield terminal
    process.kill()
    process.wait()


@pytest.mark.parametrize("typed", SHELLS, indirect=True)
def test_a_real_shell_completes(typed: Terminal, database: Path) -> None:
    typed.type("rungmaster chec\t")
    typed.shows("rungmaster checkpoint")
    typed.type("\x15rungmaster best --form\t")
    typed.shows("best --format")
    typed.type("\x15rungmaster status 7\t")
    typed.type("--js\t")
    typed.shows("status 7 --json")
