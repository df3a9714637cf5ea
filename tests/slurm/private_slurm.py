"""A real Slurm of one node, in a folder of its own, for as long as a test takes.

Everything has its own ports and its own socket of munge, so that several may run beside each other and beside an
installed one. All of it, the jobs included, runs in a PID namespace of its own, which ends with the test however that
ends: nothing is left of a test that was killed. It needs root, and Debian's packages `slurm-wlm` and `munge`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path

#: Programs that have to be there: daemons first, which are in the folders of the administrator.
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "squeue", "scontrol", "unshare", "nsenter")
_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
_READY_S = 60.0
#: What stands before a command that is to be the first process of a namespace; it ends with what started it.
_NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")

_SLURM_CONF = r"""
ClusterName=rungmaster-test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that was queued again waits for so many seconds, and one; less than five counts as the usual 120.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=100000,batch_sched_delay=0,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdParameters=config_overrides
MinJobAge=300
KillWait=30
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 NodeHostname={host} CPUs={cores} CoresPerSocket={cores} \
    ThreadsPerCore=1 Gres=gpu:{gpus} State=UNKNOWN
PartitionName=low Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=high Nodes={host} MaxTime=INFINITE State=UP PriorityTier=10
"""
_CGROUP_CONF = """
CgroupPlugin=cgroup/v1
CgroupAutomount=no
IgnoreSystemd=yes
"""


def missing() -> str:
    """Why no Slurm can be started here; empty where one can."""
    if os.geteuid() != 0:
        return "a Slurm of one's own needs root"
    absent = [program for program in PROGRAMS if shutil.which(program, path=_PATH) is None]
    if absent:
        return f"no {', '.join(absent)} here (Debian: slurm-wlm, munge and util-linux)"
    tried = subprocess.run([*_NAMESPACE, "true"], capture_output=True, text=True, check=False)
    return f"this machine allows no PID namespace ({tried.stderr.strip()})" if tried.returncode else ""


class PrivateSlurm:
    """The daemons; a context manager. `environment` leads Slurm's commands to them."""

    def __init__(self, folder: Path, *, cores: int = 8, gpus: int = 2) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PATH": _PATH, "SLURM_CONF": str(folder / "slurm.conf")}
        for name in [
            name for name in self.environment if name.startswith(("SLURM_", "SBATCH_")) and name != "SLURM_CONF"
        ]:
            del self.environment[name]
        self._cores, self._gpus = cores, gpus
        #: The first process of the namespace: it reads until this process has ended, and the kernel ends the others.
        self._guard: subprocess.Popen[bytes] | None = None
        self._daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> PrivateSlurm:
        try:
            self._configure()
            self._guard = _first_process()
            self._start("munged", "--foreground", "--force", *self._munge_options())
            self._wait("munge", lambda: (self.folder / "munge.socket").exists())
            self._start("slurmctld", "-D", "-f", str(self.folder / "slurm.conf"))
            self._start("slurmd", "-D", "-f", str(self.folder / "slurm.conf"))
            self._wait("the node", lambda: self.command("sinfo", "--noheader", "--format=%T").strip() == "idle")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if len(self._daemons) > 1:
                subprocess.run(["scancel", "--user=root"], env=self.environment, check=False, capture_output=True)
                self._wait("the jobs' end", lambda: not self.command("squeue", "--noheader").strip(), or_else=False)
        finally:
            if self._guard is not None:
                self._guard.communicate()
            for daemon in self._daemons:
                daemon.wait()

    def command(self, *arguments: str) -> str:
        """What one of Slurm's commands prints; empty where it fails."""
        done = subprocess.run(arguments, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout if done.returncode == 0 else ""

    def _configure(self) -> None:
        host = socket.gethostname().split(".")[0]
        places = {"folder": self.folder, "host": host, "cores": self._cores, "gpus": self._gpus}
        ports = _free_ports(2)
        text = _SLURM_CONF.format(controller_port=ports[0], node_port=ports[1], **places)
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "cgroup.conf").write_text(_CGROUP_CONF)
        # What Slurm takes for a GPU is any device; those that hide nothing are always there.
        devices = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"][: self._gpus]
        (self.folder / "gres.conf").write_text("".join(f"Name=gpu File={device}\n" for device in devices))
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)

    def _munge_options(self) -> list[str]:
        places = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        return [f"--{option}={self.folder}/munge.{name}" for option, name in places.items()]

    def _start(self, program: str, *arguments: str) -> None:
        path = shutil.which(program, path=_PATH)
        assert path is not None, f"{program} is not here"
        assert self._guard is not None
        namespaces = f"/proc/{self._guard.pid}/ns"
        inside = ("nsenter", f"--pid={namespaces}/pid_for_children", f"--mount={namespaces}/mnt", "--")
        with (self.folder / f"{program}.out").open("wb") as output:
            self._daemons.append(
                subprocess.Popen(
                    [*inside, path, *arguments],
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )
            )

    def _wait(self, what: str, condition, *, or_else: bool = True) -> None:
        deadline = time.monotonic() + _READY_S
        while not condition():
            if time.monotonic() > deadline:
                assert not or_else, f"waited in vain for {what}: {self._last_words()}"
                return
            time.sleep(0.1)

    def _last_words(self) -> str:
        logs = [*self.folder.glob("*.out"), *self.folder.glob("*.log")]
        return "; ".join(f"{log.name}: {log.read_text(errors='replace')[-600:]}" for log in logs)


def _first_process() -> subprocess.Popen[bytes]:
    """Makes the namespace, and gives what made it."""
    guard = subprocess.Popen(
        [*_NAMESPACE, "sh", "-c", "echo && exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert guard.stdout is not None
    assert guard.stdout.readline() == b"\n", "no PID namespace could be made"
    return guard


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
