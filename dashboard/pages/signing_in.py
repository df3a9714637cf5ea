"""Signing in with a token, and out."""

from __future__ import annotations

import logging
import math

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ...shared.errors import InvalidInput, LimitExceeded, PermissionDenied, Unauthenticated
from ...shared.text.visible import visible
from ..dashboard import Form, acting, form_of, of
from ..rendering import page
from ..security.rate import RateLimit
from ..security.requests import check_origin, cookie_name, local_path
from ..security.sessions import LONGEST_S, SignIn

log = logging.getLogger(__name__)

#: Wrong tokens of one address, and of all together.
_OF_ONE = RateLimit(burst=5, rate_per_minute=6)
_OF_ALL = RateLimit(burst=50, rate_per_minute=60)


async def show(request: Request) -> Response:
    """The form."""
    return _form(request, local_path(request.query_params.get("next", "/")))


async def sign_in(request: Request) -> Response:
    """Takes a token, which the master has to know."""
    check_origin(request)
    form = form_of(await request.body())
    caller, onward = request.client.host if request.client else "", local_path(form.get("next", "/"))
    wait_s = _OF_ONE.take(caller) or _OF_ALL.take("")
    if wait_s:
        raise LimitExceeded(f"too many tokens that did not count: try again in {math.ceil(wait_s)} s")
    try:
        key, session = await run_in_threadpool(of(request).access.sign_in, form.get("token", "").strip())
    except (Unauthenticated, PermissionDenied, InvalidInput) as error:
        log.warning("a token was not accepted, of %s: %s", visible(caller), type(error).__name__)
        return _form(request, onward, _told(error), 403)
    _OF_ONE.give_back(caller)
    _OF_ALL.give_back("")
    log.info("%s (%s) signed in", visible(session.name) or "somebody", visible(session.role) or "no role")
    answer = RedirectResponse(onward, 303)
    answer.set_cookie(
        cookie_name(request),
        key,
        max_age=int(LONGEST_S),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


def _told(error: Exception) -> str:
    if isinstance(error, PermissionDenied):
        return "This token may not look: its role is for workers. Ask for one of the role viewer or admin."
    if isinstance(error, InvalidInput):
        return "This is no token: it is one line of letters and digits, as rungmaster token create printed it."
    return "The master does not know this token, or it has expired or was revoked."


def _form(request: Request, onward: str, problem: str = "", status: int = 200) -> Response:
    return page(request, "sign_in.html", None, status, onward=onward, problem=problem)


@acting
def sign_out(request: Request, session: SignIn, form: Form) -> Response:  # noqa: ARG001
    """Ends the session."""
    of(request).access.sign_out(session)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(
        cookie_name(request), path="/", secure=request.url.scheme == "https", httponly=True, samesite="strict"
    )
    return answer
