"""Which training code a search began with, and what of it has changed since.

The fingerprint of an entrypoint has the files below a folder that it consists of, as far as they can be told without
running any: a function's module and the modules there that it imports, or the files that a command names.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ..shared.errors import RungmasterError
from ..shared.limits import MAX_CODE_FILES
from ..shared.spec.document.reading import parse_document
from ..shared.text.visible import hidden_problem
from ..shared.wire.model import Experiment

_DIGITS = 16
_TOLD = 5
#: A larger file is data that a command names, and no code.
_MAX_BYTES = 16 * 2**20


def fingerprint(entrypoint: str | Sequence[str], folder: Path) -> dict[str, str]:
    """The files of an entrypoint below a folder, by path in it, each with the beginning of its SHA-256."""
    root, found = folder.resolve(), dict[Path, None]()
    for file in _named(entrypoint, root):
        _follow(file, root, found)
    inside = [file for file in found if file.is_relative_to(root) and not hidden_problem(str(file))][:MAX_CODE_FILES]
    return {file.relative_to(root).as_posix(): _digest(file) for file in sorted(inside)}


def fingerprint_of_spec(text: str, folder: Path) -> dict[str, str]:
    """The same for the text of a spec; empty where it is no document that names an entrypoint."""
    try:
        document = parse_document(text)
    except RungmasterError:
        return {}
    entrypoint = document.get("entrypoint") if isinstance(document, Mapping) else None
    parts = [entrypoint] if isinstance(entrypoint, str) else entrypoint
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return {}
    return fingerprint(entrypoint if isinstance(entrypoint, str) else parts, folder)


def changes(before: Mapping[str, str], folder: Path) -> list[str]:
    """What has become of the files of a fingerprint, a phrase for each that is not as it was.

    Nothing where none of them is there: the code lies elsewhere then.
    """
    files = {folder / path: digest for path, digest in before.items()}
    if not any(file.is_file() for file in files):
        return []
    return [_change(file, folder) for file, digest in files.items() if _digest(file) != digest]


def code_warning(experiment: Experiment, changed: Sequence[str]) -> str:
    """That code has changed since an experiment began, and when that was."""
    files = "; ".join([*changed[:_TOLD], *(["…"] if len(changed) > _TOLD else [])])
    return f"{files}; experiment {experiment.experiment_id} began {_time(experiment.create_time)} with other code"


def _change(file: Path, folder: Path) -> str:
    name = file.relative_to(folder).as_posix()
    if not file.is_file():
        return f"{name} is gone"
    return f"{name} was changed {_time(datetime.fromtimestamp(file.stat().st_mtime, UTC))}"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:_DIGITS]
    except OSError:
        return ""


def _named(entrypoint: str | Sequence[str], root: Path) -> Iterator[Path]:
    """The files that an entrypoint names itself."""
    if isinstance(entrypoint, str):
        yield from _module(entrypoint.partition(":")[0], root)
        return
    for before, part in zip(("", *entrypoint), entrypoint, strict=False):
        if before == "-m":
            yield from _module(part, root)
        elif _is_code(root / part):
            yield (root / part).resolve()


def _is_code(file: Path) -> bool:
    try:
        return file.is_file() and file.stat().st_size <= _MAX_BYTES
    except (OSError, ValueError):
        return False


def _module(name: str, root: Path) -> Iterator[Path]:
    """The file of a module below a folder, with those of the packages around it; none where it is not there."""
    parts = name.split(".")
    place = root.joinpath(*parts)
    packages = [root.joinpath(*parts[:length], "__init__.py") for length in range(1, len(parts) + 1)]
    for file in (*packages, place / "__main__.py", place.with_name(f"{place.name}.py")):
        if all(parts) and _is_code(file):
            yield file.resolve()


def _follow(file: Path, root: Path, found: dict[Path, None]) -> None:
    """Adds a file and, where it is Python, the files below the folder that it imports."""
    waiting = [file]
    while waiting and len(found) < MAX_CODE_FILES:
        file = waiting.pop()
        if file in found:
            continue
        found[file] = None
        if file.suffix == ".py":
            names = set(_imports(file, root))
            waiting += [each for name in sorted(names) for top in (root, file.parent) for each in _module(name, top)]


def _imports(file: Path, root: Path) -> Iterator[str]:
    """The names of the modules that a file may import, those of its functions included."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = _package(file, root, node.level) if node.level else []
            base = ".".join([*package, *filter(None, [node.module])])
            yield from filter(None, [base, *(f"{base}.{alias.name}".lstrip(".") for alias in node.names)])


def _package(file: Path, root: Path, level: int) -> list[str]:
    folder = file.parents[level - 1] if level <= len(file.parents) else root
    return list(folder.relative_to(root).parts) if folder.is_relative_to(root) else []
