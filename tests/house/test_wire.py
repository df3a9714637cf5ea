"""The wire contract may grow; what a released worker, client or script relies on stays (docs/compatibility.md)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .source import ROOT

BUF = Path(sys.executable).parent / "buf"
BASELINE = ROOT / "tests" / "house" / "wire_baseline.json"


def breaks(folder: Path, name: str, old: str, new: str) -> list[str]:
    """What is told of a copy of the contract in which a text stands in place of another."""
    (folder / "buf.yaml").write_text((ROOT / "buf.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    copies = folder / ".buf" / "rungmaster" / "proto" / "v1"
    copies.mkdir(parents=True)
    for path in (ROOT / "proto" / "v1").glob("*.proto"):
        text = path.read_text(encoding="utf-8")
        if path.name == name:
            assert text.count(old) == 1
            text = text.replace(old, new)
        (copies / path.name).write_text(text, encoding="utf-8")
    command = [str(BUF), "breaking", "--against", str(BASELINE)]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert bool(told.returncode) == bool(told.stdout), told.stderr
    return told.stdout.splitlines()


FIELD = "  // The name in the spec; need not be unique.\n  string name = 2;\n"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (FIELD, "", 'Previously present field "2" with name "name"'),
        (FIELD, FIELD.replace("name = 2", "name = 200"), 'Previously present field "2" with name "name"'),
        (FIELD, FIELD.replace("string name", "bytes name"), 'changed type from "string" to "bytes"'),
        (FIELD, FIELD.replace("string name", "string title"), 'changed option "json_name" from "name" to "title"'),
        (
            "  rpc CancelExperiment(CancelExperimentRequest) returns (CancelExperimentResponse);\n",
            "",
            'Previously present RPC "CancelExperiment"',
        ),
    ],
    ids=["a field removed", "another number", "another type", "another name", "a call removed"],
)
def test_a_change_that_breaks_who_is_there_already_is_refused(tmp_path: Path, old: str, new: str, why: str) -> None:
    assert any(why in line for line in breaks(tmp_path, "experiment.proto", old, new))


def test_the_contract_as_it_is_breaks_nobody_and_may_grow(tmp_path: Path) -> None:
    assert breaks(tmp_path, "experiment.proto", FIELD, FIELD + "  // A new one.\n  string nickname = 200;\n") == []
