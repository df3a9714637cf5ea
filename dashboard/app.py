"""The web application: which path leads where, and what becomes of errors."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from ..shared.errors import (
    FailedPrecondition,
    InvalidInput,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    RungmasterError,
    Unavailable,
)
from .dashboard import Dashboard
from .pages import (
    comparing,
    experiment,
    experiments,
    figures,
    journal,
    logs,
    signing_in,
    steering,
    submitting,
    trial,
    trials,
    workers,
)
from .rendering import page
from .security.access import SignInNeeded
from .security.headers import HostCheck
from .settings import DashboardSettings

log = logging.getLogger(__name__)

_STATUS = {
    NotFound: 404,
    PermissionDenied: 403,
    InvalidInput: 400,
    FailedPrecondition: 409,
    LimitExceeded: 429,
    Unavailable: 503,
}
_SWEEP_S = 30.0


def build_app(settings: DashboardSettings) -> ASGIApp:
    """The application for one master."""
    dashboard = Dashboard(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        dashboard.feeds.serve_from(asyncio.get_running_loop())
        sweeping = asyncio.create_task(_sweep(dashboard))
        try:
            yield
        finally:
            sweeping.cancel()
            await asyncio.to_thread(dashboard.close)

    app = Starlette(
        routes=_routes(),
        lifespan=lifespan,
        exception_handlers={
            SignInNeeded: _sign_in_first,
            RungmasterError: _told,
            HTTPException: _http_error,
            Exception: _internal_error,
        },
    )
    app.state.dashboard = dashboard
    # Outside of all else, so that no answer lacks the headers.
    return HostCheck(app, settings.allowed_hosts, encrypted=settings.encrypted)


def _routes() -> list[Route | Mount]:
    number, trial_path = "/experiments/{experiment_id:int}", "/experiments/{experiment_id:int}/trials/{trial_id:int}"
    return [
        Route("/", experiments.show),
        Route("/healthz", healthz),
        Route("/favicon.ico", icon),
        Route("/sign-in", signing_in.show),
        Route("/sign-in", signing_in.sign_in, methods=["POST"]),
        Route("/sign-out", signing_in.sign_out, methods=["POST"]),
        Route("/submit", submitting.show),
        Route("/submit", submitting.submit, methods=["POST"]),
        Route("/workers", workers.show),
        Route("/compare", comparing.show),
        Route("/compare/figure", figures.compared),
        Route(number, experiment.show),
        Route(f"{number}/events", experiment.events),
        Route(f"{number}/figures/{{kind}}", figures.figure),
        Route(f"{number}/trials.csv", trials.as_csv),
        Route(f"{number}/journal", journal.show),
        Route(f"{number}/steer", steering.steer, methods=["POST"]),
        Route(trial_path, trial.show),
        Route(f"{trial_path}/log", logs.events),
        Route(f"{trial_path}/log.txt", logs.as_text),
        Mount("/static", _Static(directory=Path(__file__).parent / "static")),
        Route("/frame", figures.frame),
        Route("/plotly/{version}.js", figures.javascript),
    ]


class _Static(StaticFiles):
    """Files that browsers keep and ask about, and that the frame of figures may load as well."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """See Starlette."""
        answer = super().file_response(*args, **kwargs)
        answer.headers["cache-control"] = "no-cache"
        answer.headers["cross-origin-resource-policy"] = "cross-origin"
        return answer


async def healthz(_: Request) -> Response:
    """Whether the dashboard serves; it says nothing of the master."""
    return PlainTextResponse("ok\n")


async def icon(_: Request) -> Response:
    """The icon, for what is no page of ours and names none, such as a log as text."""
    return RedirectResponse("/static/icon.svg", 301)


async def _sweep(dashboard: Dashboard) -> None:
    while True:
        await asyncio.sleep(_SWEEP_S)
        await asyncio.to_thread(dashboard.sweep)


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") and request.headers.get("sec-fetch-dest") != "empty"


async def _sign_in_first(request: Request, error: Exception) -> Response:
    if not _wants_page(request):
        return JSONResponse({"error": str(error)}, 401)
    if request.headers.get("sec-fetch-site") == "cross-site" and request.method == "GET":
        # A browser keeps the cookie to itself when another site led here: asked once more by a page of ours it has it.
        return page(request, "again.html", None)
    onward = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?next={quote(onward, safe='')}" if request.method == "GET" else "/sign-in", 303)


async def _told(request: Request, error: Exception) -> Response:
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
    return _error(request, status, str(error))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = {404: "there is no such page", 405: "this cannot be done here"}.get(error.status_code, str(error.detail))
    return _error(request, error.status_code, told)


async def _internal_error(request: Request, error: Exception) -> Response:
    log.error("a page could not be made", exc_info=error)
    return _error(request, 500, "the dashboard met an error of its own; its log has the particulars")


def _error(request: Request, status: int, text: str) -> Response:
    if not _wants_page(request):
        return JSONResponse({"error": text}, status)
    return page(request, "error.html", None, status, heading=_HEADINGS.get(status, "This did not work"), text=text)


_HEADINGS = {404: "Not found", 403: "Not allowed", 503: "The master does not answer", 429: "Too much at once"}
