"""Training code that starts processes which try to get away, and how a test finds them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

#: Starts what torchrun starts for each rank, and a daemon: forked twice, with a session, a name and an environment of
#: its own, all files closed, deaf to SIGTERM. Each writes its process id into the file `escaped`.
ESCAPING = """
    import os, signal, subprocess, sys, time
    from pathlib import Path

    def note(pid):
        with Path("escaped").open("a") as escaped:
            escaped.write(f"{pid}\\n")

    def daemon():
        said, saying = os.pipe()
        if (pid := os.fork()):
            os.waitpid(pid, 0)
            os.read(said, 1)
            return
        os.setsid()
        if os.fork():
            os._exit(0)
        note(os.getpid())
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(saying, b".")
        os.chdir("/")
        os.closerange(0, 256)
        os.execve("/bin/sleep", ["kworker/0:1", "600"], {})

    def escape():
        note(subprocess.Popen(["sleep", "600"], start_new_session=True).pid)
        daemon()

    def train(trial):
        escape()
        for step in trial.steps(lambda folder: (folder / "x").touch(), lambda folder: None):
            trial.report(loss=1.0, pid=os.getpid(), supervisor=os.getppid())
            time.sleep(0.02)
"""
#: The same as a program of its own.
PROGRAM = "from training import train\nfrom rungmaster import Trial\ntrain(Trial.connect())\n"


def runs(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def escaped(directory: Path) -> list[int]:
    """All that were started to get away."""
    with contextlib.suppress(FileNotFoundError):
        return [int(line) for line in (directory / "escaped").read_text().split()]
    return []


def at_large(directory: Path) -> list[int]:
    """Those of them that still run."""
    return [pid for pid in escaped(directory) if runs(pid)]


def marked(variable: str, value: str) -> list[psutil.Process]:
    """All processes that were started with this in their environment, or forked from one that was."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(variable) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
