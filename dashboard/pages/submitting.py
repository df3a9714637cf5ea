"""Submitting a spec: its problems at their lines, and its plan before it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ...shared.errors import InvalidSpec, PermissionDenied, RungmasterError
from ...shared.spec.spec import parse_spec
from ...shared.spec.writing import spec_to_yaml
from ..dashboard import Form, acting, looking, whole_number
from ..rendering import page
from ..security.sessions import SignIn
from ..wording.spec_lines import PlacedProblem, place

PLAN_TIMEOUT_S = 20.0
_EXAMPLE = """\
name: my-search
entrypoint: my_training:train
metric: {name: validation_loss, goal: minimize}
unit: epochs
hyperparameters:
  learning_rate: {type: float, low: 1.0e-4, high: 0.1, log: true}
  width: {type: int, low: 16, high: 512, log: true}
searcher: {name: adaptive_asha, max_trials: 100, max_resource: 81}
"""


@looking
def show(request: Request, session: SignIn) -> Response:
    """The form, with the spec of the experiment that `like` in the query names, or with an example."""
    _check_role(session)
    like = whole_number(request.query_params.get("like", ""))
    text = _EXAMPLE if like is None else spec_to_yaml(session.client.get(like).spec)
    return _form(request, session, text)


@acting
def submit(request: Request, session: SignIn, form: Form) -> Response:
    """Checks a spec and shows its plan; with `go`, submits it."""
    _check_role(session)
    text = form.get("spec", "").replace("\r\n", "\n")
    try:
        parse_spec(text, source="the spec")
        if form.get("step") != "submit":
            return _form(request, session, text, plan=plan_of(text))
        experiment, _ = session.client.submit_quietly(text, request_id=form.get("request_id") or None)
    except InvalidSpec as error:
        return _form(request, session, text, problems=place(text, error.problems), status=400)
    return RedirectResponse(f"/experiments/{experiment.experiment_id}", 303)


def _check_role(session: SignIn) -> None:
    if not session.may_submit:
        raise PermissionDenied(f"{session.name} may look, and not submit: its token has the role {session.role}")


def _form(
    request: Request,
    session: SignIn,
    text: str,
    *,
    plan: dict[str, Any] | None = None,
    problems: list[PlacedProblem] | None = None,
    status: int = 200,
) -> Response:
    return page(
        request,
        "submit.html",
        session,
        status,
        text=text,
        lines=text.splitlines(),
        plan=plan,
        problems=problems or [],
        request_id=os.urandom(16).hex(),
    )


def plan_of(text: str) -> dict[str, Any]:
    """What `rungmaster plan` says of a spec: the master's own code, in a process of its own.

    Raises RungmasterError where that fails.
    """
    with tempfile.TemporaryDirectory(prefix="rungmaster-plan-") as folder:
        file = Path(folder) / "spec.yaml"
        file.write_text(text, encoding="utf-8")
        command = [sys.executable, "-P", "-m", "rungmaster.client.cli.main", "plan", "--json", str(file)]
        try:
            done = subprocess.run(  # noqa: S603  our own program
                command, capture_output=True, text=True, timeout=PLAN_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise RungmasterError(f"the plan of this spec takes longer than {PLAN_TIMEOUT_S:.0f} s") from error
    if done.returncode:
        raise RungmasterError(f"there is no plan of this spec: {done.stderr.strip()[-1000:]}")
    return json.loads(done.stdout)
