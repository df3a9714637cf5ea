"""The Slurm of these tests is gone when they are, however they end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from e2e.cluster import wait_for
from slurm.private_slurm import missing

_OWNER = """
import sys
from pathlib import Path
from slurm.private_slurm import PrivateSlurm

with PrivateSlurm(Path(sys.argv[1])) as slurm:
    slurm.command("sbatch", "--output=/dev/null", "--wrap", "exec sleep 600")
    print("it runs", flush=True)
    sys.stdin.read()
"""


def processes_of(folder: str) -> list[str]:
    """The programs of a Slurm in that folder, and of its jobs."""
    found: list[str] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("SLURM_CONF", "").startswith(folder) and process.pid != os.getpid():
                found.append(process.name())
    return found


def test_nothing_is_left_of_a_slurm_whose_test_was_killed() -> None:
    if reason := missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="rungmaster-slurm-", ignore_cleanup_errors=True) as folder:
        path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        owner = subprocess.Popen(
            [sys.executable, "-P", "-c", _OWNER, folder],
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"it runs\n"
        programs = {"slurmctld", "slurmd", "munged", "sleep"}
        wait_for("all of it", lambda: programs <= {*processes_of(folder)})
        owner.kill()
        owner.communicate()
        wait_for("the end of all of it", lambda: not processes_of(folder))
