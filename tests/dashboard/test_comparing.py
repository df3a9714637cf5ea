"""Experiments beside each other: chosen in the list, drawn, and told plainly where they cannot be compared."""

from __future__ import annotations

import pytest
from dashboard.scene import HOSTILE, VIEWER, Scene
from dashboard.visits import CHROMIUM, PHONE, Visit, violations

browsing = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed (Debian's package is chromium)")


@browsing
def test_chosen_in_the_list_by_keyboard_they_stand_beside_each_other(visit: Visit) -> None:
    page = visit.to("/")
    page.get_by_label(f"Compare experiment {visit.scene.completed}").focus()
    page.keyboard.press("Space")
    page.get_by_label(f"Compare experiment {visit.scene.hostile}").check()
    page.get_by_role("button", name="Compare the chosen").press("Enter")
    page.wait_for_url("**/compare?experiments=*,*")
    assert page.url.endswith(f"={visit.scene.hostile},{visit.scene.completed}")
    page.wait_for_selector("#figures[data-drawn='compare-0']")
    assert page.frame_locator("iframe.figures").get_by_text("trained (", exact=False).first.is_visible()
    assert page.get_by_role("rowheader", name=f"{HOSTILE} alice").is_visible()
    assert page.locator("img[src='x']").count() == 0
    assert page.get_by_role("rowheader", name="entrypoint").is_visible()
    assert page.get_by_role("rowheader", name="metric.name").count() == 0
    page.get_by_label(f"Leave out experiment {visit.scene.hostile}").press("Enter")
    page.get_by_text("One more to compare it with").wait_for()


@browsing
def test_what_was_chosen_stays_chosen_when_the_list_changes(visit: Visit) -> None:
    page = visit.to("/")
    box = page.get_by_label(f"Compare experiment {visit.scene.completed}")
    box.check()
    old = box.element_handle()
    visit.scene.submit(name="appears")
    page.get_by_role("rowheader", name="appears").wait_for()
    assert not old.evaluate("box => box.isConnected"), "the list is another one"
    assert box.is_checked()


@browsing
@pytest.mark.parametrize(
    "visit",
    [{"color_scheme": "light"}, {"color_scheme": "dark", "viewport": PHONE, "has_touch": True}],
    ids=["light", "dark phone"],
    indirect=True,
)
def test_axe_finds_nothing_serious_in_a_comparison_nor_is_it_wider_than_its_window(visit: Visit) -> None:
    page = visit.to(f"/compare?experiments={visit.scene.completed},{visit.scene.hostile},{visit.scene.paused},998")
    page.wait_for_selector("#figures[data-drawn]")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


@browsing
def test_a_comparison_follows_what_still_runs(visit: Visit) -> None:
    number = visit.scene.submit(name="runs on")
    page = visit.to(f"/compare?experiments={visit.scene.completed},{number}")
    page.get_by_role("row", name="runs on").get_by_text("completed").wait_for()


def test_other_goals_and_units_and_what_is_not_there_are_told(scene: Scene) -> None:
    other = scene.submit(name="upwards", metric={"name": "error", "goal": "maximize"}, unit="steps")
    with scene.browser_of(VIEWER) as browser:
        page = browser.get(f"/compare?experiments={scene.completed},{other},987654,seven").text
        assert "There is no experiment 987654: it was deleted, or never was." in page
        assert "&#39;seven&#39; is no number of an experiment" in page
        assert f"(minimize error: {scene.completed}; maximize error: {other})" in page
        assert "different units (epochs, steps)" in page
        assert "compare-1" in page, "each has a figure of its own"
        figure = browser.get(f"/compare/figure?experiments={scene.completed}", headers={"accept": "application/json"})
        assert figure.json()["layout"]["meta"]["kind"] == "compare"
        assert browser.get("/compare").status_code == 200
        many = browser.get("/compare?experiments=" + ",".join(map(str, range(1000, 1020)))).text
        assert "At most 12 experiments can be told apart: 8 are left out." in many


def test_what_check_boxes_send_becomes_an_address_to_share(scene: Scene) -> None:
    with scene.browser_of(VIEWER) as browser:
        answer = browser.get("/compare?experiments=3&experiments=1&experiments=3")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/compare?experiments=3,1"
