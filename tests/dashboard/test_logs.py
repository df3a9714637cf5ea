"""What trials print, on the page and as text: live, as text alone, told where there is none, and bounded."""

from __future__ import annotations

import pytest
from dashboard.scene import VIEWER, WORKER, Scene
from dashboard.visits import CHROMIUM, PHONE, Visit, violations
from e2e.cluster import wait_for

browsing = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed (Debian's package is chromium)")


@browsing
def test_what_a_trial_prints_is_followed_to_its_end_as_text(visit: Visit) -> None:
    visit.scene.go(0)
    number = visit.scene.talk("markup")
    page = visit.to(f"/experiments/{number}/trials/0")
    assert page.locator("#log-lines").is_hidden(), "a log that nobody sees is not read"
    page.locator("#log").scroll_into_view_if_needed()
    page.locator("#log-lines").get_by_text("trial 0 prints at 0").wait_for()
    shown = page.locator("#log-lines").inner_text()
    head, first, *_ = shown.splitlines()
    assert head == "assignment 1: gpu-host, from 0 to 4 epochs"
    assert first.startswith("<img src=x onerror=document.title='run'> </div><script>")
    assert "\\x1b[31m" in shown
    assert page.locator("#log-lines img, #log-lines script").count() == 0
    assert "run" not in page.title().split()
    visit.scene.go(9)
    page.locator("#log-lines").get_by_text("trial 0 prints at 3").wait_for()
    page.get_by_text("nothing follows: the trial has ended").wait_for()
    page.reload()
    page.locator("#log").scroll_into_view_if_needed()
    page.get_by_text("nothing follows: the trial has ended").wait_for()
    assert page.locator("#log-lines").inner_text().splitlines()[1:] == shown.splitlines()[1:] + [
        f"trial 0 prints at {epoch}" for epoch in (1, 2, 3)
    ]


@browsing
def test_the_end_stays_in_view_until_somebody_scrolls_up_also_by_keyboard(visit: Visit) -> None:
    visit.scene.go(0)
    number = visit.scene.talk("markup")
    page = visit.to(f"/experiments/{number}/trials/0")
    page.locator("#log").scroll_into_view_if_needed()
    lines, newest = page.locator("#log-lines"), page.get_by_role("button", name="To the newest")
    lines.get_by_text("prints at 0").wait_for()
    assert lines.evaluate("box => box.scrollTop + box.clientHeight > box.scrollHeight - 5")
    assert newest.is_hidden()
    lines.focus()
    page.keyboard.press("Home")
    newest.wait_for()
    visit.scene.go(1)
    lines.get_by_text("prints at 1").wait_for(state="attached")
    assert lines.evaluate("box => box.scrollTop") == 0
    newest.press("Enter")
    newest.wait_for(state="hidden")
    visit.scene.go(9)
    lines.get_by_text("prints at 3").wait_for()
    assert lines.evaluate("box => box.scrollTop + box.clientHeight > box.scrollHeight - 5")


@browsing
@pytest.mark.parametrize(
    "visit",
    [{"color_scheme": "light"}, {"color_scheme": "dark", "viewport": PHONE, "has_touch": True}],
    ids=["light", "dark phone"],
    indirect=True,
)
def test_axe_finds_nothing_serious_in_a_log_nor_is_it_wider_than_its_window(visit: Visit) -> None:
    visit.scene.go(9)
    page = visit.to(f"/experiments/{visit.scene.talk('act')}/trials/0")
    page.locator("#log").scroll_into_view_if_needed()
    page.get_by_text("nothing follows: the trial has ended").wait_for()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


@browsing
@pytest.mark.parametrize("visit", [{"java_script_enabled": False}], ids=["no scripts"], indirect=True)
def test_without_javascript_the_latest_lines_are_a_link_away(visit: Visit) -> None:
    page = visit.to(f"/experiments/{visit.scene.hostile}/trials/0")
    page.get_by_role("link", name="The latest 1,000 lines as text").click()
    assert "RuntimeError: no luck with quality" in page.locator("pre").inner_text()


def test_all_of_a_log_is_text_in_which_nothing_acts(scene: Scene) -> None:
    scene.go(9)
    number = scene.talk("act")
    scene.client.wait(number)
    with scene.browser_of(VIEWER) as browser:
        answer = browser.get(f"/experiments/{number}/trials/0/log.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="experiment-{number}-trial-0.log"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    head, *rest = answer.text.splitlines()
    assert head == "==> trial 0, assignment 1: gpu-host, from 0 to 4 epochs, released <=="
    assert rest[0] == r"red \x1b[31m\x1b]0;title\x07 \x9b2J \u202e �"
    assert rest[-1] == "trial 0 prints at 3"


def test_why_there_is_none_is_told(scene: Scene) -> None:
    scene.go(9)
    number = scene.talk("train")
    scene.client.wait(number)
    kept = wait_for("the log", lambda: list(scene.folder.glob(f"checkpoints/*/{number}/logs/*")))
    for log in (*kept, *scene.folder.glob(f".rungmaster/logs/*/{number}/*")):
        log.unlink()
    with scene.browser_of(VIEWER) as browser:
        text = browser.get(f"/experiments/{number}/trials/0/log.txt").text
        assert "(no more of this assignment: nothing of it is in " in text
        with browser.stream("GET", f"/experiments/{number}/trials/0/log") as stream:
            told = "".join(stream.iter_lines())
        assert "no more of this assignment: nothing of it is in " in told
        assert told.endswith("data: {}"), "the stream ends by itself"
        missing = browser.get(f"/experiments/{number}/trials/7/log.txt")
    assert missing.status_code == 404
    assert "has no trial 7" in missing.text


def test_who_comes_back_gets_what_came_meanwhile_and_a_log_is_read_once_for_all(scene: Scene) -> None:
    scene.go(0)
    number = scene.talk("train")
    path = f"/experiments/{number}/trials/0/log"
    with scene.browser_of(VIEWER) as one, scene.browser_of(VIEWER) as other:
        with one.stream("GET", path) as stream:
            lines, after = stream.iter_lines(), ""
            while "prints at 0" not in (last := next(lines)):
                after = last.removeprefix("id: ") if last.startswith("id: ") else ""
        scene.go(9)
        scene.client.wait(number)
        with other.stream("GET", path, headers={"last-event-id": after}) as stream:
            told = "".join(stream.iter_lines())
    assert f"id: {after.partition('-')[0]}-" in told, "it is the same reader at the master"
    assert '"fresh": false' in told
    assert "prints at 0" not in told
    assert "prints at 3" in told


@pytest.mark.parametrize("path", ["log", "log.txt"])
def test_a_log_is_shown_to_nobody_who_has_not_signed_in(scene: Scene, path: str) -> None:
    with scene.browser_of(None, "127.0.0.4") as browser:
        assert browser.get(f"/experiments/{scene.hostile}/trials/0/{path}").status_code == 303
        assert browser.post("/sign-in", data={"token": WORKER[2]}).status_code == 403
