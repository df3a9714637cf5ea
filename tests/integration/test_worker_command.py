"""Training code in any language: a command, its variables, and JSON lines over the socket."""

from __future__ import annotations

import asyncio
import textwrap
from dataclasses import replace
from pathlib import Path

from rungmaster.shared.session import CheckpointRef, Exit, ExitOutcome, Measurement

from .scripted_master import Record, ScriptedMaster, assignment, pause
from .worker_harness import scene, until

#: A client of the protocol as one writes it in a language without a Rungmaster package; told by its arguments.
CLIENT = """
    import json, os, socket, sys
    from pathlib import Path

    worker = socket.socket(socket.AF_UNIX)
    worker.connect(os.environ["RUNGMASTER_SOCKET"])
    lines = worker.makefile("rw")

    def ask(**request):
        print(json.dumps(request), file=lines, flush=True)
        return json.loads(lines.readline())

    start = ask(op="start")
    assert start["hparams"] == json.loads(os.environ["RUNGMASTER_HPARAMS"]), start
    resource, total = start["resource"], 0.0
    if start["checkpoint"]:
        total = float((Path(start["checkpoint"]) / "deep" / "total").read_text())
    while True:
        resource += 1
        total += float(os.environ["RUNGMASTER_HPARAM_RATE"])
        answer = ask(op="report", resource=resource, metrics={"loss": total, "worst": "-inf"})
        if answer["save"]:
            folder = Path(f"mine-{resource}")
            (folder / "deep").mkdir(parents=True)
            (folder / "deep" / "total").write_text(str(total))
            print(ask(op="checkpoint", resource=resource, path=str(folder.resolve())))
        if answer["decision"] != "continue":
            break
"""


def test_a_command_is_paused_saved_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(textwrap.dedent(CLIENT))
    first = assignment(entrypoint="", command=("python3", "client.py"), target=2)

    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=pause)) as it:
            record = it.master.assign(first)
            await until(lambda: record.exit)
            assert record.exit == Exit(ExitOutcome.RELEASED)
            (saved,) = record.saved
            assert in_folder(tmp_path / "mine-2"), "a folder of the program's own is copied, not taken away"
            checkpoints = (CheckpointRef(saved.uri, saved.resource, saved.checksum),)
            second = it.master.assign(
                replace(first, lease=replace(first.lease, token=2), checkpoints=checkpoints, target=4)
            )
            await until(lambda: second.exit)
            assert second.resources == [3, 4]
            last = second.events[1]
            assert isinstance(last, Measurement)
            assert last.metrics == {"loss": 2.0, "worst": float("-inf")}

    asyncio.run(story())


def in_folder(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def run_shell(directory: Path, script: str) -> Record:
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

    async def story() -> Record:
        async with scene(directory) as it:
            record = it.master.assign(assignment(entrypoint="", command=("sh", "train.sh", "one two"), target=3))
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
        ('{"op": "report"}', "resource: must be a whole number"),
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
