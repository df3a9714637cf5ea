"""Pausing, resuming, cancelling and extending an experiment. A dialog has asked before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ...client.client import Client
from ...shared.errors import InvalidInput
from ..dashboard import Form, acting, whole_number
from ..security.sessions import SignIn


def _extend(client: Client, experiment_id: int, form: Form) -> Any:
    text = form.get("max_trials", "").strip().replace(",", "").replace("\u202f", "")
    wanted = whole_number(text, digits=10)
    if wanted is None:
        raise InvalidInput(f"how many trials in all? {text!r} is no whole number")
    return client.extend(experiment_id, wanted)


_ACTIONS: dict[str, Callable[[Client, int, Form], Any]] = {
    "pause": lambda client, number, _: client.pause(number),
    "resume": lambda client, number, _: client.resume(number),
    "cancel": lambda client, number, _: client.cancel(number),
    "extend": _extend,
}


@acting
def steer(request: Request, session: SignIn, form: Form) -> Response:
    """Does what `action` says, with the caller's own token, and shows the experiment again."""
    action, experiment_id = form.get("action", ""), request.path_params["experiment_id"]
    if action not in _ACTIONS:
        raise InvalidInput(f"nothing of the name {action!r} can be done with an experiment")
    _ACTIONS[action](session.client, experiment_id, form)
    return RedirectResponse(f"/experiments/{experiment_id}", 303)
