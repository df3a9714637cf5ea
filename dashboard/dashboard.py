"""What the pages of one dashboard share, and how an endpoint gets its session and form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ..shared.errors import InvalidInput
from .feeds.feeds import Feeds
from .logs.log_feeds import LogFeeds
from .security.access import Access
from .security.requests import check_form, cookie_name
from .security.sessions import SignIn
from .settings import DashboardSettings
from .sparklines import Sparklines

Form = Mapping[str, str]
Endpoint = Callable[[Request], Awaitable[Response]]
_MAX_FIELDS = 100


class Dashboard:
    """The parts that live as long as the process."""

    def __init__(self, settings: DashboardSettings) -> None:
        self.settings = settings
        self.access = Access(settings)
        self.feeds = Feeds()
        self.logs = LogFeeds()
        self.sparklines = Sparklines()
        self.access.on_end = self._drop

    def sweep(self) -> None:
        """Ends what is followed and nobody looks at any more."""
        self.feeds.sweep()
        self.logs.sweep()

    def close(self) -> None:
        """Ends all connections to the master."""
        self.feeds.close()
        self.logs.close()
        self.sparklines.close()
        self.access.close()

    def _drop(self, session: SignIn) -> None:
        self.feeds.drop(session)
        self.logs.drop(session)


def of(request: Request) -> Dashboard:
    """The dashboard that serves a request."""
    return request.app.state.dashboard


def session_of(request: Request) -> SignIn:
    """Who asks. Raises SignInNeeded; waits for the master now and then."""
    return of(request).access.session(request.cookies.get(cookie_name(request)))


def looking(endpoint: Callable[[Request, SignIn], Response]) -> Endpoint:
    """An endpoint that shows something, in a thread, since it waits for the master."""

    async def serve(request: Request) -> Response:
        return await run_in_threadpool(lambda: endpoint(request, session_of(request)))

    return serve


def acting(endpoint: Callable[[Request, SignIn, Form], Response]) -> Endpoint:
    """An endpoint that changes something: the form has to be of a page of the session."""

    async def serve(request: Request) -> Response:
        form = form_of(await request.body())

        def act() -> Response:
            session = session_of(request)
            check_form(request, form, session)
            return endpoint(request, session, form)

        return await run_in_threadpool(act)

    return serve


def whole_number(text: str, digits: int = 9) -> int | None:
    """The number that a link or a form has, of at most so many digits; None where it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None


def form_of(body: bytes) -> dict[str, str]:
    """The fields of a form. Raises InvalidInput where it is none."""
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise InvalidInput("the form cannot be read") from error
    return dict(fields)
