"""Makes the environments of samplers: from the lock files in `environments`, whole or not at all, and resumable."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ..shared.errors import FailedPrecondition
from ..shared.files import written_whole
from ..shared.sampling.programs import (
    MARKER,
    PROGRAMS,
    environment_folder,
    installed,
    interpreter,
    samplers_folder,
)

LOCKS = Path(__file__).parent / "environments"
#: What a half-made environment is made for: it is gone on with only where that is still wanted.
_WANTED = "wanted.json"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an environment is made besides its lock file. `download_mb` and `disk_mb`: about what it takes, in MB.

    `resolved` are the packages that pip may give what they require; all others are installed as they are locked,
    because what some of them require of each other cannot all be had.
    """

    download_mb: int
    disk_mb: int
    resolved: tuple[str, ...] = ()
    remark: str = ""


_TORCH = (
    "PyTorch comes from your package index; on Linux with an x86-64 processor that of PyPI is a build for CUDA, which "
    "takes 3 GB more. To have the one for processors, name an index that has it: PIP_EXTRA_INDEX_URL=…"
)
RECIPES = {
    "optuna": Recipe(30, 150),
    "cqr": Recipe(60, 250),
    "hebo": Recipe(420, 1800, ("torch",), _TORCH),
    "vizier": Recipe(200, 900),
}
"""The samplers that can be installed; `bohb` needs nothing that Rungmaster does not need itself."""


def costs(name: str) -> str:
    """What is told before it is installed."""
    recipe = RECIPES[name]
    disk = f"{recipe.disk_mb / 1000:.3g} GB" if recipe.disk_mb >= 1000 else f"{recipe.disk_mb} MB"
    return f"about {recipe.download_mb} MB to download, {disk} on disk"


def is_current(name: str) -> bool:
    """Whether its environment is there, and as the lock file has it."""
    known = installed(name)
    return known is not None and known.get("lock") == _digest(name)


def install(name: str, say: Callable[[str], None]) -> Path:
    """Makes the environment of a sampler, or goes on with one that was interrupted; the folder. `say` is told what
    people want to know. Raises FailedPrecondition where somebody else is just making it, or it cannot be made.
    """
    folder = environment_folder(name)
    if is_current(name):
        say(f"{name} is installed already in {folder}")
        return folder
    with alone(name):
        say(f"installing {name} with Python {sys.version.split()[0]} into {folder}: {costs(name)}")
        if RECIPES[name].remark:
            say(RECIPES[name].remark)
        partial = _begun(name, say)
        _fill(name, partial)
        _try_out(name, partial)
        with written_whole(partial / MARKER, replace=True) as target:
            target.write_text(json.dumps(_wanted(name)), encoding="utf-8")
        _put_in_place(partial, folder)
    say(f"{name} is installed")
    return folder


@contextmanager
def alone(name: str) -> Iterator[None]:
    """While this is held nobody else makes the same environment; it ends with the process, however that ends."""
    samplers_folder().mkdir(parents=True, exist_ok=True)
    path = samplers_folder() / f"{name}.lock"
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FailedPrecondition(f"{name} is just being installed by another process") from None
        yield
    finally:
        os.close(descriptor)


def _begun(name: str, say: Callable[[str], None]) -> Path:
    """The half-made environment: that of an earlier attempt where it fits, else a new one."""
    partial = environment_folder(name).with_name(f"{name}.partial")
    note, wanted = partial / _WANTED, json.dumps(_wanted(name))
    if note.exists() and note.read_text(encoding="utf-8") == wanted:
        say("going on with what an earlier attempt left")
        return partial
    shutil.rmtree(partial, ignore_errors=True)
    venv.create(partial, with_pip=True)
    note.write_text(wanted, encoding="utf-8")
    return partial


def _fill(name: str, partial: Path) -> None:
    lock = str(LOCKS / f"{name}.txt")
    for package in RECIPES[name].resolved:
        _pip(partial, package, "--constraint", lock)
    _pip(partial, "--no-deps", "--requirement", lock)


def _pip(partial: Path, *arguments: str) -> None:
    """What pip prints goes to this process's own output; where an earlier attempt put a package, it stays."""
    command = [str(interpreter(partial)), "-P", "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - our own command
        raise FailedPrecondition("pip could not install it; the same command goes on from here when it is run again")


def _try_out(name: str, partial: Path) -> None:
    """An environment in which the packages cannot be imported is none."""
    program = "; ".join(f"import {package}" for package in PROGRAMS[name].packages)
    command = [str(interpreter(partial)), "-P", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise FailedPrecondition(f"{name} is installed, but cannot be imported: {why}")


def _put_in_place(partial: Path, folder: Path) -> None:
    """A program that runs in an earlier environment keeps its open files; the next one starts in the new one."""
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _digest(name: str) -> str:
    return sha256((LOCKS / f"{name}.txt").read_bytes()).hexdigest()


def _wanted(name: str) -> dict[str, str]:
    return {"lock": _digest(name), "python": sys.version.split()[0]}
