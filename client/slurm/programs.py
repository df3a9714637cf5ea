"""The programs of Slurm, as they are called: sbatch, squeue and scancel."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence

from ...shared.errors import FailedPrecondition, RungmasterError

#: Seconds that one of them may take: a controller that restarts is waited for by the programs themselves.
_TIMEOUT_S = 120.0
#: What squeue says of jobs that have left its list.
_UNKNOWN_JOB = "Invalid job id"


class Slurm:
    """The Slurm that this machine submits to. Jobs are named by their ids, an array by that of the whole.

    Raises FailedPrecondition where a program is not here, and RungmasterError with the words of Slurm where it refuses.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment` is what the jobs get, unless their options say otherwise."""
        self._environment = dict(environment)

    def check(self) -> None:
        """Raises FailedPrecondition where there is no Slurm on this machine."""
        for program in ("sbatch", "squeue", "scancel"):
            self._path(program)

    def submit(self, arguments: Sequence[str]) -> str:
        """Submits a job by sbatch, and returns its id."""
        told = self._run("sbatch", "--parsable", *arguments).strip()
        # With several clusters the id stands before the cluster's name.
        return told.splitlines()[-1].partition(";")[0]

    def present(self, jobs: Iterable[str]) -> dict[str, list[str]]:
        """Those of `jobs` that wait or run, each with the states of its parts."""
        found = {job: self._states(job) for job in jobs}
        return {job: states for job, states in found.items() if states}

    def cancel(self, job: str) -> None:
        """Has a job end: its processes get SIGTERM, and what is left after the cluster's KillWait is killed."""
        self._run("scancel", job)

    def _states(self, job: str) -> list[str]:
        try:
            return self._run("squeue", "--noheader", "--jobs", job, "--format", "%T").split()
        except RungmasterError as error:
            if _UNKNOWN_JOB in str(error):
                return []
            raise

    def _path(self, program: str) -> str:
        path = shutil.which(program, path=self._environment.get("PATH"))
        if path is None:
            raise FailedPrecondition(
                f"there is no {program} on this machine: run this where you submit jobs to Slurm, on a login node; "
                "`rungmaster run` searches on this machine alone"
            )
        return path

    def _run(self, program: str, *arguments: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603  a program of Slurm, with arguments of its own
                [self._path(program), *arguments],
                env=self._environment,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RungmasterError(f"{program} gave no answer for {_TIMEOUT_S:.0f} s; does slurmctld run?") from None
        if done.returncode:
            words = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            raise RungmasterError(f"{program} refused: {words}")
        return done.stdout
