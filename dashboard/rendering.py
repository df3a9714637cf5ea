"""HTML from templates: whatever somebody wrote is escaped on its way into a page, what is hidden in it shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from ..shared.text.visible import visible_block
from ..shared.version import __version__
from .security.sessions import SignIn
from .wording import numbers

THEMES = ("light", "dark")


def _finalize(value: Any) -> Any:
    """What stands in a page for a value: characters that hide or turn the text around them are shown as such."""
    return visible_block(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_finalize,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(
    number=numbers.number,
    count=numbers.count,
    duration=numbers.duration,
    size=numbers.size,
    moment=numbers.moment,
    value=numbers.hyperparameter,
)
_ENVIRONMENT.globals.update(share=numbers.share, version=__version__)


def page(request: Request, name: str, session: SignIn | None, status: int = 200, /, **values: Any) -> HTMLResponse:
    """A template as an answer. `session` is who looks, None where nobody has signed in."""
    theme = request.cookies.get("rungmaster-theme", "")
    text = _ENVIRONMENT.get_template(name).render(
        request=request, session=session, theme=theme if theme in THEMES else "", **values
    )
    return HTMLResponse(text, status)
