"""The pictures of the page that the README shows, taken of a real search by a real browser: `make screenshots`."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import yaml
from e2e.cluster import Cluster, Process, wait_for
from playwright.sync_api import Browser, ViewportSize, sync_playwright

from rungmaster.client import Client

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
SIZE: ViewportSize = {"width": 1200, "height": 760}
#: What is shown: the file, where it is below the experiment's page, and light or dark.
SHOTS = (("overview-light.png", "", "light"), ("rungs-dark.png", "?tab=rungs", "dark"))


def main() -> None:
    """Trains the digits example, and takes the pictures in SHOTS."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
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
    spec["checkpoints"] = {"storage": str(cluster.folder / "checkpoints")}
    with Client(cluster.address) as client:
        number = client.submit(spec).experiment_id
        worker = ["worker", "--master", cluster.address, "--slots", "2", "--name", "gpu-host-1"]
        cluster.processes.append(Process("worker", worker, ROOT, cluster.environment))
        wait_for("the end of the search", lambda: client.get(number).over, 600)
    with sync_playwright() as tool:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = tool.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        for name, path, scheme in SHOTS:
            _take(browser, f"{url}experiments/{number}{path}", scheme, IMAGES / name)
        browser.close()


def _take(browser: Browser, address: str, scheme: str, file: Path) -> None:
    page = browser.new_page(viewport=SIZE, color_scheme="dark" if scheme == "dark" else "light")
    page.goto(address)
    page.wait_for_selector("#figures[data-drawn]", timeout=60_000)
    page.wait_for_timeout(1_500)
    page.screenshot(path=file)
    page.close()


if __name__ == "__main__":
    main()
