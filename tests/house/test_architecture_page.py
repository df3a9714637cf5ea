"""docs/architecture.md leads a newcomer through the house: every room and every function that it names is there."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

from .source import PARTS, ROOT, modules

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
STEPS = re.findall(r"`([\w.]+)` in `([\w/]+\.py)`", PAGE)


def test_every_room_is_on_the_page() -> None:
    told = set(re.findall(r"^\| `([\w/]+)` \|", PAGE, re.MULTILINE))
    rooms = {module.path.parent.relative_to(ROOT).as_posix() for module in modules(*PARTS)}
    assert (
        rooms - told - {"proto", "master/ledger/schema/migrations", "master/ledger/schema/migrations/versions"} == set()
    )
    assert {room for room in told if not (ROOT / room).is_dir()} == set()


@pytest.mark.parametrize(("name", "place"), STEPS)
def test_every_step_on_the_page_is_there(name: str, place: str) -> None:
    found: list[Any] = [ast.parse((ROOT / place).read_text(encoding="utf-8"))]
    for part in name.split("."):
        found = [node for tree in found for node in tree.body if getattr(node, "name", "") == part]
    assert found, f"{place} has no {name}"


def test_the_page_leads_along_four_ways() -> None:
    assert len(STEPS) > 40
    assert re.findall(r"^## The way of a (\w+)", PAGE, re.MULTILINE) == ["report", "query", "submission", "restart"]
