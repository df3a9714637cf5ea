"""The commands of deploy/README.md, as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "deploy" / "README.md").read_text(encoding="utf-8")
#: What a command of the page needs to find `rungmaster`.
ENVIRONMENT = os.environ | {"PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))}


def ways() -> dict[str, list[str]]:
    """The commands of each way of the table."""
    rows = re.findall(r"^\| ([^|]+) \| (`[^|]+`) \| ", PAGE, re.MULTILINE)
    return {where: re.findall("`([^`]+)`", commands) for where, commands in rows}


def by_hand() -> dict[str, list[str]]:
    """The commands of the section "By hand", by the comment before them."""
    section = PAGE.partition("## By hand\n")[2].partition("\n[docs/")[0].replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, section.splitlines())):
        if line.startswith("# "):
            found[line] = []
        else:
            found[[*found][-1]].append(line)
    return found


def shell(commands: str, folder: Path, *inside: str) -> subprocess.CompletedProcess[str]:
    """Runs them as a person does, one after the other, until one fails."""
    return subprocess.run(
        [*inside, "bash", "-e", "-c", commands],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
