"""The pages in a real browser: each of them, live, by keyboard, dark, on a phone, and looked at by axe."""

from __future__ import annotations

import pytest
from dashboard.scene import HOSTILE, VIEWER, Scene
from dashboard.visits import CHROMIUM, PHONE, Visit, violations

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed (Debian's package is chromium)")


def pages(scene: Scene) -> dict[str, str]:
    """Every page, by what it is called."""
    one = f"/experiments/{scene.completed}"
    return {
        "experiments": "/",
        "overview": one,
        "trials": f"{one}?tab=trials",
        "rungs": f"{one}?tab=rungs",
        "journal": f"{one}?tab=journal",
        "spec": f"{one}?tab=spec",
        "trial": f"{one}/trials/0",
        "hostile": f"/experiments/{scene.hostile}",
        "workers": "/workers",
        "submit": "/submit",
    }


def test_axe_finds_nothing_serious(visit: Visit) -> None:
    found = {name: violations(visit.to(path)) for name, path in pages(visit.scene).items()}
    assert {name: problems for name, problems in found.items() if problems} == {}


@pytest.mark.parametrize("visit", [{"color_scheme": "dark"}], ids=["dark"], indirect=True)
def test_everything_can_be_read_in_the_dark(visit: Visit) -> None:
    looked_at = {name: pages(visit.scene)[name] for name in ("experiments", "overview", "trials", "journal")}
    found = {name: violations(visit.to(path), "color-contrast") for name, path in looked_at.items()}
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 28)"
    assert {name: problems for name, problems in found.items() if problems} == {}


@pytest.mark.parametrize("visit", [{"viewport": PHONE, "has_touch": True}], ids=["phone"], indirect=True)
def test_nothing_is_wider_than_a_phone(visit: Visit) -> None:
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    found = {name: visit.to(path).evaluate(wide) for name, path in pages(visit.scene).items()}
    assert set(found.values()) == {0}, found


def test_figures_are_drawn_in_their_frame(visit: Visit) -> None:
    page = visit.to(f"/experiments/{visit.scene.completed}")
    page.wait_for_selector("#figures[data-drawn='curves best']")
    frame = page.frame_locator("iframe.figures")
    assert frame.locator("#plot-curves .main-svg").first.is_visible()
    assert page.locator("iframe.figures").get_attribute("sandbox") == "allow-scripts"


def test_a_browser_that_would_compute_webgl_without_a_graphics_card_is_sent_lines_instead(visit: Visit) -> None:
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    page = visit.to(f"/experiments/{visit.scene.completed}?tab=hyperparameters")
    page.wait_for_selector("#figures[data-drawn='importance parallel slices']")
    assert len([url for url in asked if "/figures/" in url and url.endswith("draw=svg")]) >= 3
    assert page.frame_locator("iframe.figures").locator("canvas").count() == 0


def test_figures_by_webgl_are_drawn_though_no_page_may_make_code_from_text(visit: Visit) -> None:
    # As if it had a graphics card, which the machines of the tests do not have.
    visit.page.add_init_script(
        "const get = WebGLRenderingContext.prototype.getParameter;"
        "WebGLRenderingContext.prototype.getParameter = function (name) {"
        "  return name === 0x9246 || name === this.RENDERER ? 'a graphics card' : get.call(this, name); };"
    )
    page = visit.to(f"/experiments/{visit.scene.completed}?tab=hyperparameters")
    page.wait_for_selector("#figures[data-drawn='importance parallel slices']")
    assert page.frame_locator("iframe.figures").locator("canvas").count() > 0
    assert "WebGL is not supported" not in page.frame_locator("iframe.figures").locator("body").inner_text()


def test_a_page_follows_its_experiment(visit: Visit) -> None:
    number = visit.scene.submit(name="live")
    page = visit.to(f"/experiments/{number}?tab=trials&sort=trial")
    page.get_by_role("rowheader", name="15", exact=True).wait_for()
    page.locator("#state .pill.completed").wait_for()
    page.goto(visit.scene.url)
    assert page.locator("tr", has_text="live").get_by_text("completed").is_visible()


def test_pausing_and_resuming_are_asked_about_first(visit: Visit) -> None:
    client, number = visit.scene.client, visit.scene.paused
    page = visit.to(f"/experiments/{number}")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Leave it as it is").click()
    assert client.get(number).state == "paused"
    client.set(number, max_concurrent_trials=1)
    page.get_by_role("button", name="Extend").click()
    page.get_by_label("Trials in all").fill("20")
    page.get_by_role("dialog").get_by_role("button", name="Extend").click()
    page.get_by_text("of 20").wait_for()
    assert client.get(number).max_trials == 20


