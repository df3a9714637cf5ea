"""Hosts with addresses of their own on one machine, and a network between them that can lose, delay and cut.

Each host is a network namespace, with a host name of its own by which the others know it; they share the disk. What is
between them is a program (see switch.py) and no bridge with `tc netem`, which few kernels have: so delays, losses and
cuts are to be had wherever there are namespaces, each way by itself. TCP is the kernel's own at both ends. A host's
processes end with the test.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from .switch import Way, address

_PROGRAMS = ("ip", "unshare", "nsenter", "setpriv", "mount")
_NAMESPACES = ("unshare", "--net", "--uts", "--mount")
_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


def missing() -> str:
    """Why there can be no such hosts here; empty where there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "hosts of one's own need Linux, and root"
    absent = [program for program in _PROGRAMS if shutil.which(program, path=_PATH) is None]
    if absent:
        return f"no {', '.join(absent)} here (Debian: iproute2 and util-linux)"
    try:
        with open("/dev/net/tun", "rb"):  # noqa: PTH123 - it is no file
            pass
        subprocess.run([*_NAMESPACES, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"this machine allows no network namespaces ({getattr(error, 'stderr', None) or error})"
    return ""


class Host:
    """One host: what is run in it has its address and its name, and the test's disk."""

    def __init__(self, number: int, name: str, names: Path) -> None:
        """`names` is what the host has for /etc/hosts."""
        self.number, self.name, self.address = number, name, address(number)
        setup = 'mount --bind "$0" /etc/hosts && echo "$1" > /proc/sys/kernel/hostname && echo && exec cat'
        # It holds the namespaces, and ends with the test: then they are gone.
        self._holder = subprocess.Popen(
            [*_NAMESPACES, "sh", "-c", setup, str(names), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"\n", f"no namespace for {name}"
        self._namespace = _namespace_of(self.pid)

    @property
    def pid(self) -> int:
        """The process that stands for the host."""
        return self._holder.pid

    def inside(self, folder: Path = Path("/")) -> tuple[str, ...]:
        """What has to stand before a command for it to run here, in that folder. It is killed when the test is."""
        entering = ("nsenter", "--net", "--uts", "--mount", f"--target={self.pid}")
        return ("setpriv", "--pdeathsig", "KILL", *entering, "sh", "-c", 'cd "$0" && exec "$@"', str(folder))

    def processes(self) -> list[int]:
        """All that run here now, but for the one that stands for the host."""
        return [pid for pid in _all_processes() if pid != self.pid and _namespace_of(pid) == self._namespace]

    def kill_all(self) -> None:
        """Ends all of them at once, as a power cut does."""
        while processes := self.processes():
            for pid in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """Ends the host with all that runs there."""
        self.kill_all()
        self._holder.kill()
        self._holder.communicate()


class Lan:
    """Hosts by their names, and the network between them; a context manager."""

    def __init__(self, names: Iterable[str]) -> None:
        self._hosts: dict[str, Host] = {}
        self._switch: subprocess.Popen[str] | None = None
        numbers = {name: number for number, name in enumerate(names, 1)}
        known = ["127.0.0.1 localhost", *(f"{address(number)} {name}" for name, number in numbers.items())]
        try:
            with tempfile.NamedTemporaryFile("w", prefix="rungmaster-names-") as hosts:
                hosts.write("".join(f"{line}\n" for line in known))
                hosts.flush()
                # Where it is mounted it stays.
                for name, number in numbers.items():
                    self._hosts[name] = Host(number, name, Path(hosts.name))
            self._switch = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("switch.py")), *(str(h.pid) for h in self.hosts)],
                env=os.environ | {"PATH": _PATH},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._answer("ready")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Lan:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getitem__(self, name: str) -> Host:
        return self._hosts[name]

    @property
    def hosts(self) -> list[Host]:
        """All of them."""
        return list(self._hosts.values())

    def way(self, source: str, target: str, way: Way) -> None:
        """How it is from now on from one host to another; the way back stays as it is."""
        assert self._switch is not None
        assert self._switch.stdin is not None
        pair = {"source": self[source].number, "target": self[target].number}
        self._switch.stdin.write(json.dumps(pair | asdict(way)) + "\n")
        self._switch.stdin.flush()
        self._answer("done")

    def ways(self, sources: Iterable[str], targets: Iterable[str], way: Way) -> None:
        """The same from each of some to each of others."""
        targets = list(targets)
        for source in sources:
            for target in targets:
                if source != target:
                    self.way(source, target, way)

    def everywhere(self, way: Way) -> None:
        """The same between all."""
        self.ways(self._hosts, self._hosts, way)

    def others(self, name: str) -> list[str]:
        """All hosts but one."""
        return [other for other in self._hosts if other != name]

    def lose(self, name: str) -> None:
        """A host is gone from one moment to the next, and says goodbye to nobody."""
        for source, targets in (([name], self.others(name)), (self.others(name), [name])):
            self.ways(source, targets, Way(unplugged=True))
        self[name].kill_all()

    def _answer(self, expected: str) -> None:
        assert self._switch is not None
        assert self._switch.stdout is not None
        answer = self._switch.stdout.readline().strip()
        assert answer == expected, f"the switch said {answer!r} and not {expected!r}"

    def close(self) -> None:
        """Ends everything."""
        if self._switch is not None:
            self._switch.kill()
            self._switch.communicate()
        for host in self.hosts:
            host.close()


def _all_processes() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _namespace_of(pid: int) -> str:
    """Empty where the process has ended."""
    try:
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    except OSError:
        return ""
