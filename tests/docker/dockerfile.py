"""Reads deploy/docker/Dockerfile, as far as tests need it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "deploy" / "docker"
ROOT = FOLDER.parents[1]


@dataclass
class Stage:
    """A stage: what it begins from, and its instructions in order."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def value(self, name: str) -> str:
        """Of the last instruction of this name; empty where there is none."""
        return next((value for found, value in reversed(self.instructions) if found == name), "")

    def words(self, name: str) -> list[str]:
        """Of the last instruction of this name in exec form."""
        return json.loads(self.value(name))

    @property
    def health_command(self) -> list[str]:
        return json.loads(self.value("HEALTHCHECK").partition("CMD ")[2])


def stages() -> dict[str, Stage]:
    """By their names."""
    text = (FOLDER / "Dockerfile").read_text()
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ").splitlines()
    found: dict[str, Stage] = {}
    current = Stage("")
    for line in filter(None, lines):
        name, _, value = line.partition(" ")
        if begun := re.fullmatch(r"FROM (\S+) AS (\S+)", line):
            current = found[begun[2]] = Stage(begun[1])
        else:
            current.instructions.append((name, value.strip()))
    return found


def context() -> list[Path]:
    """The files that the build is given, as Dockerfile.dockerignore lets them in: all are left out but those listed."""
    first, *rules = (
        line for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines() if line and line[0] != "#"
    )
    assert first == "*"
    allowed = [ROOT / rule[1:] for rule in rules if rule.startswith("!")]
    assert [rule for rule in rules if rule[0] != "!"] == ["**/__pycache__"]
    files = [file for path in allowed for file in ([path] if path.is_file() else sorted(path.rglob("*")))]
    return [file for file in files if file.is_file() and "__pycache__" not in file.parts]