def test_what_has_not_changed_is_left_alone_for_a_click_may_be_under_way_in_it(visit: Visit) -> None:
    page = visit.to(f"/experiments/{visit.scene.paused}")
    stays = "button => new Promise(done => document.addEventListener('refreshed', () => done(button.isConnected)))"
    first = page.evaluate_handle("document.querySelector('#actions button')")
    page.evaluate("import('/static/live.js').then(live => { setTimeout(live.refresh, 100); })")
    assert first.evaluate(stays)


@pytest.mark.parametrize("visit", [{"caller": VIEWER[0]}], ids=["viewer"], indirect=True)
def test_a_viewer_has_no_buttons(visit: Visit) -> None:
    page = visit.to(f"/experiments/{visit.scene.paused}")
    assert page.get_by_role("heading", name="waits").is_visible()
    assert page.get_by_role("button", name="Resume").count() == 0
    assert page.get_by_role("link", name="Submit").count() == 0


def test_by_keyboard_alone_the_table_is_filtered_sorted_and_left(visit: Visit) -> None:
    page = visit.to(f"/experiments/{visit.scene.completed}?tab=trials")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    page.locator("#where").focus()
    page.keyboard.type("quality < 0.5")
    page.keyboard.press("Enter")
    page.wait_for_url("**where=quality*")
    # The address changes first, and then the table.
    page.locator("#sort-1[href*='where=quality']").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**sort=trial*")
    page.locator("th[aria-sort] > #sort-1").wait_for()
    numbers = page.locator("#table tbody th").all_inner_texts()
    assert numbers == sorted(numbers, key=int)
    assert 0 < len(numbers) < 16
    page.reload()
    assert page.locator("#table tbody th").all_inner_texts() == numbers
    page.locator(f"#trial-{numbers[0]}").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=f"Trial {numbers[0]}").wait_for()


@pytest.mark.parametrize("visit", [{"timezone_id": "Asia/Tokyo", "locale": "en-GB"}], ids=["Tokyo"], indirect=True)
def test_times_are_in_the_zone_of_the_reader(visit: Visit) -> None:
    page = visit.to(f"/experiments/{visit.scene.completed}?tab=journal")
    time = page.locator("#journal time").first
    assert "Japan" in (time.get_attribute("title") or "") or "GMT+9" in (time.get_attribute("title") or "")


def test_light_and_dark_are_remembered(visit: Visit) -> None:
    page = visit.to("/")
    page.get_by_role("button", name="Light or dark").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.goto(f"{visit.scene.url}/workers")
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_hostile_names_are_text(visit: Visit) -> None:
    page = visit.to(f"/experiments/{visit.scene.hostile}")
    assert HOSTILE in page.locator("h1").inner_text()
    page.wait_for_selector("#figures iframe")
    assert page.locator("img[src='x']").count() == 0
    assert "run" not in page.title().split()


def test_a_spec_is_checked_planned_and_submitted(visit: Visit) -> None:
    page = visit.to("/submit")
    page.get_by_label("Spec").fill("name: new\nunit: epochs\nsearcher:\n  name: asha\n  max_trials: 0\n")
    page.get_by_role("button", name="Check and plan").click()
    page.locator("#line-5.wrong").wait_for()
    visit.wrong.clear()  # a browser tells of the answer 400
    visit.to(f"/submit?like={visit.scene.completed}")
    page.get_by_role("button", name="Check and plan").click()
    page.get_by_role("button", name="Submit it").click()
    page.wait_for_url("**/experiments/*")
    assert page.get_by_role("heading", name="trained").is_visible()


@pytest.mark.parametrize(
    ("visit", "moves"),
    [({"reduced_motion": "no-preference"}, True), ({"reduced_motion": "reduce"}, False)],
    ids=["moving", "reduced motion"],
    indirect=["visit"],
)
def test_a_trial_climbs_the_rungs_and_stands_there_at_once_where_motion_is_reduced(visit: Visit, moves: bool) -> None:
    visit.scene.go(1)
    number = visit.scene.talk("train")
    visit.context.add_init_script(
        "const own = Element.prototype.animate; window.moved = [];"
        "Element.prototype.animate = function (frames, time)"
        "  { moved.push(frames.transform); return own.call(this, frames, time); };"
    )
    page = visit.to(f"/experiments/{number}?tab=rungs")
    mark = page.frame_locator("iframe.figures").locator(".scatter .points path.point").first
    mark.wait_for()
    before = mark.get_attribute("transform")
    visit.scene.go(9)
    frame = page.frames[1]
    frame.wait_for_function(
        "before => document.querySelector('path.point').getAttribute('transform') !== before", arg=before
    )
    went = frame.evaluate("moved.filter(each => each)")
    assert bool(went) == moves
    assert all(begin.replace("px", "").replace(", ", ",") == before for begin, _ in went[:1]), "from where it stood"
