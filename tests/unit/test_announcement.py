"""A master's address in a file, for those that share its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from rungmaster.shared.errors import InvalidInput, Unavailable
from rungmaster.shared.net.announcement import announce, check_announceable, current


def test_what_was_announced_last_is_what_is_read(tmp_path: Path) -> None:
    file = tmp_path / "master.address"
    for address in ("node-1:7000", "[::1]:50051"):
        announce(file, address)
        assert current(f"file:{file}") == address
    assert [path.name for path in tmp_path.iterdir()] == ["master.address"]


def test_a_plain_address_stays_as_it_is() -> None:
    assert current("node-1:7000") == "node-1:7000"


def test_before_a_master_has_told_it_there_is_none_yet(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"no master has told its address in .*No such file.*--announce"):
        current(f"file:{tmp_path}/master.address")


@pytest.mark.parametrize("text", ["", "not an address", "a:1,b:2", "x" * 100_000, "\x00", "file:/elsewhere"])
def test_a_file_with_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "master.address"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=f"{file}: "):
        current(f"file:{file}")


def test_where_nothing_can_be_announced_is_told_before_a_master_starts(tmp_path: Path) -> None:
    check_announceable(tmp_path / "master.address")
    with pytest.raises(InvalidInput, match=r"--announce .*there is no folder"):
        check_announceable(tmp_path / "gone" / "master.address")
    with pytest.raises(InvalidInput, match=r"--announce .*cannot be written"):
        check_announceable(tmp_path)
    with pytest.raises(InvalidInput, match=r"--announce .*cannot be written"):
        announce(tmp_path / "gone" / "master.address", "node-1:7000")
