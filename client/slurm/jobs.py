"""Submits a search as jobs of Slurm, a master and an array of workers, and takes them down."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ...shared.errors import FailedPrecondition, InvalidInput, RungmasterError
from ..local.children import child_environment
from .folder import Jobs, SearchFolder
from .programs import Slurm

#: Seconds that workers get to save and leave, before the master ends without them.
LEAVE_TIMEOUT_S = 90.0
_LOOK_INTERVAL_S = 0.5
_SCRIPTS = Path(__file__).parent
#: Options of sbatch that would make other jobs of ours than those that the scripts are for.
_OURS = ("--array", "-a", "--wrap", "--dependency", "-d", "--output", "-o", "--no-requeue", "--parsable")
_GPUS = re.compile(r"([\w.-]+:)?\d+")


@dataclass(frozen=True, slots=True)
class Plan:
    """What `up` submits. `options` are those of sbatch for every job, `master_options` for the master's alone."""

    workers: int
    gpus_per_worker: str = "0"
    slots: int | None = None
    database: str | None = None
    exit_when_idle_s: float = 300.0
    insecure: bool = False
    options: tuple[str, ...] = ()
    master_options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InvalidInput for what sbatch would understand as something else."""
        if not _GPUS.fullmatch(self.gpus_per_worker):
            raise InvalidInput(
                f"--gpus-per-worker {self.gpus_per_worker}: must be a number, such as 1, or a type and a number, "
                "such as a100:2"
            )
        for option in (*self.options, *self.master_options):
            if option.partition("=")[0] in _OURS:
                raise InvalidInput(f"{option}: is not for you to give here, since `slurm up` gives it")

    def master_job(self, folder: SearchFolder) -> list[str]:
        """The arguments of sbatch for the master."""
        served = [*(["--db", self.database] if self.database else []), *(["--insecure"] if self.insecure else [])]
        output = f"--output={folder.path}/master-%j.out"
        return [output, *self.options, *self.master_options, str(_SCRIPTS / "master.sbatch"), str(folder.path), *served]

    def worker_jobs(self, folder: SearchFolder, master: str) -> list[str]:
        """The arguments of sbatch for the workers, which begin when the master's job has begun."""
        gpus = (
            [] if self.gpus_per_worker.rpartition(":")[2].strip("0") == "" else [f"--gres=gpu:{self.gpus_per_worker}"]
        )
        slots = ["--slots", str(self.slots)] if self.slots else []
        return [
            f"--output={folder.path}/worker-%A_%a.out",
            f"--array=1-{self.workers}",
            f"--dependency=after:{master}",
            *gpus,
            *self.options,
            str(_SCRIPTS / "worker.sbatch"),
            str(folder.path),
            *("--exit-when-idle", f"{self.exit_when_idle_s:g}", *slots),
        ]


def up(spec: str, folder: SearchFolder, plan: Plan) -> tuple[Jobs, bool]:
    """Submits the search of `spec`, a text; its jobs, and whether it is new in this folder and not one that goes on.

    Where its master is there still, but all workers have left, it gets workers again. Raises FailedPrecondition where
    there is no Slurm here, or workers of the folder are there still, InvalidInput where the folder cannot be used, and
    RungmasterError with Slurm's words where it refuses; then nothing is left of it.
    """
    slurm = Slurm(_environment())
    slurm.check()
    _check_certificates(plan)
    earlier = folder.jobs()
    present = slurm.present(earlier.ids) if earlier else {}
    if earlier and any(job in present for job in earlier.workers):
        raise FailedPrecondition(
            f"jobs of {folder.path} are there already ({', '.join(present)}): `rungmaster slurm down` ends them, "
            "another --folder is for another search"
        )
    new = folder.prepare(spec, insecure=plan.insecure, has_master=bool(present))
    master = earlier.master if earlier and present else slurm.submit(plan.master_job(folder))
    try:
        jobs = Jobs(master, (slurm.submit(plan.worker_jobs(folder, master)),))
        folder.record(jobs)
    except BaseException:
        if not present:
            slurm.cancel(master)
        raise
    return jobs, new


def down(folder: SearchFolder, timeout_s: float = LEAVE_TIMEOUT_S) -> tuple[str, ...]:
    """Ends the jobs of a folder: the workers, which save what they train, and then the master. Those that there were.

    Raises NotFound where the folder has none, FailedPrecondition where there is no Slurm here, and RungmasterError
    where workers have not left after `timeout_s` seconds; then the master is ended all the same.
    """
    slurm, jobs = Slurm(_environment()), folder.known_jobs()
    slurm.check()
    present = slurm.present(jobs.ids)
    for job in present.keys() - {jobs.master}:
        slurm.cancel(job)
    give_up_at = time.monotonic() + timeout_s
    while (late := slurm.present(jobs.workers)) and time.monotonic() < give_up_at:
        time.sleep(_LOOK_INTERVAL_S)
    if jobs.master in present:
        slurm.cancel(jobs.master)
    if late:
        raise RungmasterError(f"the workers of {', '.join(late)} have not left after {timeout_s:g} s; see squeue")
    return tuple(job for job in jobs.ids if job in present)


def _check_certificates(plan: Plan) -> None:
    if not plan.insecure and importlib.util.find_spec("cryptography") is None:
        raise FailedPrecondition(
            "the master makes certificates, which need cryptography: pip install 'rungmaster[certs]'; or --insecure, "
            "on a network where you trust everybody"
        )


def _environment() -> dict[str, str]:
    """What the jobs get: this shell's variables without those for other masters, and this very program."""
    beside = Path(sys.executable).with_name("rungmaster")
    program = str(beside) if beside.exists() else shutil.which("rungmaster")
    return child_environment(os.environ) | ({"RUNGMASTER": program} if program else {})
