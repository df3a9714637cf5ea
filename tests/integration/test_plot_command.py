"""`rungmaster plot`: a figure of a database's search as a page or a picture, and what is told where there is none."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from rungmaster.client.cli.main import execute
from rungmaster.master.experiment.changes import Changes
from rungmaster.master.ledger.ledger import Ledger

from .ledger_rows import created, event, lease, report


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a database in it that has two trials and their reports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUNGMASTER_MASTER", raising=False)
    ledger = Ledger.open("rungmaster.db", holder="me")
    ledger.commit(created())
    reports = [report(trial, sequence) for trial in (0, 1) for sequence in (1, 2, 3)]
    ledger.commit(
        Changes(
            new_leases=[lease(0), lease(1)],
            new_reports=reports,
            new_events=[event("assigned", trial_id=0, token=1, worker="<b>host</b>")],
        )
    )
    ledger.close()
    return tmp_path


def test_a_page_has_everything_in_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["plot", "curves", "--theme", "dark"]) == 0
    assert capsys.readouterr().out == "wrote curves.html\n"
    page = (folder / "curves.html").read_text()
    assert "Learning curves" in page
    assert '<script src="http' not in page
    assert len(page) > 3_000_000


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["plot", "lineage", "1"], 1, "no trial of experiment 1 went on from another's checkpoint"),
        (["plot", "curves", "1", "--metric", "f1"], 1, "has no metric 'f1'; it reported: loss"),
        (["plot", "curves", "1", "--out", "curves.doc"], 2, "its ending says what to write"),
        (["plot", "curves", "1", "1"], 2, "is of one experiment, got 2"),
    ],
)
def test_where_there_is_no_figure_it_is_told_why(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, told: str
) -> None:
    assert execute([*arguments, "--db", "rungmaster.db"]) == code
    assert told in capsys.readouterr().err
    assert not list(folder.glob("*.html"))


def test_without_plotly_it_is_told_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    assert execute(["plot", "curves", "1"]) == 1
    assert "pip install 'rungmaster[plots]'" in capsys.readouterr().err


def test_without_a_browser_a_picture_is_refused_with_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BROWSER_PATH", "/nonexistent/chromium")
    assert execute(["plot", "curves", "1", "--out", "curves.png"]) == 1
    assert "apt-get install chromium" in capsys.readouterr().err
    assert not (folder / "curves.png").exists()


@pytest.mark.storm
@pytest.mark.skipif(shutil.which("chromium") is None, reason="a picture needs chromium")
def test_a_picture_is_drawn_by_a_browser(folder: Path) -> None:
    assert execute(["plot", "curves", "1", "--out", "curves.png"]) == 0
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
