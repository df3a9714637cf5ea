from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from dashboard.scene import ADMIN, VIEWER, Scene
from dashboard.visits import CHROMIUM, Visit


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The master, its worker and its dashboard, for all tests of this process."""
    scene = Scene(tmp_path_factory.mktemp("dashboard"))
    yield scene
    scene.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for all tests here. It is gone when they are done: while it is there no event loop can be run."""
    tool_of = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (it comes with `.[dev]`)")
    with tool_of.sync_playwright() as tool:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=[*arguments, "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def signed_in(chromium: Any, scene: Scene) -> dict[str, list[Any]]:
    """The cookies of an admin and of a viewer, who signed in by the form."""
    kept = {}
    for name, _, token in (ADMIN, VIEWER):
        with chromium.new_context() as context:
            page = context.new_page()
            page.goto(f"{scene.url}/workers")
            page.get_by_label("Token").fill(token)
            page.keyboard.press("Enter")
            page.wait_for_url("**/workers")
            assert page.get_by_text(name).is_visible()
            kept[name] = context.cookies()
    return kept


@pytest.fixture
def visit(
    chromium: Any, scene: Scene, signed_in: dict[str, list[Any]], request: pytest.FixtureRequest
) -> Iterator[Visit]:
    """An admin's visit, or as the test's parameter says: the caller's name, and options of the browser."""
    given: dict[str, Any] = getattr(request, "param", {})
    options = {name: value for name, value in given.items() if name != "caller"}
    with chromium.new_context(**options) as context:
        context.add_cookies(signed_in[given.get("caller", ADMIN[0])])
        visit = Visit(context, scene)
        yield visit
        assert visit.wrong == []
