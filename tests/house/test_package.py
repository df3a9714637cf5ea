"""What is built, generated and installed is what is written here."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import rungmaster
from rungmaster.client.cli.commands import init

from .source import PARTS, ROOT, modules, tracked

HEAVY = (
    "grpc",
    "google.protobuf",
    "sqlalchemy",
    "alembic",
    "pydantic",
    "ConfigSpace",
    "numpy",
    "rich",
    "fsspec",
    "plotly",
    "asyncio",
)


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The contents of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_generated_code_is_that_of_the_proto_files(tmp_path: Path) -> None:
    """`make proto` brings it up to date."""
    generate = runpy.run_path(str(ROOT / "proto" / "generate.py"))["generate"]
    generate(tmp_path)
    made = {path.name: path.read_bytes() for path in (tmp_path / "rungmaster/proto/v1").iterdir()}
    kept = {path.name: path.read_bytes() for path in (ROOT / "proto/v1").glob("*_pb2*.py*")}
    assert sorted(made) == sorted(kept)
    assert [name for name in made if made[name] != kept[name]] == []


def test_every_package_is_installed(project: dict[str, Any]) -> None:
    """An editable install would find one that is not listed; a wheel would not hold it."""
    folders = {path.parent.relative_to(ROOT) for part in PARTS for path in tracked(f"{part}/*.py")}
    names = {".".join(("rungmaster", *folder.parts)) for folder in folders} | {"rungmaster"}
    assert set(project["tool"]["setuptools"]["packages"]) == names


def test_a_wheel_holds_what_init_writes_and_slurm_up_submits(tmp_path: Path) -> None:
    for path in tracked("pyproject.toml", "README.md", "LICENSE", *(f"{part}/*" for part in (*PARTS, "rungmaster"))):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    build = "import sys, setuptools.build_meta as backend; backend.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, "dist"], cwd=tmp_path, capture_output=True, check=True)
    held = zipfile.ZipFile(next((tmp_path / "dist").glob("*.whl")))
    for template in tracked("rungmaster/templates/*"):
        assert held.read(template.relative_to(ROOT).as_posix()) == template.read_bytes()
    for script in tracked("client/slurm/*.sbatch"):
        assert held.read(f"rungmaster/{script.relative_to(ROOT).as_posix()}") == script.read_bytes()
    assert {path.name for path in tracked("rungmaster/templates/*")} == set(init.TEMPLATES)


def test_the_version_stands_in_one_place(project: dict[str, Any]) -> None:
    assert rungmaster.__version__ == version("rungmaster")
    assert project["project"]["dynamic"] == ["version"]
    source = project["tool"]["setuptools"]["dynamic"]["version"]["attr"]
    written = re.compile(r"^__version__\s*=", re.MULTILINE)
    places = [module.name for module in modules(*PARTS, "rungmaster") if written.search(module.path.read_text())]
    assert [f"{name}.__version__" for name in places] == [source]


def test_the_changelog_knows_this_version() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {rungmaster.__version__}" in changes


@pytest.mark.parametrize(
    "statement",
    [
        "import rungmaster",
        "from rungmaster import plots",
        "from rungmaster import Trial",
        "from rungmaster.worker import Trial",
        "from rungmaster.worker.testing import train_alone",
    ],
)
def test_the_front_door_costs_a_training_program_nothing(statement: str) -> None:
    program = f"{statement}; import sys; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_an_unknown_name_at_the_front_door_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Trail"):
        rungmaster.__getattr__("Trail")


def test_the_example_specs_are_valid() -> None:
    from rungmaster.shared.spec.spec import parse_spec

    specs = tracked("examples/*.yaml")
    assert specs
    for path in specs:
        parse_spec(path.read_text(encoding="utf-8"), source=path.name)
