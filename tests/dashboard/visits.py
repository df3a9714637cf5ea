"""A browser that looks at the page: where it goes, what goes wrong in it, and what axe finds."""

from __future__ import annotations

import shutil
from importlib.resources import files
from typing import Any

from dashboard.scene import Scene

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
PATIENCE_MS = 60_000
#: What axe calls a violation of this impact counts.
SERIOUS = {"serious", "critical"}
PHONE = {"width": 390, "height": 844}


class Visit:
    """A page in a browser of its own that has signed in; what goes wrong in it is kept."""

    def __init__(self, context: Any, scene: Scene) -> None:
        context.set_default_timeout(PATIENCE_MS)
        self.context = context
        self.scene = scene
        self.page = context.new_page()
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda message: self.wrong.append(message.text) if message.type == "error" else None)

    def to(self, path: str) -> Any:
        """Goes there; what it shows."""
        self.page.goto(self.scene.url + path, wait_until="domcontentloaded")
        return self.page


def violations(page: Any, *rules: str) -> list[str]:
    """What axe finds that is serious; by some of its rules, where any are named."""
    axe = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    page.evaluate(axe)
    # What axe would load of the style sheets it does not need.
    options = {
        "resultTypes": ["violations"],
        "preload": False,
        "iframes": False,
        **({"runOnly": rules} if rules else {}),
    }
    results = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{each['id']}: {[node['target'] for node in each['nodes']][:3]}"
        for each in results["violations"]
        if each["impact"] in SERIOUS
    ]
