"""Looks whether this machine can start what a spec names, before anything is started: as a worker here would.

As a program it imports an entrypoint, in a process of its own: python -P -m rungmaster.shared.rehearsal ENTRYPOINT FILE
writes into FILE what is wrong, or nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from .checkpoints.storage import LOCAL, check_folder, check_packages, resolve
from .entrypoints import check_command, find_function
from .errors import CannotStart, Unavailable
from .text.failure_text import exception_line

if TYPE_CHECKING:
    from .spec.spec import Spec

#: Seconds for an import; one that takes longer is left to the workers.
PATIENCE_S = 120.0


def rehearse(spec: Spec, directory: Path) -> None:
    """Raises CannotStart where a program, module, function, package, folder or bucket is missing that trials need, or
    the right to write there."""
    storage = spec.checkpoints.storage
    check_packages(storage)
    url = resolve(storage, directory)
    if url.startswith(LOCAL):
        _try_folder(Path(url.removeprefix(LOCAL)))
    else:
        _try_bucket(url)
    if isinstance(spec.entrypoint, str):
        _import(spec.entrypoint, directory)
    else:
        check_command(spec.entrypoint, directory)


def _try_folder(folder: Path) -> None:
    """Makes the folder, and removes again what was not there."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with contextlib.suppress(OSError):
        check_folder(folder)
        for path in made:
            path.rmdir()


def _try_bucket(url: str) -> None:
    """One that does not answer now is waited for by the workers."""
    from .checkpoints.buckets import check_bucket

    with contextlib.suppress(Unavailable):
        check_bucket(url)


def _import(entrypoint: str, directory: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNGMASTER_")}
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch, "problem")
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-P", "-m", __name__, entrypoint, str(answer)],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with process, contextlib.suppress(subprocess.TimeoutExpired):
            try:
                code = process.wait(PATIENCE_S)
            finally:
                # Whatever the import has started ends with it.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            if answer.exists():
                raise CannotStart(answer.read_text())
            if code:
                raise CannotStart(f"entrypoint {entrypoint!r}: the process that imported it ended with code {code}")


def _problem(entrypoint: str) -> str:
    """What importing an entrypoint meets; empty for nothing, or for what may come of being outside a worker."""
    try:
        find_function(entrypoint)
    except CannotStart as error:
        return str(error)
    except BaseException as error:  # noqa: BLE001 - whatever it is, each trial would meet it
        if "RUNGMASTER_" in "".join(traceback.format_exception(error)):
            return ""
        return f"entrypoint {entrypoint!r}: importing {entrypoint.partition(':')[0]} failed: {exception_line(error)}"
    return ""


def main(arguments: list[str]) -> None:
    """Imports an entrypoint and writes down what is wrong."""
    entrypoint, answer = arguments
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - the import system wants a string
    sys.argv = [entrypoint]
    if problem := _problem(entrypoint):
        Path(answer).write_text(problem)
    # Threads and exit handlers of the imported code are nothing to wait for.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
