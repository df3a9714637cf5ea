"""Imports libraries ahead of the trials, and judges whether a fork after that is as good as a fresh process."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from .libraries import Import, is_library_file
from .signals import FOR_THE_WORKER

#: What an open one of these means: a GPU's driver runs in this process, and a fork of it could use no GPU.
_DEVICES = ("/dev/nvidia-uvm", "/dev/kfd", "/dev/dri/", "/dev/accel", "/dev/davinci")
_TASKS = Path("/proc/self/task")
_DESCRIPTORS = Path("/proc/self/fd")
#: May be open in several processes at once.
_HARMLESS = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


class CannotFork(Exception):
    """Trials have to start in fresh processes; the text says why."""


def preload(imports: Iterable[Import]) -> list[str]:
    """Does the imports, and returns the modules that are not there.

    Raises CannotFork where one fails, imports code that is of no library, installs handlers of signals, leaves threads
    or open files behind, or starts a GPU's driver.
    """
    missing: list[str] = []
    known, files = set(sys.modules), set(_open_files().items())
    folders = tuple(f"{os.path.abspath(entry)}{os.sep}" for entry in sys.path if not is_library_file(entry))  # noqa: PTH100
    for each in imports:
        try:
            __import__(each.module, fromlist=each.names)
        except BaseException as error:
            if isinstance(error, ModuleNotFoundError) and f"{each.module}.".startswith(f"{error.name}."):
                missing.append(each.module)
                continue
            raise CannotFork(f"importing {each.module} failed: {error!r}") from error
        check_fork(each.module)
        _check_code(each.module, known, folders)
        _check_state(each.module, files)
    # What is ignored would be reaped by nobody's asking.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    gc.collect()
    gc.freeze()
    return missing


def check_fork(library: str = "a preloaded library") -> None:
    """Raises CannotFork where a GPU's driver runs in this process, or there are threads, which a fork would lose.

    Threads of native libraries that end and begin again around a fork by themselves, as OpenBLAS's do, are harmless:
    a first fork, for nothing, tells.
    """
    for target in _open_files().values():
        if target.startswith(_DEVICES):
            raise CannotFork(f"importing {library} starts a GPU's driver (it holds {target})")
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        raise CannotFork(f"importing {library} starts threads: {', '.join(others)}")
    if len(_native_threads()) > 1:
        _fork_for_nothing()
    left = _native_threads()
    if len(left) > 1:
        raise CannotFork(
            f"importing {library} starts threads of native libraries, {len(left) - 1} of them: {', '.join(left)}"
        )


def _check_code(library: str, known: set[str], folders: tuple[str, ...]) -> None:
    """Raises CannotFork where the project's own code was imported: each trial has to see it as it is then."""
    for name in sys.modules.keys() - known:
        file = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(file, str) and file.startswith(folders) and not is_library_file(file):
            raise CannotFork(f"importing {library} imports {file}, which is of no installed library")
        known.add(name)


def _check_state(library: str, before: set[tuple[str, str]]) -> None:
    """Raises CannotFork where all trials would share a place in a file or a connection, or have handlers of signals."""
    for descriptor, target in _open_files().items():
        if (descriptor, target) not in before and target not in _HARMLESS:
            raise CannotFork(f"importing {library} leaves {target} open, whose position all trials would share")
    for number in FOR_THE_WORKER:
        if signal.getsignal(number) is not signal.SIG_IGN:
            raise CannotFork(f"importing {library} installs a handler of {number.name}")


def _open_files() -> dict[str, str]:
    """What is open in this process, by descriptor."""
    files: dict[str, str] = {}
    for descriptor in _DESCRIPTORS.iterdir():
        # The listing itself is open for a moment.
        with contextlib.suppress(FileNotFoundError):
            files[descriptor.name] = str(descriptor.readlink())
    return files


def _native_threads() -> list[str]:
    """The names of all threads, as the kernel knows them."""
    names: list[str] = []
    for task in _TASKS.iterdir():
        try:
            names.append((task / "comm").read_text().strip())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return names


def _fork_for_nothing() -> None:
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
