"""Workers and their slots: what each does, and why those with room do not."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..dashboard import looking
from ..rendering import page
from ..security.sessions import SignIn


@looking
def show(request: Request, session: SignIn) -> Response:
    """All workers, by name."""
    workers = session.client.workers()
    return page(
        request,
        "workers.html",
        session,
        workers=workers,
        slots=sum(worker.slots for worker in workers),
        used=sum(worker.slots_used for worker in workers),
        info=session.client.master_info(),
    )
