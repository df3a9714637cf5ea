"""Imports a trial's code ahead of the trial, and judges whether a fork of that is as good as a fresh process."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: What an open one of these means: a GPU's driver runs in this process, and a fork of it could use no GPU.
_DEVICES = ("/dev/nvidia-uvm", "/dev/kfd", "/dev/dri/", "/dev/accel", "/dev/davinci")
_TASKS = Path("/proc/self/task")
_DESCRIPTORS = Path("/proc/self/fd")
#: May be open in several processes at once.
_HARMLESS = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
#: Time and size of a source file, from which a change is known.
Stamp = tuple[int, int]


class CannotFork(Exception):
    """Trials have to start in fresh processes; the text says why."""


def preload(module: str, watched: Callable[[str], bool]) -> dict[str, Stamp]:
    """Imports the module, and gives the source files that are its project's own, as they are now.

    `watched` tells which environment variables differ from trial to trial. Raises CannotFork where the import fails,
    looks at such a variable, leaves threads, open files or temporary folders behind, or starts a GPU's driver.
    """
    before = _open_files()
    with _watching(watched) as seen, _noting_folders() as made:
        try:
            importlib.import_module(module)
        except BaseException as error:
            raise CannotFork(f"importing {module} failed: {error!r}") from error
    # What is ignored would be reaped by nobody's asking.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if seen:
        raise CannotFork(f"the import of {module} looks at what differs from trial to trial: {', '.join(seen)}")
    check_devices()
    gc.collect()
    _check_files(before, made)
    check_threads()
    gc.freeze()
    return stamps_of_sources()


@contextmanager
def _watching(watched: Callable[[str], bool]) -> Iterator[dict[str, None]]:
    """Collects who reads or sets a watched variable, as `VARIABLE in module`."""
    seen: dict[str, None] = {}
    # Every access by name, whether `in`, `get`, `[…]` or `getenv`, encodes the name first.
    environ: Any = os.environ
    encode = environ.encodekey

    def noting(name: str) -> bytes:
        if isinstance(name, str) and watched(name):
            seen[f"{name} in {_caller()}"] = None
        return encode(name)

    environ.encodekey = noting
    try:
        yield seen
    finally:
        environ.encodekey = encode


def _caller() -> str:
    """The module that is behind an access to the environment."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__") in ("os", "_collections_abc", "collections.abc"):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__"))


@contextmanager
def _noting_folders() -> Iterator[list[str]]:
    """Collects the temporary folders that are made."""
    made: list[str] = []
    make = tempfile.mkdtemp

    def noting(*args: Any, **options: Any) -> str:
        made.append(make(*args, **options))
        return made[-1]

    tempfile.mkdtemp = noting
    try:
        yield made
    finally:
        tempfile.mkdtemp = make


def _check_files(before: Mapping[str, str], folders: list[str]) -> None:
    """Raises CannotFork where all trials would share a place in a file, a connection, or a temporary folder."""
    left = [folder for folder in folders if Path(folder).exists()]
    if left:
        raise CannotFork(f"its import makes temporary folders, which each trial has to have for itself: {left[0]}")
    for descriptor, target in _open_files().items():
        if before.get(descriptor) != target and target not in _HARMLESS:
            raise CannotFork(f"its import leaves {target} open, whose position all trials would share")


def _open_files() -> dict[str, str]:
    """What is open in this process, by descriptor."""
    files: dict[str, str] = {}
    for descriptor in _DESCRIPTORS.iterdir():
        # The listing itself is open for a moment.
        with contextlib.suppress(FileNotFoundError):
            files[descriptor.name] = str(descriptor.readlink())
    return files


def check_devices(devices: tuple[str, ...] = _DEVICES) -> None:
    """Raises CannotFork where a GPU's driver was started in this process."""
    for target in _open_files().values():
        if target.startswith(devices):
            raise CannotFork(f"its import starts a GPU's driver (it holds {target}); ask for GPUs in functions instead")


def check_threads() -> None:
    """Raises CannotFork where there are threads, which a fork would lose.

    Threads of native libraries that end and begin again around a fork by themselves, as OpenBLAS's do, are harmless:
    a first fork, for nothing, tells.
    """
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        raise CannotFork(f"its import starts threads: {', '.join(map(_describe, others))}")
    if len(_native_threads()) > 1:
        _fork_for_nothing()
    left = _native_threads()
    if len(left) > 1:
        raise CannotFork(f"its import starts threads of native libraries, {len(left) - 1} of them: {', '.join(left)}")


def _describe(thread: threading.Thread) -> str:
    target = getattr(thread, "_target", None) or type(thread)
    return f"{thread.name} of {getattr(target, '__module__', '?')}"


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


def stamps_of_sources() -> dict[str, Stamp]:
    """The files of all imported modules that were not installed as libraries, as they are now."""
    libraries = tuple(
        f"{path}{os.sep}" for name, path in sysconfig.get_paths().items() if name.endswith(("lib", "stdlib"))
    )
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return {file: stamp_of(file) for file in files if isinstance(file, str) and not file.startswith(libraries)}


def stamp_of(file: str) -> Stamp:
    """Time and size of a file; of one that is gone, nothing's."""
    try:
        status = Path(file).stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def changed(stamps: Mapping[str, Stamp]) -> str | None:
    """A source file that is not what it was; None where all are."""
    return next((file for file, stamp in stamps.items() if stamp_of(file) != stamp), None)
