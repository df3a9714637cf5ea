"""Trials are forked from a process that has imported their libraries, and find themselves as in a fresh process."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from rungmaster.shared.wire.model import Gpu
from rungmaster.shared.wire.session import Exit, ExitOutcome, Measurement
from rungmaster.worker.process import fork_client, launcher
from rungmaster.worker.process.child import Job
from rungmaster.worker.process.launcher import Launcher
from rungmaster.worker.process.reaper_client import ReaperClient
from rungmaster.worker.slots.gpus import Device

from .scripted_master import ScriptedTrial, assignment
from .worker_harness import Scene, scene, until, write_training

#: A library that notes each import in a file.
HEAVY = """
    import os
    from pathlib import Path
    with Path("imports").open("a") as imports:
        imports.write(f"{os.getpid()}\\n")
    print("imported")
"""
#: Reports who it is.
TELLING = """
    import os, random, sys
    import heavy

    def train(trial):
        print("trains", trial.trial_id)
        supervisor = os.getppid()
        for step in trial.steps():
            trial.report(
                loss=1.0, pid=os.getpid(), supervisor=supervisor,
                server=int(open(f"/proc/{supervisor}/stat").read().split()[3]),
                group=os.getpgid(0), session=os.getsid(0),
                chance=random.random(), told=int(os.environ["RUNGMASTER_TRIAL_ID"]),
                device=int(os.environ.get("CUDA_VISIBLE_DEVICES", -1)), arguments=len(sys.argv),
            )
"""


async def trained(it: Scene, count: int = 2, first: int = 1, **fields: Any) -> list[ScriptedTrial]:
    """Trains so many trials, one after the other, to their first report."""
    records: list[ScriptedTrial] = []
    for trial in range(first, first + count):
        records.append(it.master.give(assignment(trial_id=trial, target=1, **fields)))
        await until(lambda: records[-1].exit)
    return records


def told(record: ScriptedTrial) -> dict[str, float]:
    event = record.events[0]
    assert isinstance(event, Measurement), event
    return dict(event.metrics)


@pytest.fixture(autouse=True)
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed libraries, with one that is heavy."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "heavy.py").write_text(textwrap.dedent(HEAVY))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def imports(directory: Path) -> list[int]:
    return [int(line) for line in (directory / "imports").read_text().split()]


def both(
    directory: Path, code: str = TELLING, preload: tuple[str, ...] | None = None, **settings: Any
) -> tuple[dict[str, float], dict[str, float]]:
    """What two trials report, one after the other on the same worker."""

    async def story() -> list[ScriptedTrial]:
        async with scene(directory, code, **settings) as it:
            return await trained(it, preload=preload)

    first, second = asyncio.run(story())
    assert first.exit == second.exit == Exit(ExitOutcome.RELEASED)
    return told(first), told(second)


def test_libraries_are_imported_once_and_each_trial_has_a_process_of_its_own(tmp_path: Path) -> None:
    first, second = both(tmp_path)
    (server,) = imports(tmp_path)
    assert first["server"] == second["server"] == server
    assert len({first["pid"], second["pid"], first["supervisor"], server}) == 4
    for each in (first, second):
        assert each["group"] == each["session"] == each["pid"], "signals to one trial reach no other"


def test_a_fork_finds_what_a_fresh_process_finds(tmp_path: Path) -> None:
    devices = (Device("6", Gpu("GPU-6", "", 0)),)
    first, second = both(tmp_path, devices=devices)
    assert [each["told"] for each in (first, second)] == [1, 2]
    assert [each["device"] for each in (first, second)] == [6, 6]
    assert first["chance"] != second["chance"], "chance is not the same in every fork"
    assert first["arguments"] == 1
    assert (tmp_path / "logs/1/2-1.log").read_text() == "imported\ntrains 2\n"


def test_what_the_code_seeds_when_it_is_imported_stays_seeded(tmp_path: Path) -> None:
    first, second = both(tmp_path, TELLING + "\n    random.seed(5)\n    random.random()\n")
    assert first["chance"] == second["chance"]


@pytest.mark.parametrize(("seeding", "same"), [("", False), ("np.random.seed(3)", True)])
def test_numpy_draws_anew_in_each_fork_unless_it_was_seeded(tmp_path: Path, seeding: str, same: bool) -> None:
    code = f"""
        import numpy as np
        {seeding}
        np.random.rand(2)
        def train(trial):
            for step in trial.steps():
                trial.report(loss=1.0, chance=np.random.rand())
    """
    first, second = both(tmp_path, code)
    assert (first["chance"] == second["chance"]) is same


def test_a_user_can_ask_for_fresh_processes(tmp_path: Path) -> None:
    first, second = both(tmp_path, fresh_processes=True)
    assert imports(tmp_path) == [first["pid"], second["pid"]]


REPORTING = """
    import heavy
    def train(trial):
        for step in trial.steps():
            trial.report(loss=1.0)
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
            "importing heavy starts threads: Thread-1 (sleep)",
        ),
        ("import os\nif 'RUNGMASTER_SEED' not in os.environ: raise RuntimeError('no trial')", "no trial"),
        ("import os, time\nif 'RUNGMASTER_' not in ''.join(os.environ): time.sleep(99)", "not imported within"),
        ("import os\nif 'RUNGMASTER_' not in ''.join(os.environ): os._exit(3)", "that imports its libraries ended"),
        ("data = open(__file__)", "heavy.py open, whose position all trials would share"),
        ("import socket\nconnection = socket.socketpair()", "open, whose position all trials would share"),
        ("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_DFL)", "installs a handler of SIGTERM"),
        ("import helping", "helping.py, which is of no installed library"),
        ("driver", "importing heavy starts a GPU's driver"),
    ],
)
def test_with_libraries_that_cannot_be_forked_trials_start_in_fresh_processes(
    tmp_path: Path,
    libraries: Path,
    code: str,
    reason: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fork_client, "PRELOAD_TIMEOUT_S", 5.0)
    (tmp_path / "helping.py").touch()
    (libraries / "heavy.py").write_text(_pretending_a_driver(tmp_path) if code == "driver" else code)
    with caplog.at_level(logging.WARNING, "rungmaster.worker.process.launcher"):
        both(tmp_path, REPORTING)
    (warning,) = caplog.messages
    assert warning.startswith("trials of training:train start in fresh processes: ")
    assert reason in warning


