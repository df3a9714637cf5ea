"""The picture of a terminal that the README shows, taken of a real search in a real terminal: `make screenshots`."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

from integration.test_terminal import Terminal, rungmaster
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "docs" / "images" / "terminal.png"
COLUMNS, ROWS = 88, 26
#: The picture is taken once so many trials are there.
TRIALS = 40
_NAMED = {"default": "", "brown": "yellow"}


def main() -> None:
    """Trains the digits example until there is something to see, and takes the picture."""
    terminal = Terminal(COLUMNS, ROWS)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "examples", Path(folder) / "examples")
        spec = "examples/digits/experiment.yaml"
        with rungmaster(terminal, Path(folder), "run", spec, "--workers", "2", LANG="C.UTF-8") as run:
            terminal.shows("1 of 64", seconds=120)
            while _trials(terminal) < TRIALS:
                terminal.read(0.2)
            picture = _picture(terminal)
            run.send_signal(signal.SIGINT)
            run.wait(60)
    _save(picture)


def _trials(terminal: Terminal) -> int:
    found = re.search(r"(\d+) of 64", terminal.text())
    return int(found[1]) if found else 0


def _picture(terminal: Terminal) -> Text:
    """What is on the screen, with its colours."""
    last = len(terminal.text().splitlines())
    lines = []
    for row in range(last):
        cells = [terminal.screen.buffer[row][column] for column in range(COLUMNS)]
        styled = ((cell.data, f"{'bold ' * cell.bold}{_NAMED.get(cell.fg, cell.fg)}") for cell in cells)
        lines.append(Text.assemble(*styled))
    # An empty line more: the drawing cuts what is low in its last one.
    return Text("\n").join([*lines, Text()])


def _save(picture: Text) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(picture, no_wrap=True)
    drawn = console.export_svg(title="rungmaster run experiment.yaml --workers 2")
    with sync_playwright() as tool:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = tool.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        # Fonts of the machine: those that the drawing names would be fetched.
        page.set_content(re.sub(r"@font-face \{[^}]*\}", "", drawn))
        page.locator("svg").screenshot(path=IMAGE)
        browser.close()


if __name__ == "__main__":
    main()
