"""Who is let in, what a request must show, and what every answer says to browsers."""

from __future__ import annotations

import socket

import httpx
import pytest
from dashboard.scene import ADMIN, HOSTILE, VIEWER, WORKER, Scene, csrf_of

PAGES = ("/", "/workers", "/submit", "/experiments/1", "/experiments/1/trials/0", "/experiments/1/trials.csv")


@pytest.mark.parametrize("path", [*PAGES, "/experiments/1/events", "/experiments/1/figures/curves"])
def test_nothing_is_shown_before_somebody_has_signed_in(scene: Scene, path: str) -> None:
    with scene.browser_of(None) as browser:
        answer = browser.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in?next=%2F")
        assert browser.get(path, headers={"accept": "application/json"}).status_code == 401


def test_health_and_scripts_are_open(scene: Scene) -> None:
    with scene.browser_of(None) as browser:
        assert browser.get("/healthz").text == "ok\n"
        assert browser.get("/frame").status_code == 200
        assert browser.get("/static/page.js").status_code == 200


@pytest.mark.parametrize("path", ["/", "/sign-in", "/static/page.js", "/nowhere", "/experiments/999", "/healthz"])
def test_every_answer_forbids_what_a_page_does_not_need(scene: Scene, path: str) -> None:
    with scene.browser_of(ADMIN) as browser:
        headers = browser.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"


def test_the_frame_of_figures_has_no_origin_and_reaches_nothing(scene: Scene) -> None:
    with scene.browser_of(None) as browser:
        policy = browser.get("/frame").headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts;")
    assert "allow-same-origin" not in policy
    assert "connect-src" not in policy
    assert "default-src 'none'" in policy


def test_the_cookie_is_for_this_page_alone(scene: Scene) -> None:
    with scene.browser_of(None) as browser:
        answer = browser.post("/sign-in", data={"token": VIEWER[2], "next": "/workers"})
    cookie = answer.headers["set-cookie"].lower()
    assert answer.headers["location"] == "/workers"
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in cookie.split(";")}
    assert VIEWER[2] not in str(answer.headers)


@pytest.mark.parametrize("onward", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:a()"])
def test_signing_in_leads_nowhere_else(scene: Scene, onward: str) -> None:
    with scene.browser_of(None) as browser:
        answer = browser.post("/sign-in", data={"token": VIEWER[2], "next": onward})
    assert answer.headers["location"] == "/"


def test_wrong_tokens_are_refused_and_soon_no_more_are_taken(scene: Scene) -> None:
    with scene.browser_of(None, "127.0.0.2") as browser:
        answers = [browser.post("/sign-in", data={"token": "x" * 32}) for _ in range(7)]
        assert [answer.status_code for answer in answers[:5]] == [403] * 5
        assert "does not know this token" in answers[0].text
        assert answers[-1].status_code == 429
        assert "x" * 32 not in answers[0].text


def test_a_session_that_signed_out_counts_no_more(scene: Scene) -> None:
    with scene.browser_of(VIEWER) as browser:
        kept = dict(browser.cookies)
        assert browser.get("/").status_code == 200
        assert browser.post("/sign-out", data={"csrf": csrf_of(browser)}).status_code == 303
        browser.cookies.update(kept)
        assert browser.get("/").status_code == 303


def test_a_form_counts_only_where_a_page_of_the_session_sent_it(scene: Scene) -> None:
    path = f"/experiments/{scene.paused}/steer"
    with scene.browser_of(ADMIN) as browser, scene.browser_of(ADMIN) as other:
        form = {"action": "resume", "csrf": csrf_of(browser)}
        assert browser.post(path, data=form, headers={"origin": "https://evil.example"}).status_code == 403
        assert browser.post(path, data=form, headers={"origin": "null"}).status_code == 403
        assert browser.post(path, data=form | {"csrf": ""}).status_code == 403
        assert browser.post(path, data=form | {"csrf": csrf_of(other)}).status_code == 403
        assert browser.get(path).status_code == 405
    assert scene.client.get(scene.paused).state == "paused"


def test_a_viewer_sees_no_buttons_and_is_refused_by_the_master(scene: Scene) -> None:
    with scene.browser_of(VIEWER) as browser:
        page = browser.get(f"/experiments/{scene.paused}").text
        assert "data-dialog" not in page
        assert "/submit" not in page
        answer = browser.post(f"/experiments/{scene.paused}/steer", data={"action": "resume", "csrf": csrf_of(browser)})
        assert answer.status_code == 403
        assert "the role of wall, viewer, may not call" in answer.text
        assert browser.get("/submit").status_code == 403
    assert scene.client.get(scene.paused).state == "paused"


def test_a_token_of_a_worker_may_not_look(scene: Scene) -> None:
    with scene.browser_of(None, "127.0.0.3") as browser:
        answer = browser.post("/sign-in", data={"token": WORKER[2]})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_another_name_of_this_machine_is_not_answered(scene: Scene) -> None:
    """A page of another site could have its own name lead to this machine, and read what is here."""
    with httpx.Client(base_url=scene.url) as browser:
        assert browser.get("/healthz", headers={"host": "evil.example"}).status_code == 421
        port = scene.url.rpartition(":")[2]
        assert browser.get("/healthz", headers={"host": f"localhost:{port}"}).status_code == 200


def test_a_large_body_is_not_taken(scene: Scene) -> None:
    with scene.browser_of(ADMIN) as browser:
        assert browser.post("/submit", content=b"spec=" + b"x" * (3 * 2**20)).status_code == 413


def test_what_somebody_wrote_is_text_and_never_part_of_a_page(scene: Scene) -> None:
    with scene.browser_of(ADMIN) as browser:
        for path in ("/", f"/experiments/{scene.hostile}", f"/experiments/{scene.hostile}?tab=trials"):
            page = browser.get(path).text
            assert HOSTILE not in page
            assert "&lt;img src=x" in page
        assert "<b>bold</b>" not in browser.get(f"/experiments/{scene.hostile}/trials/0").text


def test_what_a_spreadsheet_would_run_is_text_in_the_csv(scene: Scene) -> None:
    with scene.browser_of(VIEWER) as browser:
        answer = browser.get(
            f"/experiments/{scene.completed}/trials.csv?state=completed&column=best&column=hparams.quality"
        )
    lines = answer.text.splitlines()
    assert lines[0] == "trial,best,hparams.quality"
    assert len(lines) > 1
    assert answer.headers["content-type"].startswith("text/csv")


def test_an_experiment_tells_when_it_changes(scene: Scene) -> None:
    with (
        scene.browser_of(VIEWER) as browser,
        browser.stream("GET", f"/experiments/{scene.paused}/events") as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("data:"))
        scene.client.set(scene.paused, priority=scene.client.get(scene.paused).priority + 1)
        told = next(line for line in lines if line.startswith("data:"))
        assert '"state": "paused"' in told


def test_readers_that_stall_hold_up_nobody(scene: Scene) -> None:
    with scene.browser_of(VIEWER) as browser:
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        host, port = scene.url.removeprefix("http://").split(":")
        stalled = [socket.create_connection((host, int(port)), timeout=10) for _ in range(60)]
        try:
            for connection in stalled:
                head = f"GET /experiments/{scene.completed}/events HTTP/1.1\r\nHost: {host}:{port}\r\n"
                connection.sendall(f"{head}Cookie: {cookie}\r\n\r\n".encode())
            assert browser.get(f"/experiments/{scene.completed}").status_code == 200
            assert browser.get(f"/experiments/{scene.completed}?tab=trials").status_code == 200
        finally:
            for connection in stalled:
                connection.close()
