"""The file in which a master tells where it is: `master --announce FILE`, and `--master file:FILE` for the others.

For clusters whose batch system chooses the host: master, workers and clients have a folder in common, but nobody knows
the address before the master has started, and it is another one when it was started again elsewhere. So the file is
read anew for each attempt to connect.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InvalidInput, Unavailable
from ..files import written_whole
from .addresses import ANNOUNCED, is_announced, parse_addresses

#: Characters that it has at most: the longest name of a host has 253.
_LONGEST = 400


class NotAnnounced(Unavailable):
    """No master has told its address yet, or where it is told cannot be read now: to be looked at again."""


def check_announceable(path: Path) -> None:
    """Raises InvalidInput where no address can be written to `path`."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise InvalidInput(f"--announce {path}: there is no folder {folder}; make it first")
    if path.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidInput(f"--announce {path}: cannot be written")


def announce(path: Path, address: str) -> None:
    """Writes `address` to `path`, in place of what another master wrote. Whoever reads sees one of them, whole.

    Raises InvalidInput where it cannot be written.
    """
    try:
        with written_whole(path, replace=True) as partial:
            partial.write_text(f"{address}\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"--announce {path}: cannot be written: {error.strerror}") from error


def current(address: str) -> str:
    """`address` itself, or where it names a file what is written there now.

    Raises NotAnnounced where no master has written it yet, InvalidInput where something else stands there.
    """
    if not is_announced(address):
        return address
    path = Path(address.removeprefix(ANNOUNCED))
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_LONGEST + 1)
    except OSError as error:
        raise NotAnnounced(
            f"no master has told its address in {path} ({error.strerror}); does one run with --announce {path}?"
        ) from error
    told = _addresses(text)
    if len(told) != 1 or is_announced(told[0]):
        raise InvalidInput(f"{path}: is not what `rungmaster master --announce` writes, but {text[:60]!r}")
    return told[0]


def _addresses(text: str) -> tuple[str, ...]:
    try:
        return parse_addresses(text) if len(text) <= _LONGEST and text.strip().isprintable() else ()
    except InvalidInput:
        return ()
