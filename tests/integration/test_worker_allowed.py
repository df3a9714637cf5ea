"""What a worker is not allowed to run is not started, imported or looked into, and is no trouble of anything else."""

from __future__ import annotations

import asyncio
import stat
import textwrap
from pathlib import Path
from typing import Any

import pytest
from e2e.cluster import Cluster, toy_spec, wait_for

from rungmaster.client import Client
from rungmaster.client.cli.main import execute
from rungmaster.shared.wire.model import ExperimentState
from rungmaster.shared.wire.session import Exit, ExitOutcome
from rungmaster.worker.allowed import Allowed

from .scripted_master import assignment
from .worker_harness import COUNTING, Scene, scene, until

#: Leaves a mark where it is imported, and another where it trains.
MARKING = """
from pathlib import Path
Path("{name}.imported").touch()
def train(trial):
    Path("{name}.trained").touch()
    trial.report(trial.target, loss=1.0)
"""


def marks(folder: Path) -> set[str]:
    found = (*folder.glob("*"), *folder.glob("package/*"))
    return {path.name for path in found if path.suffix in (".imported", ".trained", ".started")}


async def ended(it: Scene, trial_id: int, **fields: Any) -> Exit:
    """How an assignment ends."""
    record = it.master.give(assignment(trial_id, **fields))
    await until(lambda: record.exit)
    assert record.exit is not None
    return record.exit


