"""A search as jobs of a private Slurm, by the commands that people type."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from e2e.cluster import TRAINING, toy_spec
from slurm.private_slurm import PrivateSlurm

from rungmaster.client.local.database import DatabaseClient
from rungmaster.shared.wire.model import Experiment, TrialInfo


class SlurmSearch:
    """A folder with a spec, and the commands in it."""

    def __init__(self, slurm: PrivateSlurm, folder: Path, **spec: Any) -> None:
        self.slurm, self.folder = slurm, folder
        self.shared = folder / "rungmaster-slurm"
        self.database = self.shared / "rungmaster.db"
        (folder / "spec.yaml").write_text(toy_spec(folder / "checkpoints", **spec))
        path = os.pathsep.join(filter(None, [str(TRAINING), os.environ.get("PYTHONPATH")]))
        self.environment = {**slurm.environment, "PYTHONPATH": path, "TOY_LOG": str(folder / "epochs.log")}

    def rungmaster(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command, and what came of it."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "rungmaster.client.cli.main", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def up(self, *options: str) -> tuple[str, str]:
        """Submits the search; the ids of the master's job and of the workers' array."""
        done = self.rungmaster("slurm", "up", "spec.yaml", *options)
        assert done.returncode == 0, done.stderr
        words = done.stdout.splitlines()[0].split()
        return words[words.index("job") + 1], words[words.index("master,") + 1]

    def states(self, job: str) -> dict[str, str]:
        """The state of a job, or of each part of an array, as squeue knows it."""
        lines = self.slurm.command("squeue", "--noheader", "--array", "--jobs", job, "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def restarts(self, job: str) -> int:
        """How often a job was queued again."""
        words = self.slurm.command("scontrol", "show", "job", job).split()
        return int(next(word for word in words if word.startswith("Restarts=")).partition("=")[2])

    def experiment(self) -> Experiment | None:
        """The search as its database has it; None before that is there."""
        if not self.database.exists():
            return None
        with DatabaseClient(self.database) as client:
            return next(iter(client.list()), None)

    def trials(self) -> list[TrialInfo]:
        """All its trials."""
        with DatabaseClient(self.database) as client:
            return list(client.trials(1))

    def epochs(self) -> list[str]:
        """Each epoch that was trained, as `trial epoch`."""
        log = self.folder / "epochs.log"
        return log.read_text().splitlines() if log.exists() else []

    def output(self) -> str:
        """What all jobs have printed."""
        return "\n".join(f"--- {path.name}\n{path.read_text()}" for path in sorted(self.shared.glob("*.out")))
