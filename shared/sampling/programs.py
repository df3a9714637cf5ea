"""The sampler programs that this machine has: which there are, where their environments lie, what starts one."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import CannotStart
from ..spec.fields import did_you_mean

#: What a program gets of its host's environment: nothing that may hold a secret.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
#: A sampler shares its host with a master: one thread each for the libraries of numbers.
_THREADS = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")}
#: For our own: they compute on the processor, and write no .pyc files into a folder that may be another user's.
_OURS = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "PYTHONDONTWRITEBYTECODE": "1"}
_BOOT = "boot.py"
#: Written last: without it an environment is not there.
MARKER = "installed.json"


@dataclass(frozen=True, slots=True)
class Program:
    """A sampler program of ours: its module, and the packages, by the names they are imported by, that it cannot do
    without. Where the Python that runs has them, no environment is needed."""

    module: str
    packages: tuple[str, ...]


PROGRAMS: Mapping[str, Program] = {
    "bohb": Program("rungmaster.sampler.bohb", ("numpy",)),
    "cqr": Program("rungmaster.sampler.cqr", ("numpy", "sklearn")),
    "optuna": Program("rungmaster.sampler.optuna_samplers", ("optuna",)),
    "hebo": Program("rungmaster.sampler.hebo", ("hebo",)),
    "vizier": Program("rungmaster.sampler.vizier", ("vizier", "jax")),
}
"""Every sampler program by the name that a spec gives its sampler; `external` has programs by names of their own."""

EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class Command:
    """What starts a sampler program: its arguments, and its whole environment."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]

    def guarded(self, memory_bytes: int, lifeline: int, nice: int = 10) -> tuple[str, ...]:
        """The arguments that start it under a guard (`sampler/guard.py`). `lifeline` is the descriptor of a pipe's
        reading end, which the guard must inherit; nobody else but the host may hold the writing end."""
        options = ["--memory-bytes", str(memory_bytes), "--lifeline-fd", str(lifeline), "--nice", str(nice)]
        return (sys.executable, "-P", "-m", "rungmaster.sampler.guard", *options, "--", *self.arguments)


def samplers_folder() -> Path:
    """Where environments and external programs are kept: `$RUNGMASTER_SAMPLERS`, or a folder of this user's."""
    given = os.environ.get("RUNGMASTER_SAMPLERS")
    return Path(given) if given else Path.home() / ".local" / "share" / "rungmaster" / "samplers"


def environment_folder(name: str) -> Path:
    """Where the environment of a sampler of ours lies, or would."""
    return samplers_folder() / name


def interpreter(folder: Path) -> Path:
    """The Python of an environment."""
    return folder / "bin" / "python"


def installed(name: str) -> dict[str, Any] | None:
    """What is known of a sampler's environment; None where it has none, or a half-made one."""
    folder = environment_folder(name)
    try:
        known = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) and interpreter(folder).exists() else None


def is_at_hand(name: str) -> bool:
    """Whether the Python that runs has what a sampler of ours needs."""
    return all(map(find_spec, PROGRAMS[name].packages))


def command_of(name: str, program: str = "") -> Command:
    """What starts a sampler by its name in a spec, and for `external` by the name of its program.

    Raises CannotStart, whose text says what to do, where it is not installed or not known on this machine.
    """
    if name == EXTERNAL:
        return Command(external_command(program), scrubbed_environment())
    module, environment = PROGRAMS[name].module, scrubbed_environment() | _OURS
    if installed(name) is not None:
        # What JAX compiles takes many seconds, and is the same for the next process. The many small parts are kept,
        # too, but not the tiny ones, which are others for each number of trials.
        environment["JAX_COMPILATION_CACHE_DIR"] = str(environment_folder(name) / "compiled")
        environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
        boot = Path(__file__).resolve().parents[2] / "sampler" / _BOOT
        return Command((str(interpreter(environment_folder(name))), "-P", str(boot), module), environment)
    if is_at_hand(name):
        return Command((sys.executable, "-P", "-m", module), environment)
    raise CannotStart(
        f"sampler {name} is not installed on the master's host: run `rungmaster sampler install {name}` there"
    )


def scrubbed_environment() -> dict[str, str]:
    """What any sampler program gets of the environment of this process."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | _THREADS


def external_folder() -> Path:
    """Where the external programs are listed, one file for each."""
    return samplers_folder() / "external"


def externals() -> list[str]:
    """The names of the external programs that were added, in order."""
    return sorted(path.stem for path in external_folder().glob("*.json"))


def external_command(program: str) -> tuple[str, ...]:
    """The command of an external program. Raises CannotStart where there is none by this name."""
    # By the list, so that no name leads out of the folder.
    if program not in (known := externals()):
        what = f"there is no sampler program {program!r} on the master's host{did_you_mean(program, known)}"
        raise CannotStart(f"{what}; add it there: rungmaster sampler add {program} -- COMMAND…")
    path = external_folder() / f"{program}.json"
    try:
        command = json.loads(path.read_text(encoding="utf-8"))["command"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CannotStart(f"{path} cannot be read: {error}; add it again") from None
    return tuple(map(str, command))
