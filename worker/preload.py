"""Imports a trial's code ahead of the trial, and judges whether a fork of that is as good as a fresh process."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: What an open one of these means: a GPU's driver runs in this process, and a fork of it could use no GPU.
_DEVICES = ("/dev/nvidia-uvm", "/dev/kfd", "/dev/dri/", "/dev/accel", "/dev/davinci")
_TASKS = Path("/proc/self/task")
#: Time and size of a source file, from which a change is known.
Stamp = tuple[int, int]


class CannotFork(Exception):
    """Trials have to start in fresh processes; the text says why."""


def preload(module: str, watched: Callable[[str], bool]) -> dict[str, Stamp]:
    """Imports the module, and gives the source files that are its project's own, as they are now.

    `watched` tells which environment variables differ from trial to trial. Raises CannotFork where the import fails,
    looks at such a variable, leaves threads behind or starts a GPU's driver.
    """
    with _watching(watched) as seen:
        try:
            importlib.import_module(module)
        except BaseException as error:
            raise CannotFork(f"importing {module} failed: {error!r}") from error
    # What is ignored would be reaped by nobody's asking.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if seen:
        raise CannotFork(f"the import of {module} looks at what differs from trial to trial: {', '.join(seen)}")
    check_devices()
    check_threads()
    gc.collect()
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


def check_devices(descriptors: Path = Path("/proc/self/fd"), devices: tuple[str, ...] = _DEVICES) -> None:
    """Raises CannotFork where a GPU's driver was started in this process."""
    for descriptor in descriptors.iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue
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
