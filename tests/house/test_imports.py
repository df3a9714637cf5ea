"""Who may import whom. The picture is in docs/architecture.md."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

import pytest

from .source import Module, is_within, modules

#: Each part may import itself and what stands here.
ALLOWED = {
    "proto": (),
    "shared": ("proto",),
    "worker": ("shared", "proto"),
    "master": ("shared", "proto"),
    "sampler": ("shared",),
    "plots": ("shared",),
    "client": ("plots", "shared", "proto"),
    "dashboard": ("client", "plots", "shared", "proto"),
}
#: From pure to impure: each layer of the master imports only itself and what stands left of it.
LAYERS = ("search", "experiment", "ledger", "dispatcher", "sampling", "services")
#: Clock, I/O, threads, chance and whatever else makes the same input give another output.
IMPURE = frozenset(
    {"asyncio", "concurrent", "contextvars", "multiprocessing", "signal", "subprocess", "threading"}
    | {"datetime", "time", "random", "secrets", "uuid"}
    | {"fsspec", "grpc", "http", "io", "os", "pathlib", "select", "shutil", "socket", "tempfile", "urllib"}
    | {"sqlalchemy", "sqlite3", "logging", "sys", "warnings"}
)
IMPURE_BUILTINS = {"open", "print", "input", "id", "hash", "exec", "eval", "__import__"}
PURE = ("master/search", "master/experiment")
#: What stands beside the layers, for those that are not pure.
BESIDE = "rungmaster.master.failpoints"
PART_OF = "rungmaster.{}".format


def wrong_imports(found: list[Module], *forbidden: str) -> list[str]:
    """Every import of a forbidden package, as `file:line imports name`."""
    return [
        f"{module.place}:{line} imports {name}"
        for module in found
        for line, name in module.imports()
        if is_within(name, *forbidden)
    ]


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_only_the_parts_below_it(part: str) -> None:
    others = set(ALLOWED) - {part, *ALLOWED[part]}
    assert wrong_imports(modules(part), *map(PART_OF, others)) == []


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_its_house_by_relative_imports(part: str) -> None:
    """Editors and type checkers follow them by path, whatever name the house is installed under."""
    absolute = [
        f"{module.place}:{node.lineno}"
        for module in modules(part)
        for node in _from_imports(module)
        if is_within(node.module or "", "rungmaster") and not node.level
    ]
    assert absolute == []


def _from_imports(module: Module) -> Iterator[ast.ImportFrom]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.ImportFrom))


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_of_the_master_imports_only_layers_further_in(layer: str) -> None:
    inner = [f"rungmaster.master.{name}" for name in LAYERS[: LAYERS.index(layer) + 1]]
    inner += [] if f"master/{layer}" in PURE else [BESIDE]
    found = wrong_imports(modules(f"master/{layer}"), "rungmaster.master")
    assert [line for line in found if not is_within(line.split()[-1], *inner)] == []


@pytest.mark.parametrize("folder", PURE)
def test_the_pure_core_imports_nothing_that_could_surprise_it(folder: str) -> None:
    assert wrong_imports(modules(folder), *IMPURE) == []


@pytest.mark.parametrize("folder", PURE)
def test_the_pure_core_calls_nothing_that_could_surprise_it(folder: str) -> None:
    calls = [
        f"{module.place}:{node.lineno} calls {node.func.id}"
        for module in modules(folder)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_BUILTINS
    ]
    assert calls == []


#: Completion asks a file what docs/ledger.md promises to whoever asks in SQL: a process that reads it takes too long.
ASKS_IN_SQL = "client/cli/completing.py"


def test_only_the_ledger_knows_sqlalchemy() -> None:
    outside = [module for module in modules(*ALLOWED, "rungmaster") if not module.place.startswith("master/ledger/")]
    assert wrong_imports(outside, "sqlalchemy", "alembic", "psycopg") == []
    others = [module for module in outside if module.place != ASKS_IN_SQL]
    assert wrong_imports(others, "sqlite3") == []


def test_in_the_master_only_the_services_know_grpc() -> None:
    outside = [module for module in modules("master") if not module.place.startswith("master/services/")]
    assert wrong_imports(outside, "grpc", "grpc_health", "grpc_reflection", "grpc_status") == []


def test_only_the_conversions_know_messages_and_values_at_once() -> None:
    """Of what is shared; servicers and callers may name a request, but turn none into a value by themselves."""
    others = [module for module in modules("shared") if not module.place.startswith("shared/wire/")]
    assert wrong_imports(others, "rungmaster.proto", "google.protobuf") == []


def test_the_master_and_its_search_know_no_messages_outside_the_services() -> None:
    outside = [module for module in modules("master") if not module.place.startswith("master/services/")]
    assert wrong_imports(outside, "rungmaster.proto", "google.protobuf") == []


def test_examples_know_only_the_front_door() -> None:
    """What an example imports is what its reader will import."""
    deeper = ("shared", "master", "proto", "client.cli")
    assert wrong_imports(modules("examples"), *map(PART_OF, deeper)) == []


#: What training code imports; what handles processes; what reads the ledger: each with what it may not know.
BORDERS = {
    "worker/trial": ("asyncio", "grpc", "google.protobuf", "fsspec", "pydantic", "sqlalchemy", PART_OF("proto")),
    "worker/process": ("grpc", "google.protobuf", "fsspec", PART_OF("proto"), PART_OF("worker.link")),
    "worker/slots": ("grpc", "google.protobuf", PART_OF("proto"), PART_OF("worker.link"), PART_OF("worker.process")),
    "master/ledger/read": (PART_OF("master.ledger.write"), PART_OF("master.ledger.ledger")),
    "master/ledger/schema": tuple(PART_OF(f"master.ledger.{room}") for room in ("read", "write", "leadership")),
    "shared/spec": ("grpc", "google.protobuf", PART_OF("shared.wire"), PART_OF("shared.net")),
    "shared/net": ("click",),
    "shared/space": ("grpc", "google.protobuf", PART_OF("shared.wire"), PART_OF("shared.net")),
    "shared/text": ("grpc", PART_OF("shared.spec"), PART_OF("shared.net"), PART_OF("shared.checkpoints")),
}


@pytest.mark.parametrize("room", BORDERS)
def test_a_room_does_not_know_what_lies_behind_its_borders(room: str) -> None:
    found = modules(room)
    assert found
    assert wrong_imports(found, *BORDERS[room]) == []


#: What a sampler program may know of ours: its environment has nothing that we depend on.
PROTOCOL = PART_OF("shared.sampling.protocol")
#: What of `sampler` runs where the command line does, and not in a sampler's own environment.
AT_HOME = {"sampler/cli.py", "sampler/installing.py"}


def test_the_protocol_of_samplers_needs_python_alone() -> None:
    """Sampler programs run in environments of their own."""
    found = [module for module in modules("shared/sampling") if module.name == PROTOCOL]
    assert [name for module in found for _, name in module.imports() if not _is_python(name)] == []
    assert found


def test_sampler_programs_know_the_protocol_and_nothing_else_of_the_house() -> None:
    programs = [module for module in modules("sampler") if module.place not in AT_HOME]
    ours = [(module, name) for module in programs for _, name in module.imports() if is_within(name, "rungmaster")]
    assert [
        f"{module.place} imports {name}" for module, name in ours if not is_within(name, *_ALLOWED_IN_PROGRAMS)
    ] == []


_ALLOWED_IN_PROGRAMS = (PROTOCOL, PART_OF("sampler"), PART_OF("shared.descendants"))


@pytest.mark.parametrize("place", ["sampler/guard.py", "sampler/boot.py", "sampler/serve.py", "shared/descendants.py"])
def test_what_starts_and_serves_a_sampler_needs_python_alone(place: str) -> None:
    (module,) = [module for module in modules("sampler", "shared") if module.place == place]
    names = [name for _, name in module.imports()]
    assert [name for name in names if not _is_python(name) and not is_within(name, *_ALLOWED_IN_PROGRAMS)] == []


def _is_python(name: str) -> bool:
    return name.split(".")[0] in sys.stdlib_module_names


def test_training_alone_knows_no_master() -> None:
    found = [module for module in modules("worker/testing") if module.place == "worker/testing/alone.py"]
    assert found
    assert wrong_imports(found, *BORDERS["worker/trial"], PART_OF("worker.testing.scripted_master")) == []
