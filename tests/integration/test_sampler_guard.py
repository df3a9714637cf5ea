"""The guard of a sampler program, over real processes: nothing that the program started is left, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest

from rungmaster.shared.sampling.programs import Command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the program's group is ended")

GIB = 2**30
DAEMON = """
import os, subprocess, time
os.setsid()
child = subprocess.Popen(["sleep", "1000"])
print(os.getpid(), child.pid, flush=True)
time.sleep(1000)
"""
#: Starts a family: a child, a daemon in a session of its own whose parent has ended, and a child of that; tells their
#: ids in two lines, and goes on when it is told to.
FAMILY = f"""
import os, signal, subprocess, sys, time
child = subprocess.Popen(["sleep", "1000"])
parent = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]])"
subprocess.run([sys.executable, "-c", parent, {DAEMON!r}])
print(os.getpid(), child.pid, flush=True)
input()
"""
#: Two children tell their ids, and on a word each takes more than half of the memory that they may use together.
EATS = """
import os, sys, time
os.write(1, b"%d\\n" % os.getpid())
sys.stdin.readline()
held = b"x" * (60 << 20)
time.sleep(1000)
"""
GREEDY = f"""
import subprocess, sys, time
children = [subprocess.Popen([sys.executable, "-c", {EATS!r}], stdin=subprocess.PIPE) for _ in range(2)]
input()
for child in children:
    child.stdin.write(b"eat\\n")
    child.stdin.flush()
time.sleep(1000)
"""


class Guarded:
    """A guard with a program, as a host holds them."""

    def __init__(self, code: str, memory_bytes: int = GIB) -> None:
        read, self._lifeline = os.pipe()
        command = Command((sys.executable, "-c", textwrap.dedent(code)), {})
        self.process = subprocess.Popen(
            command.guarded(memory_bytes, read, nice=3),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[read],
            text=True,
        )
        os.close(read)
        self.known: list[psutil.Process] = []

    def say(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()

    def pids(self, lines: int = 1) -> list[psutil.Process]:
        """The processes whose ids the program prints."""
        self.known += [psutil.Process(int(pid)) for _ in range(lines) for pid in self.line().split()]
        return self.known

    def let_go(self) -> None:
        """As the kernel does when the host is killed."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
        self._lifeline = -1

    def end(self) -> tuple[int, str]:
        """Its exit code, and what it told people."""
        _, told = self.process.communicate(timeout=30)
        return self.process.returncode, told


@pytest.fixture
def guarded() -> Iterator[Callable[..., Guarded]]:
    every: list[Guarded] = []

    def start(code: str, **options: int) -> Guarded:
        every.append(Guarded(code, **options))
        return every[-1]

    yield start
    for each in every:
        for process in each.known:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        each.let_go()
        each.process.kill()
        each.process.communicate(timeout=30)


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=20)
    return not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]


def test_the_host_talks_with_the_program_itself_and_learns_how_it_ended(guarded: Callable[..., Guarded]) -> None:
    talking = guarded("import sys; print(input(), flush=True); sys.stderr.write('for people'); sys.exit(7)")
    talking.say("hello")
    assert talking.line() == "hello\n"
    assert talking.end() == (7, "for people")


def test_a_program_that_ends_with_its_input_is_let_end_by_itself(guarded: Callable[..., Guarded]) -> None:
    code, told = guarded("import sys; sys.stdin.read(); print('bye')").end()
    assert (code, told) == (0, "")


def test_a_signal_that_ended_the_program_is_passed_on(guarded: Callable[..., Guarded]) -> None:
    assert guarded("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").end() == (-signal.SIGSEGV, "")


def test_a_command_that_cannot_be_run_is_said_in_one_line() -> None:
    guard = Command(("/no/such/program",), {}).guarded(GIB, 0)
    done = subprocess.run(guard, stdin=subprocess.PIPE, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (127, "cannot run /no/such/program: No such file or directory\n")


def test_all_that_the_program_started_ends_with_it(guarded: Callable[..., Guarded]) -> None:
    family = guarded(FAMILY)
    processes = family.pids(2)
    family.say("")
    assert family.end()[0] == 0
    assert len(processes) == 4
    assert gone(processes)


def test_all_ends_when_the_host_is_killed(guarded: Callable[..., Guarded]) -> None:
    """The kernel closes a dead process's end of the lifeline; the program does not even look at its input."""
    family = guarded(FAMILY.replace("input()", "") + "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)")
    processes = family.pids(2)
    family.let_go()
    assert family.end()[0] == -signal.SIGKILL
    assert gone(processes)


def test_all_ends_when_the_guard_is_told_to_end(guarded: Callable[..., Guarded]) -> None:
    family = guarded(FAMILY.replace("input()", "") + "time.sleep(1000)")
    processes = family.pids(2)
    family.process.terminate()
    assert family.end()[0] == -signal.SIGKILL
    assert gone(processes)


def test_the_program_ends_when_its_guard_is_killed(guarded: Callable[..., Guarded]) -> None:
    alone = guarded("import os, time; print(os.getpid(), flush=True); time.sleep(1000)")
    processes = alone.pids()
    alone.process.kill()
    assert gone(processes)


def test_a_family_that_uses_too_much_memory_is_ended_and_people_are_told(guarded: Callable[..., Guarded]) -> None:
    greedy = guarded(GREEDY, memory_bytes=100 << 20)
    processes = greedy.pids(2)
    greedy.say("eat")
    code, told = greedy.end()
    assert code == -signal.SIGKILL
    assert told.startswith("the sampler was ended: it used 0.1")
    assert "it may use 0.0977 GiB (`memory` in the spec's sampler)" in told
    assert gone(processes)


def test_the_program_runs_in_a_session_of_its_own_politely_and_goes_first_where_memory_runs_out(
    guarded: Callable[..., Guarded],
) -> None:
    about = "os.getsid(0) == os.getpid(), os.nice(0), open('/proc/self/oom_score_adj').read().strip()"
    told = guarded(f"import os; print({about}, sorted(map(int, os.listdir('/proc/self/fd'))))").line()
    assert told == f"True {os.nice(0) + 3} 500 [0, 1, 2, 3]\n"


def test_a_program_that_lets_go_of_its_output_is_noticed_by_its_host(guarded: Callable[..., Guarded]) -> None:
    silent = guarded("import os, time; os.close(1); time.sleep(1000)")
    began = time.monotonic()
    assert silent.line() == ""
    assert time.monotonic() - began < 20
    assert silent.process.poll() is None


def test_the_guard_needs_the_standard_library_alone() -> None:
    program = (
        "import rungmaster.sampler.guard, sys;"
        "names = {name.split('.')[0] for name, module in sys.modules.items() if getattr(module, '__file__', None)};"
        "ours = names - sys.stdlib_module_names - {'sitecustomize', 'usercustomize'};"
        "print(*sorted(name for name in ours if not name.startswith('_')))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["rungmaster"]