@pytest.mark.parametrize("fresh", [False, True])
def test_nothing_of_a_function_that_is_not_allowed_is_imported(tmp_path: Path, fresh: bool) -> None:
    for name in ("strange", "package/strange", "training_else"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text(MARKING.format(name=name))
    (tmp_path / "package" / "__init__.py").write_text("from pathlib import Path; Path('package.imported').touch()")
    refused = ("strange:train", "package.strange:train", "training_else:train", "training:Path.cwd", "os:abort")

    async def story() -> None:
        allowed = Allowed(("training",))
        async with scene(tmp_path, allowed=allowed, fresh_processes=fresh) as it:
            for number, entrypoint in enumerate(refused):
                exit_ = await ended(it, number, entrypoint=entrypoint, checkpoint_storage=str(tmp_path / "made"))
                assert exit_.outcome is ExitOutcome.CANNOT_START
                assert exit_.error == (
                    f"entrypoint '{entrypoint}' is not allowed on this worker: --allow has 'training'"
                )
            exit_ = await ended(it, 10, command=("sh", "-c", "touch shell.started"), entrypoint="")
            assert exit_.outcome is ExitOutcome.CANNOT_START
            assert exit_.error.endswith("and the worker was started without --allow-command")
            assert (await ended(it, 11)).outcome is ExitOutcome.RELEASED, "what is allowed trains as before"

    asyncio.run(story())
    assert marks(tmp_path) == set()
    assert not (tmp_path / "made").exists(), "not even the folder for checkpoints is made"


def test_a_command_is_run_where_its_program_really_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("train", "other"):
        (tmp_path / folder).mkdir()
        script = tmp_path / folder / "fit"
        script.write_text(f"#!/bin/sh\ntouch {tmp_path}/{folder}.started\nexec rungmaster report --resource 9 loss=1\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "train" / "link").symlink_to("../other/fit")
    (tmp_path / "short").symlink_to("train/fit")
    monkeypatch.setenv("PATH", f"{tmp_path / 'other'}:/usr/bin:/bin")
    refused = ("other/fit", "train/link", "train/../other/fit", "fit", "/bin/sh", "train/missing")

    async def story() -> None:
        async with scene(tmp_path, allowed=Allowed(programs=("train/*",))) as it:
            for number, program in enumerate(refused):
                exit_ = await ended(it, number, entrypoint="", command=(program,))
                assert exit_.outcome is ExitOutcome.CANNOT_START
                assert exit_.error.startswith(f"command '{program}' is not allowed on this worker: ")
                assert exit_.error.endswith("--allow-command has 'train/*'")
            assert marks(tmp_path) == set()
            for number, program in enumerate(
                ("train/fit", "./short", str(tmp_path / "other" / ".." / "train" / "fit"))
            ):
                await ended(it, 20 + number, entrypoint="", command=(program,), target=9)
                assert marks(tmp_path) == {"train.started"}
                (tmp_path / "train.started").unlink()

    asyncio.run(story())


def test_the_file_that_was_looked_at_is_run_and_no_other_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first on PATH may be executed and is no program; a search by the system would go on to the next."""
    for folder, content in (("first", b"\x7fnothing"), ("second", b"#!/bin/sh\ntouch second.started\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "fit").write_bytes(content)
        (tmp_path / folder / "fit").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'first'}:{tmp_path / 'second'}:/usr/bin:/bin")

    async def story() -> None:
        async with scene(tmp_path, allowed=Allowed(programs=("first/*",))) as it:
            exit_ = await ended(it, 1, entrypoint="", command=("fit",))
            assert exit_.outcome is ExitOutcome.CANNOT_START
            assert "Exec format error" in exit_.error

    asyncio.run(story())
    assert marks(tmp_path) == set()


SECRETS = {"RUNGMASTER_TOKEN": "secret-1", "CREDENTIALS_DIRECTORY": "/secret-2", "AWS_SECRET_ACCESS_KEY": "secret-3"}

#: Counts the secrets in its own variables, in those of all processes between it and its worker, and in its own files.
PRYING = """
import os
from pathlib import Path

def ancestors(worker):
    pid = os.getpid()
    while pid not in (worker, 1):
        yield pid
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        pid = int(status[1])

def train(trial):
    found = sum(value.count("secret-") for value in os.environ.values())
    looked = 0
    for pid in ancestors(int(trial.hparams["worker"])):
        looked += 1
        found += Path(f"/proc/{pid}/environ").read_bytes().count(b"secret-")
        found += Path(f"/proc/{pid}/cmdline").read_bytes().count(b"secret-")
    trial.report(trial.target, loss=found, looked=looked)
"""


@pytest.mark.parametrize("fresh", [False, True])
def test_no_secret_of_the_worker_is_in_the_environment_of_training_or_of_what_it_hangs_from(
    tmp_path: Path, fresh: bool
) -> None:
    """In a worker of its own: what stood in a process's environment when it began, its children could read for ever."""
    (tmp_path / "prying.py").write_text(textwrap.dedent(PRYING))
    cluster = Cluster(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", lease_ttl_s=60.0)
    cluster.master()
    cluster.environment |= SECRETS
    options = ["--hide-variable", "AWS_*", "--allow", "prying", *(["--fresh-processes"] if fresh else [])]
    try:
        worker = cluster.start("worker", "worker", "--master", cluster.address, *options)
        spec = toy_spec(
            tmp_path,
            entrypoint="prying:train",
            metric={"name": "loss", "goal": "minimize"},
            hyperparameters={"worker": worker.popen.pid, "x": {"type": "float", "low": 0.0, "high": 1.0}},
            searcher={"name": "asha", "max_trials": 3, "max_resource": 1},
        )
        with Client(cluster.address) as client:
            number = client.submit(spec).experiment_id
            assert client.wait(number).state is ExperimentState.COMPLETED
            for trial_id in range(3):
                (report,) = client.metrics(number, trial_id)
                assert report.metrics["loss"] == 0
                assert report.metrics["looked"] >= 2
    finally:
        cluster.close()


def test_what_one_worker_may_not_run_another_trains_and_it_trains_the_rest(
    tmp_path: Path, sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster(tmp_path, sqlite_url, lease_ttl_s=60.0)
    (tmp_path / "mine.py").write_text(textwrap.dedent(COUNTING).replace("loss=", "error="))
    (tmp_path / "strange.py").write_text(MARKING.format(name="strange").replace("loss", "error"))
    cluster.master()
    try:
        careful = cluster.start(
            "careful", "worker", "--master", cluster.address, "--name", "careful", "--allow", "mine"
        )
        with Client(cluster.address) as client:
            strange = client.submit(toy_spec(tmp_path, name="strange", entrypoint="strange:train"))
            mine = client.submit(toy_spec(tmp_path, name="mine", entrypoint="mine:train"))
            assert client.wait(mine.experiment_id).state is ExperimentState.COMPLETED
            # No worker can start it: it fails and says which option kept it from being run.
            failed = client.wait(strange.experiment_id)
            assert failed.state is ExperimentState.FAILED
            assert "entrypoint 'strange:train' is not allowed on this worker: --allow has 'mine'" in failed.state_reason
            assert marks(tmp_path) == set()
            cluster.worker("open")
            wait_for("the second worker", lambda: len(client.workers()) == 2)
            again = client.submit(toy_spec(tmp_path, name="again", entrypoint="strange:train"))
            assert client.wait(again.experiment_id).state is ExperimentState.COMPLETED
            leases = [
                lease
                for trial in client.trials(again.experiment_id)
                for lease in client.trial(again.experiment_id, trial.trial_id).leases
            ]
            trained = {lease.worker for lease in leases if lease.outcome == "released"}
            assert trained == {"open"}
            # It is offered one now and then, in case it was started anew with other options.
            assert {lease.outcome for lease in leases if lease.worker == "careful"} <= {"cannot_start"}
        assert careful.popen.poll() is None
    finally:
        cluster.close()
    capsys.readouterr()


@pytest.mark.parametrize(
    "options", [("--allow", "examples/digits.py"), ("--allow", ""), ("--allow-command", ""), ("--allow", "a:b:c")]
)
def test_a_pattern_that_could_fit_nothing_is_told_when_the_worker_starts(
    options: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["worker", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Error: {options[0]}: write ")
