"""What a request must show before it may change anything, and what it may say of itself."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request

from ...shared.errors import PermissionDenied
from .sessions import SignIn


def cookie_name(request: Request) -> str:
    """The cookie that names a session: of this port alone, since cookies do not tell ports apart."""
    port = request.url.port or (443 if request.url.scheme == "https" else 80)
    prefix = "__Host-" if request.url.scheme == "https" else ""
    return f"{prefix}rungmaster-{port}"


def check_origin(request: Request) -> None:
    """Raises PermissionDenied where a request that changes something was not made by a page of ours."""
    origin, host = request.headers.get("origin", ""), request.headers.get("host", "")
    if not origin or not host or urlsplit(origin).netloc.lower() != host.lower():
        raise PermissionDenied("this was not asked by a page of this dashboard, so nothing was done")


def check_form(request: Request, form: Mapping[str, str], session: SignIn) -> None:
    """The same for a form of a session, which must bring along what only pages of that session know."""
    check_origin(request)
    shown = form.get("csrf") or request.headers.get("x-csrf-token", "")
    if not hmac.compare_digest(shown.encode(), session.csrf.encode()):
        raise PermissionDenied("this form is of an earlier session: reload the page, and try again; nothing was done")


def local_path(text: str) -> str:
    """Where to go on after signing in: a path of this dashboard, whatever a link says."""
    parts = urlsplit(text)
    safe = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if safe and not parts.netloc and not parts.scheme else "/"
