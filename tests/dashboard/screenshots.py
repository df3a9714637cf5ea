"""The pictures of the page that the README and docs/dashboard.md show, and more to look at: `make screenshots`.

A real search is trained, master, worker, page and browser on this machine. The pictures show the same search each time;
times of day and durations differ, and with the order in which results arrive a few trials.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import yaml
from e2e.cluster import Cluster, wait_for
from playwright.sync_api import Browser, ViewportSize, sync_playwright

from rungmaster.client import Client

ROOT = Path(__file__).parents[2]
#: Those that documents show, and those that are there to be looked at only.
SHOWN, OTHERS = ROOT / "docs" / "images", ROOT / "build" / "screenshots"
WINDOW: ViewportSize = {"width": 1200, "height": 760}
TALL: ViewportSize = {"width": 1200, "height": 930}
PHONE: ViewportSize = {"width": 390, "height": 844}
#: The search is looked at while it runs once so many of its 64 trials are made.
WHILE = 48
SLOTS = 3


class Shot(NamedTuple):
    """A picture: its file, where it is below `/experiments/N`, light or dark, and the window."""

    file: Path
    path: str
    scheme: str = "light"
    window: ViewportSize = WINDOW
    #: What is scrolled into view first.
    at: str = ""


RUNNING = (
    Shot(SHOWN / "rungs-dark.png", "?tab=rungs", "dark", TALL),
    Shot(OTHERS / "running-overview-dark.png", "", "dark"),
    Shot(OTHERS / "running-trials-phone.png", "?tab=trials", "light", PHONE),
)
ENDED = (
    Shot(SHOWN / "overview-light.png", ""),
    Shot(SHOWN / "compare-light.png", "/../../compare?experiments=1,2", window=TALL),
    *(
        Shot(OTHERS / f"{tab}-{scheme}.png", f"?tab={tab}", scheme)
        for tab in ("overview", "trials", "rungs", "hyperparameters", "timeline", "journal", "spec")
        for scheme in ("light", "dark")
    ),
    *(
        Shot(OTHERS / f"{tab}-phone.png", f"?tab={tab}", "dark", PHONE)
        for tab in ("rungs", "hyperparameters", "journal")
    ),
    Shot(OTHERS / "trial-light.png", "/trials/1"),
    Shot(OTHERS / "log-dark.png", "/trials/1", "dark", at="#log"),
    Shot(OTHERS / "log-phone.png", "/trials/1", "light", PHONE, at="#log"),
    Shot(OTHERS / "list-light.png", "/../.."),
    Shot(OTHERS / "list-phone.png", "/../..", "dark", PHONE),
    Shot(OTHERS / "overview-phone.png", "", "dark", PHONE, at="#figures"),
    Shot(OTHERS / "compare-dark.png", "/../../compare?experiments=1,2", "dark", at="#table"),
    Shot(OTHERS / "workers-dark.png", "/../../workers", "dark"),
    Shot(OTHERS / "submit-light.png", "/../../submit"),
)


def main() -> None:
    """Trains the digits example, and takes the pictures."""
    SHOWN.mkdir(exist_ok=True)
    OTHERS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # As in `make demo`: what lies beside the examples in the repository is none of the training's.
        (Path(folder) / "examples").symlink_to(ROOT / "examples")
        cluster = Cluster(Path(folder), str(Path(folder) / "search.db"))
        try:
            _shoot(cluster)
        finally:
            cluster.close()


def _shoot(cluster: Cluster) -> None:
    cluster.master()
    dashboard = cluster.start("dashboard", "dashboard", "--master", cluster.address, "--listen", "127.0.0.1:0")
    url = dashboard.wait_for_line("ready on").split()[-1]
    spec = yaml.safe_load((ROOT / "examples" / "digits" / "experiment.yaml").read_text(encoding="utf-8"))
    by_chance = {**spec, "name": "by-chance", "searcher": {"name": "random", "max_trials": 8, "max_resource": 27}}
    with Client(cluster.address) as client, sync_playwright() as tool:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = tool.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        numbers = [client.submit(each).experiment_id for each in (spec, by_chance)]
        # The second one waits for the first.
        client.set(numbers[0], priority=1)
        cluster.worker("gpu-host-1", SLOTS)
        wait_for("most trials", lambda: sum(client.get(numbers[0]).trial_counts.values()) >= WHILE, 600)
        for shot in RUNNING:
            _take(browser, f"{url}experiments/{numbers[0]}", shot)
        for number in numbers:
            wait_for("the end of the search", lambda number=number: client.get(number).over, 600)
        for shot in ENDED:
            _take(browser, f"{url}experiments/{numbers[0]}", shot)
        browser.close()


def _take(browser: Browser, address: str, shot: Shot) -> None:
    page = browser.new_page(
        viewport=shot.window, color_scheme="dark" if shot.scheme == "dark" else "light", reduced_motion="reduce"
    )
    page.goto(address + shot.path)
    if page.locator("#figures").count():
        # All of them are drawn, not only the first.
        page.wait_for_function(
            "() => { const place = document.querySelector('#figures'); return place.dataset.drawn?.split(' ').length"
            " === JSON.parse(place.dataset.figures).length; }",
            timeout=60_000,
        )
    if shot.at:
        page.locator(shot.at).scroll_into_view_if_needed()
    if page.locator("#list").count():
        page.wait_for_selector(".spark", state="attached")
    page.wait_for_timeout(1_500)
    page.screenshot(path=shot.file)
    page.close()
    print(shot.file.relative_to(ROOT), flush=True)


if __name__ == "__main__":
    main()