def _pretending_a_driver(directory: Path) -> str:
    """Code that holds a file which is taken for the device of a GPU's driver."""
    (directory / "driver").touch()
    held = repr(str(directory / "driver"))
    return f"from rungmaster.worker.process import preload\npreload._DEVICES = ({held},)\nfile = open({held})"


def test_what_the_code_does_when_it_is_imported_is_its_own_trials_affair(tmp_path: Path) -> None:
    code = """
        import os, tempfile, threading, time
        import heavy
        threading.Thread(target=time.sleep, args=(99,), daemon=True).start()
        told = int(os.environ["CUDA_VISIBLE_DEVICES"] + os.environ["RUNGMASTER_TRIAL_ID"])
        data, folder = open(__file__), tempfile.TemporaryDirectory()
        def train(trial):
            for step in trial.steps():
                trial.report(loss=1.0, told=told, read=len(data.read()), there=int(os.path.exists(folder.name)))
    """
    first, second = both(tmp_path, code, devices=(Device("6", Gpu("GPU-6", "", 0)),))
    assert len(imports(tmp_path)) == 1
    assert (first["told"], second["told"]) == (61, 62)
    assert first["read"] == second["read"] > 0
    assert first["there"] == second["there"] == 1


@pytest.mark.parametrize("set_first", [True, False])
def test_a_library_finds_the_variables_that_the_code_sets_before_it_imports_it(
    tmp_path: Path, libraries: Path, set_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (libraries / "heavy.py").write_text("import os\nTHREADS = int(os.environ['OMP_NUM_THREADS'])")
    lines = ["import heavy", "os.environ['OMP_NUM_THREADS'] = '3'"]
    code = f"""
        import os
        {lines[set_first]}
        {lines[not set_first]}
        def train(trial):
            for step in trial.steps():
                trial.report(loss=1.0, threads=heavy.THREADS)
    """
    for each in both(tmp_path, code):
        assert each["threads"] == (3 if set_first else 1)


def test_a_spec_says_what_is_preloaded_and_its_user_learns_what_cannot_be(tmp_path: Path) -> None:
    code = TELLING.replace("import heavy", "import training_data")
    (tmp_path / "training_data.py").touch()
    first, second = both(tmp_path, code, preload=("heavy", "havy", "heavy.most", "training_data"))
    assert imports(tmp_path) == [first["server"]] == [second["server"]]
    lines = (tmp_path / "logs/1/2-1.log").read_text().splitlines()
    assert sorted(lines) == [
        "imported",
        "rungmaster: preload: 'training_data' is no installed library, and is imported in each trial",
        "rungmaster: preload: there is no module 'havy'",
        "rungmaster: preload: there is no module 'heavy.most'",
        "trains 2",
    ]
    assert lines[-1] == "trains 2"


def test_a_spec_that_preloads_nothing_gets_fresh_processes(tmp_path: Path) -> None:
    first, second = both(tmp_path, preload=())
    assert imports(tmp_path) == [first["pid"], second["pid"]]


def test_what_a_spec_names_and_cannot_be_preloaded_is_told_in_the_log(tmp_path: Path, libraries: Path) -> None:
    (libraries / "broken.py").write_text("1 / 0")
    first, second = both(tmp_path, preload=("broken",))
    assert imports(tmp_path) == [first["pid"], second["pid"]]
    for trial in (1, 2):
        beginning = (tmp_path / f"logs/1/{trial}-1.log").read_text().splitlines()[0]
        assert beginning.startswith("rungmaster: in a fresh process: importing broken failed: ZeroDivisionError")


def test_a_library_that_the_code_names_later_is_preloaded_then(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, TELLING.replace("import heavy", "")) as it:
            (first,) = await trained(it, count=1)
            write_training(tmp_path, TELLING)
            second, third = await trained(it, first=2)
            assert told(first)["server"] != told(second)["server"] == told(third)["server"]
            assert imports(tmp_path) == [told(second)["server"]]

    asyncio.run(story())


def test_code_that_was_changed_is_imported_anew(tmp_path: Path) -> None:
    helping = "VALUE = {}\n"
    code = """
        import helping
        def train(trial):
            for step in trial.steps():
                trial.report(loss=1.0, value=helping.VALUE)
    """

    async def story() -> None:
        (tmp_path / "helping.py").write_text(helping.format(1))
        async with scene(tmp_path, code) as it:
            assert [told(each)["value"] for each in await trained(it)] == [1, 1]
            (tmp_path / "helping.py").write_text(helping.format(22))
            assert [told(each)["value"] for each in await trained(it, first=3)] == [22, 22]
            write_training(tmp_path, code.replace("helping.VALUE", "-1.0"))
            assert [told(each)["value"] for each in await trained(it, first=5)] == [-1, -1]

    asyncio.run(story())


ENDLESS = """
    import os, time
    def train(trial):
        for step in trial.steps():
            trial.report(loss=1.0, pid=os.getpid(), server=int(open(f"/proc/{os.getppid()}/stat").read().split()[3]))
            time.sleep(0.02)
"""


def test_a_killed_fork_server_takes_its_trials_down_and_the_next_one_has_another(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, ENDLESS) as it:
            record = it.master.give(assignment(target=10**6))
            await until(lambda: record.resources)
            os.kill(int(told(record)["server"]), signal.SIGKILL)
            await until(lambda: record.exit)
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.WORKER_FAULT, "the training code is not to blame"
            assert "was killed" in record.exit.error
            await until(lambda: not psutil.pid_exists(int(told(record)["pid"])))
            (after,) = await trained(it, count=1, first=2)
            assert told(after)["server"] != told(record)["server"]

    asyncio.run(story())


def test_a_crash_takes_down_one_fork_only(tmp_path: Path) -> None:
    code = """
        import ctypes, os, time
        from pathlib import Path
        def train(trial):
            for step in trial.steps():
                trial.report(loss=1.0)
                if trial.trial_id == 1:
                    ctypes.string_at(0)
                while not Path("go").exists():
                    time.sleep(0.01)
    """

    async def story() -> None:
        async with scene(tmp_path, code, slots=2) as it:
            other = it.master.give(assignment(trial_id=2, target=3))
            await until(lambda: other.resources)
            crashing = it.master.give(assignment(trial_id=1, target=3))
            await until(lambda: crashing.exit)
            assert crashing.exit is not None
            assert crashing.exit.outcome is ExitOutcome.FAILED
            assert "killed by SIGSEGV" in crashing.exit.error
            (tmp_path / "go").touch()
            await until(lambda: other.exit)
            assert other.exit == Exit(ExitOutcome.RELEASED)

    asyncio.run(story())


def test_a_fork_ends_as_the_interpreter_does(tmp_path: Path) -> None:
    code = """
        import atexit, sys, threading, time
        def train(trial):
            atexit.register(print, "at exit")
            threading.Thread(target=lambda: (time.sleep(0.1), print("the thread is done"))).start()
            for step in trial.steps():
                trial.report(loss=1.0)
            sys.stdout.write("returns\\n")
    """

    async def story() -> None:
        async with scene(tmp_path, code) as it:
            await trained(it, count=1)
            assert (tmp_path / "logs/1/1-1.log").read_text() == "returns\nthe thread is done\nat exit\n"

    asyncio.run(story())


def test_of_many_entrypoints_a_few_stay_in_memory(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, TELLING) as it:
            for number in range(6):
                (tmp_path / f"code{number}.py").write_bytes((tmp_path / "training.py").read_bytes())
            for number in range(6):
                await trained(it, count=1, first=number + 1, entrypoint=f"code{number}:train")
            await until(lambda: sum(map(psutil.pid_exists, imports(tmp_path))) == 4)
            assert not psutil.pid_exists(imports(tmp_path)[0]), "the one that was not used for longest goes"

    asyncio.run(story())


@contextmanager
def no_more_files() -> Iterator[None]:
    """As if this process had all files open that it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (max(int(entry.name) for entry in Path("/proc/self/fd").iterdir()) + 1, hard)
    )
    held = []
    try:
        with suppress(OSError):
            while True:
                held.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in held:
            os.close(descriptor)


@contextmanager
def no_more_files_for(process: psutil.Process) -> Iterator[None]:
    """As if another process had all files open that it may have."""
    before = process.rlimit(psutil.RLIMIT_NOFILE)
    process.rlimit(psutil.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        process.rlimit(psutil.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("what", ["entrypoint", "command"])
def test_a_shortage_of_files_is_waited_for_and_remembered_by_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    write_training(tmp_path, "def train(trial): ...")
    entrypoint, command = ("training:train", ()) if what == "entrypoint" else ("", ("true",))
    job = Job(entrypoint, command, tmp_path, dict(os.environ), {}, tmp_path / "log")

    async def story() -> None:
        guard = ReaperClient()
        await guard.begin()
        (reaper,) = psutil.Process().children()
        way = Launcher(guard, tmp_path, fork=True)
        if not entrypoint:
            await (await way.start(job)).wait()  # the reaper has begun
        with no_more_files() if entrypoint else no_more_files_for(reaper):
            starting = asyncio.create_task(way.start(job))
            await until(lambda: "is tried again" in caplog.text)
            assert not starting.done()
        for child in (await starting, await way.start(job)):
            assert await child.wait() == (1 if entrypoint else 0)
        await way.close()
        await guard.stop()

    asyncio.run(story())
    told = (tmp_path / "log").read_text()
    assert told.count("RUNGMASTER_SOCKET is not set") == (2 if entrypoint else 0), "the code was reached both times"
    assert "start in fresh processes" not in caplog.text


def test_a_machine_that_stays_short_gives_the_trial_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "PATIENCE_S", 0.0)

    async def story() -> None:
        async with scene(tmp_path) as it:
            await until(lambda: it.master.hellos)
            with no_more_files():
                record = it.master.give(assignment())
                await until(lambda: record.exit)
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.ENVIRONMENT
            assert "short of something" in record.exit.error

    asyncio.run(story())
