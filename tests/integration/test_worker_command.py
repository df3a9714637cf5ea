"""Training code in any language: a command, its variables, and JSON lines over the socket."""

from __future__ import annotations

import asyncio
import math
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

from rungmaster.shared.wire.session import Exit, ExitOutcome, Measurement

from .scripted_master import ScriptedMaster, ScriptedTrial, assignment, pause, reference
from .worker_harness import scene, until

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "training-code.md"


def documented(first_line: str) -> str:
    """The example in the documentation that begins with this line."""
    return DOCUMENTATION.read_text().split(f"```python\n{first_line}\n")[1].split("```")[0]


def test_the_documented_client_is_paused_saved_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(documented("# client.py"))
    first = assignment(entrypoint="", command=("python3", "client.py"), target=2)

    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=pause)) as it:
            record = it.master.give(first)
            await until(lambda: record.exit)
            assert record.exit == Exit(ExitOutcome.RELEASED)
            (saved,) = record.saved
            assert in_folder(tmp_path / "checkpoint-2"), "a folder of the program's own is copied, not taken away"
            checkpoints = (reference(saved),)
            second = it.master.give(
                replace(first, lease=first.lease._replace(token=2), checkpoints=checkpoints, target=4)
            )
            await until(lambda: second.exit)
            assert second.resources == [3, 4]
            last = second.events[1]
            assert isinstance(last, Measurement)
            assert last.metrics == {"loss": 2.0}

    asyncio.run(story())


def test_a_python_program_connects_by_itself(tmp_path: Path) -> None:
    code = """
        from rungmaster import Trial
        trial = Trial.connect()
        for step in trial.steps():
            trial.report(loss=trial.hparams["rate"], diverged=float("nan"), best=float("-inf"))
    """
    (tmp_path / "own.py").write_text(textwrap.dedent(code))

    async def story() -> None:
        async with scene(tmp_path) as it:
            record = it.master.give(assignment(entrypoint="", command=(sys.executable, "own.py"), target=2))
            await until(lambda: record.exit)
            assert record.exit == Exit(ExitOutcome.RELEASED)
            first = record.events[0]
            assert isinstance(first, Measurement)
            assert math.isnan(first.metrics["diverged"])
            assert first.metrics["best"] == -math.inf

    asyncio.run(story())


def in_folder(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def run_shell(directory: Path, script: str) -> ScriptedTrial:
    """Trains one trial with a shell script that has the helper `ask`: one request, one reply, one connection."""
    ask = """
        import os, socket, sys
        worker = socket.socket(socket.AF_UNIX)
        worker.connect(os.environ["RUNGMASTER_SOCKET"])
        worker.sendall(sys.argv[1].encode() + b"\\n")
        print(worker.makefile().readline(), end="")
    """
    (directory / "ask.py").write_text(textwrap.dedent(ask))
    (directory / "train.sh").write_text(textwrap.dedent(script))

    async def story() -> ScriptedTrial:
        async with scene(directory) as it:
            record = it.master.give(assignment(entrypoint="", command=("sh", "train.sh", "one two"), target=3))
            await until(lambda: record.exit)
            return record

    return asyncio.run(story())


def test_a_shell_script_trains_with_nothing_but_its_variables(tmp_path: Path) -> None:
    record = run_shell(
        tmp_path,
        """
        test "$1" = "one two" || exit 9
        test "$RUNGMASTER_HPARAM_RATE" = 0.5 || exit 8
        resource=$RUNGMASTER_RESOURCE
        while [ "$resource" -lt "$RUNGMASTER_TARGET" ]; do
            resource=$((resource + 1))
            python3 ask.py "{\\"op\\": \\"report\\", \\"resource\\": $resource, \\"metrics\\": {\\"loss\\": 0.25}}"
        done
        """,
    )
    assert record.exit == Exit(ExitOutcome.RELEASED)
    assert record.resources == [1, 2, 3]


def test_what_a_program_does_wrong_is_told_to_it(tmp_path: Path) -> None:
    wrong = [
        ("hello", "not a JSON line"),
        ("[]", "send one JSON object"),
        ('{"op": "dance"}', "'dance' is not known"),
        ('{"op": "report", "resource": "1"}', "resource: must be a whole number"),
        ('{"op": "report", "resource": 1.5}', "resource: must be a whole number"),
        ('{"op": "report", "resource": 1}', "metrics: must be an object"),
        ('{"op": "report", "resource": 1, "metrics": {"loss": "low"}}', "metrics.loss: must be a number"),
        ('{"op": "report", "resource": 3, "metrics": {"lost": 1}}', "'loss' is missing at resource 3"),
        ('{"op": "checkpoint", "resource": 1, "path": "relative"}', "path: must be the absolute path"),
        ('{"op": "checkpoint", "resource": 1, "path": "/no/such"}', "is not a folder"),
        ('{"op": "invalid"}', "reason: must be a text"),
    ]
    script = "\n".join(f"python3 ask.py '{line}'" for line, _ in wrong)
    record = run_shell(tmp_path, script)
    assert record.exit is not None
    assert record.exit.outcome is ExitOutcome.FAILED
    log = (tmp_path / "logs/1/1-1.log").read_text().splitlines()
    for answer, (line, complaint) in zip(log, wrong, strict=True):
        assert complaint in answer, line


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    endless = """
        import os, socket
        worker = socket.socket(socket.AF_UNIX)
        worker.connect(os.environ["RUNGMASTER_SOCKET"])
        try:
            for _ in range(64):
                worker.sendall(b"x" * 65536)
        except OSError:
            pass
        print(worker.makefile().readline(), end="")
    """
    (tmp_path / "endless.py").write_text(textwrap.dedent(endless))
    run_shell(tmp_path, "python3 endless.py")
    assert "a line has at most 1048576 bytes" in (tmp_path / "logs/1/1-1.log").read_text()
