"""A folder that is taken over as a checkpoint is plain files with the content that its links showed, or is refused."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from rungmaster.shared.errors import InvalidInput
from rungmaster.worker.trial import takeover
from rungmaster.worker.trial.takeover import take_over

Fill = Callable[[Path], object]


@pytest.fixture(params=["moved", "copied"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The trial's own folder: the checkpoint lies inside it and is moved, or elsewhere and is copied."""
    return tmp_path if request.param == "moved" else tmp_path / "own"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "save"
    (folder / "step_1").mkdir(parents=True)
    (folder / "model").write_text("weights")
    (folder / "step_1/w").write_text("w")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/base").write_text("base")
    return folder


def content(folder: Path) -> dict[str, str]:
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


PLAIN = {"model": "weights", "step_1/w": "w"}
LINKS: dict[str, tuple[Fill, dict[str, str]]] = {
    "relative": (lambda f: (f / "last").symlink_to("model"), {"last": "weights"}),
    "absolute": (lambda f: (f / "last").symlink_to(f / "model"), {"last": "weights"}),
    "hard": (lambda f: os.link(f / "model", f / "last"), {"last": "weights"}),
    "chain": (
        lambda f: ((f / "z").symlink_to(f / "model"), (f / "a").symlink_to("z"), (f / "m").symlink_to(f / "a")),
        {"a": "weights", "m": "weights", "z": "weights"},
    ),
    "upwards": (lambda f: (f / "step_1/up").symlink_to("../model"), {"step_1/up": "weights"}),
    "outside": (lambda f: (f / "base").symlink_to(f.parent / "outside/base"), {"base": "base"}),
    "relative and outside": (lambda f: (f / "base").symlink_to("../outside/base"), {"base": "base"}),
    "folder": (lambda f: (f / "latest").symlink_to("step_1"), {"latest/w": "w"}),
    "absolute folder": (lambda f: (f / "a").symlink_to(f / "step_1"), {"a/w": "w"}),
    "link in a linked folder": (
        lambda f: ((f / "step_1/up").symlink_to("../model"), (f / "latest").symlink_to("step_1")),
        {"step_1/up": "weights", "latest/w": "w", "latest/up": "weights"},
    ),
}


@pytest.mark.parametrize("kind", LINKS)
def test_a_link_is_taken_over_as_what_it_shows(kind: str, own: Path, folder: Path, tmp_path: Path) -> None:
    fill, added = LINKS[kind]
    fill(folder)
    take_over(folder, tmp_path / "staged", own)
    assert content(tmp_path / "staged") == PLAIN | added
    assert folder.exists() == (own != tmp_path)
    assert (tmp_path / "outside/base").read_text() == "base", "what a link led to stays"


def test_what_is_written_through_a_hard_link_later_changes_nothing(own: Path, folder: Path, tmp_path: Path) -> None:
    os.link(tmp_path / "outside/base", folder / "base")
    take_over(folder, tmp_path / "staged", own)
    (tmp_path / "outside/base").write_text("other")
    assert (tmp_path / "staged/base").read_text() == "base"


def test_a_folder_that_is_itself_a_link_is_taken_over_as_what_it_shows(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/link").symlink_to(folder)
    take_over(tmp_path / "own/link", tmp_path / "own/staged", tmp_path / "own")
    assert content(tmp_path / "own/staged") == PLAIN == content(folder)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


REFUSED: dict[str, tuple[Fill, str]] = {
    "dangling": (lambda f: (f / "last").symlink_to("gone"), "'last' is a link to 'gone', which is not there"),
    "deep": (lambda f: (f / "step_1/last").symlink_to("gone"), "'step_1/last' is a link to 'gone'"),
    "itself": (lambda f: (f / "last").symlink_to("last"), "'last' is a link that leads back to itself"),
    "each other": (lambda f: ((f / "a").symlink_to("b"), (f / "b").symlink_to("a")), "'a' is a link that leads back"),
    "through a file": (lambda f: (f / "last").symlink_to("model/x"), "'last' is a link to 'model/x', which is not"),
    "around": (lambda f: (f / "step_1/all").symlink_to(".."), "'step_1/all' is a link to a folder that it lies in"),
    "outside": (lambda f: (f / "data").symlink_to("../outside"), "outside the checkpoint"),
    "pipe": (lambda f: os.mkfifo(f / "pipe"), "'pipe' is neither a file nor a folder, but a pipe"),
    "socket": (lambda f: listening(f / "s"), "'s' is neither a file nor a folder, but a socket"),
    "device": (lambda f: (f / "null").symlink_to("/dev/null"), "'null' is neither a file nor a folder, but a device"),
    "link to a pipe": (lambda f: (os.mkfifo(f.parent / "p"), (f / "l").symlink_to("../p")), "'l' is neither"),
    "reserved": (lambda f: (f / "manifest.json").symlink_to("model"), "cannot be called 'manifest.json'"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_kept_is_refused_by_name_and_nothing_is_moved(
    kind: str, own: Path, folder: Path, tmp_path: Path
) -> None:
    fill, complaint = REFUSED[kind]
    fill(folder)
    with pytest.raises(InvalidInput) as refused:
        take_over(folder, tmp_path / "staged", own)
    assert complaint in str(refused.value)
    assert not (tmp_path / "staged").exists()
    assert (folder / "model").read_text() == "weights"


def test_links_that_multiply_what_they_lead_to_are_bounded(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "MAX_LINKED", 100)
    for level in range(1, 40):
        (folder / f"step_{level + 1}").mkdir()
        for link in "ab":
            (folder / f"step_{level + 1}" / link).symlink_to(f"../step_{level}")
    with pytest.raises(InvalidInput, match="links to folders lead to more than 100 files"):
        take_over(folder, tmp_path / "staged", tmp_path)
