"""Which installed libraries an entrypoint imports, read from the source of its module; nothing of that is run.

The source is read in the order in which it would run, that of local modules included, up to the first statement that
is there for its effect, such as `os.environ["OMP_NUM_THREADS"] = "1"` or `sys.path.insert(…)`: what is imported after
it may depend on it. Functions, and what runs under a condition, are passed over.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import NamedTuple

#: At most so many files are read, each of at most so many bytes.
MAX_FILES, MAX_BYTES = 100, 1 << 20

_LIBRARIES = frozenset({"site-packages", "dist-packages"})
_STDLIB = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})
#: Calls on their own that change nothing for an import after them.
_HARMLESS = ("warnings.", "logging.", "sys.path.append")


class Import(NamedTuple):
    """`import module`, or `from module import names`."""

    module: str
    names: tuple[str, ...] = ()


#: Time and size of a source file, from which a change is known.
Stamp = tuple[int, int]


class Sources(NamedTuple):
    """What was read: the imports of installed libraries in their order, and the files as they were."""

    imports: tuple[Import, ...]
    stamps: Mapping[Path, Stamp]

    @property
    def changed(self) -> bool:
        """Whether a file is not what it was."""
        return any(_stamp_of(file) != stamp for file, stamp in self.stamps.items())


def read_sources(module: str) -> Sources:
    """Reads the source of an entrypoint's module, and of the local modules that it imports."""
    importlib.invalidate_caches()
    reading = _Reading(module.partition(".")[0])
    # What is nested as deep as that was read far enough.
    with contextlib.suppress(RecursionError):
        reading.follow(module, ())
    return Sources(tuple(reading.imports), reading.stamps)


def is_installed(module: str) -> bool | None:
    """Whether a module is of an installed library, and not of the project; None where its package is not found."""
    spec = _spec_of(module.partition(".")[0])
    return None if spec is None else _is_library(spec)


def is_library_file(file: str) -> bool:
    """Whether a file, or a folder, is of an installed library or of Python itself."""
    path = Path(file)
    return bool(_LIBRARIES & set(path.parts)) or any(path.is_relative_to(folder) for folder in _STDLIB)


class _Reading:
    """The state of one reading."""

    def __init__(self, own: str) -> None:
        """`own` is the entrypoint's package, which is no library even where it is installed."""
        self.imports: dict[Import, None] = {}
        self.stamps: dict[Path, Stamp] = {}
        self._own = own

    def follow(self, module: str, names: Sequence[str]) -> bool:
        """Reads a local module as an import would run it, its packages first. False where reading ends."""
        top, *below = module.split(".")
        spec = _spec_of(top)
        if spec is None:
            return True
        folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
        if spec.has_location and spec.origin and not self._read(Path(spec.origin), top):
            return False
        for length, part in enumerate(below, 2):
            file, folders = _inside(folders, part)
            if file is not None and not self._read(file, ".".join([top, *below][:length])):
                return False
        submodules = [(_inside(folders, name)[0], f"{module}.{name}") for name in names]
        return all(self._read(file, name) for file, name in submodules if file is not None)

    def _read(self, file: Path, name: str) -> bool:
        if file in self.stamps or len(self.stamps) >= MAX_FILES:
            return True
        self.stamps[file] = _stamp_of(file)
        try:
            tree = ast.parse(file.read_bytes() if self.stamps[file][1] <= MAX_BYTES else b"")
        except (OSError, SyntaxError, ValueError):
            return False
        return self._run(tree.body, name if file.name == "__init__.py" else name.rpartition(".")[0])

    def _run(self, statements: Iterable[ast.stmt], package: str) -> bool:
        return all(self._go_past(statement, package) for statement in statements)

    def _go_past(self, statement: ast.stmt, package: str) -> bool:
        match statement:
            case ast.Import(names=modules):
                return all(self._import(module.name, ()) for module in modules)
            case ast.ImportFrom(names=names):
                return self._import(_origin(statement, package), tuple(each.name for each in names if each.name != "*"))
            case ast.Try(body=body, orelse=orelse, finalbody=finalbody):
                return self._run([*body, *orelse, *finalbody], package)
            case ast.With(body=body):
                return self._run(body, package)
            case _:
                return not _acts(statement)

    def _import(self, module: str, names: tuple[str, ...]) -> bool:
        top = module.partition(".")[0]
        if top != self._own and is_installed(module):
            self.imports[Import(module, names)] = None
        elif top not in sys.modules:
            return self.follow(module, names)
        return True


def _origin(statement: ast.ImportFrom, package: str) -> str:
    """The full name of what is imported from."""
    if not statement.level:
        return statement.module or ""
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - statement.level + 1], *filter(None, [statement.module])])


def _acts(statement: ast.stmt) -> bool:
    """Whether a statement is there for its effect."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    if isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test):
        return False  # what it does as a program
    return any(map(_is_effect, ast.walk(statement)))


def _is_effect(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Call(func=function)):
            return not ast.unparse(function).startswith(_HARMLESS)
        case ast.Subscript(value=changed, ctx=ast.Store() | ast.Del()) | ast.AugAssign(target=changed):
            return ast.unparse(changed).endswith("environ")
        case _:
            return False


def _spec_of(top: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return None


def _is_library(spec: ModuleSpec) -> bool:
    if not spec.has_location and not spec.submodule_search_locations:
        return True  # built into Python
    places = [spec.origin] if spec.has_location and spec.origin else list(spec.submodule_search_locations or ())
    return all(map(is_library_file, places))


def _inside(folders: Sequence[Path], part: str) -> tuple[Path | None, list[Path]]:
    """The file of a module in a package of these folders, and the folders of its own."""
    for folder in folders:
        for file, own in ((folder / part / "__init__.py", [folder / part]), (folder / f"{part}.py", [])):
            if file.is_file():
                return file, own
    return None, [folder / part for folder in folders if (folder / part).is_dir()]


def _stamp_of(file: Path) -> Stamp:
    """Time and size of a file; of one that is gone, nothing's."""
    try:
        status = file.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
