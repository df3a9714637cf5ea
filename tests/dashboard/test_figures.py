"""Figures as data: they catch up with what has happened, and say until then that they have not."""

from __future__ import annotations

from typing import Any

from dashboard.scene import VIEWER, Scene
from e2e.cluster import wait_for


def test_a_figure_that_was_drawn_before_the_end_shows_soon_what_became_of_every_trial(scene: Scene) -> None:
    number = scene.submit(name="ends")
    with scene.browser_of(VIEWER) as browser:

        def answer() -> Any:
            return browser.get(f"/experiments/{number}/figures/rungs", headers={"accept": "application/json"})

        assert answer().status_code == 200
        scene.client.wait(number)
        browser.get(f"/experiments/{number}")
        wait_for("the end on the page", lambda: "pill completed" in browser.get(f"/experiments/{number}").text)
        drawn = wait_for("the last figure", lambda: (found := answer()).headers["x-behind"] == "no" and found)
    names = " ".join(trace.get("name", "") for trace in drawn.json()["data"])
    assert "trained in full" in names
    assert "stopped early" in names
    assert "waits at a rung" not in names
    assert "running" not in names
