"""The figures of an experiment as data, and the frame in which browsers draw them.

Plotly's WebGL traces make functions from text, which the policy of our pages forbids. So they are drawn in a frame of
its own that may do so, and nothing else: it has no origin, so no cookie and no page of ours, and may load only Plotly.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from operator import is_
from pathlib import Path
from typing import NamedTuple

import plotly
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response

from ... import plots
from ...plots.figures.compare import MOST
from ...plots.history import History
from ...plots.style import Theme
from ...shared.errors import NotFound
from ...shared.wire.model import Experiment
from ..dashboard import of, session_of, whole_number
from ..rendering import page
from ..security.headers import FRAME_POLICY
from .comparing import asked

DRAWN_AT_ONCE = 4
"""Figures that are drawn at the same time; more wait, and keep no thread that pages need."""

KEPT_BYTES = 32 * 2**20

BEHIND = "x-behind"
"""The header that says whether a figure is to be asked for again, since more has happened than it shows."""

_YEAR = "public, max-age=31536000, immutable"
_drawing = CapacityLimiter(DRAWN_AT_ONCE)


class FigureLook(NamedTuple):
    """How a browser wants figures: without WebGL where it has no graphics card, and would compute the pictures."""

    theme: Theme
    webgl: bool

    @classmethod
    def of(cls, request: Request) -> FigureLook:
        """As it asks."""
        asked_for = request.query_params
        return cls("dark" if asked_for.get("theme") == "dark" else "light", asked_for.get("draw") != "svg")


class FigureCache:
    """Figures that were drawn, as JSON, for those who ask for the same of the same histories."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], tuple[bytes, tuple[History, ...]]] = OrderedDict()
        self._bytes = 0

    def draw(self, kind: str, histories: tuple[History, ...], look: FigureLook, trial_id: int | None) -> bytes:
        """A figure as JSON; of one trial alone where one is given."""
        key = (kind, look, trial_id, *(each.experiment.experiment_id for each in histories))
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and all(map(is_, kept[1], histories)):
                self._kept.move_to_end(key)
                return kept[0]
        shown = [each if trial_id is None else of_trial(each, trial_id) for each in histories]
        drawn = plots.draw(
            kind, shown if kind == "compare" else shown[0], theme=look.theme, webgl=look.webgl, title=False
        )
        text = drawn.to_json().encode()
        with self._lock:
            before = self._kept.pop(key, None)
            self._kept[key] = text, histories
            self._bytes += len(text) - (len(before[0]) if before else 0)
            while self._bytes > KEPT_BYTES and len(self._kept) > 1:
                self._bytes -= len(self._kept.popitem(last=False)[1][0])
        return text


_figures = FigureCache()


def of_trial(history: History, trial_id: int) -> History:
    """The same with one trial alone."""
    curves = {number: curve for number, curve in history.curves.items() if number == trial_id}
    return replace(history, trials=tuple(t for t in history.trials if t.trial_id == trial_id), curves=curves)


async def figure(request: Request) -> Response:
    """One figure as JSON, or 304 where the browser has it; where there is nothing to show, why."""
    kind, experiment_id = request.path_params["kind"], request.path_params["experiment_id"]
    if kind not in plots.KINDS or kind == "compare":
        raise NotFound(f"there is no figure of the name {kind!r}")
    trial_id = whole_number(request.query_params.get("trial", ""))

    def draw(histories: tuple[History, ...], look: FigureLook) -> bytes:
        return _figures.draw(kind, histories, look, trial_id)

    # The page of a trial tells what was decided about it as well.
    return await _drawn(request, [experiment_id], draw, plots.KINDS[kind].of_journal or trial_id is not None)


async def compared(request: Request) -> Response:
    """The same of several experiments."""
    numbers, _ = asked(request.query_params.getlist("experiments"))

    def draw(histories: tuple[History, ...], look: FigureLook) -> bytes:
        return _figures.draw("compare", histories, look, None)

    return await _drawn(request, numbers[:MOST], draw, False)


async def _drawn(
    request: Request, numbers: Sequence[int], draw: Callable[[tuple[History, ...], FigureLook], bytes], journal: bool
) -> Response:
    """The figure that `draw` makes of the experiments of these numbers, with their journals where it shows them."""
    look = FigureLook.of(request)

    def drawn() -> tuple[bytes, bool]:
        session = session_of(request)
        feeds = [of(request).feeds.feed(number, session) for number in numbers]
        # What is drawn from is read with rests, so the page may know of more already.
        known = [feed.picture.experiment for feed in feeds]
        histories = tuple(feed.history.get(journal=journal) for feed in feeds)
        behind = any(_is_behind(each.experiment, now) for each, now in zip(histories, known, strict=True))
        try:
            return draw(histories, look), behind
        except plots.NothingToShow as error:
            return json.dumps({"nothing": str(error)}).encode(), behind

    text, behind = await to_thread.run_sync(drawn, limiter=_drawing)
    tag = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "no-cache", BEHIND: "yes" if behind else "no"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(text, media_type="application/json", headers=headers)


def _is_behind(shown: Experiment, now: Experiment) -> bool:
    return shown.last_event_id < now.last_event_id or (now.over and not shown.over)


async def frame(request: Request) -> Response:
    """The document in which figures are drawn; it is the same for everybody."""
    answer = page(request, "frame.html", None, plotly=plotly_path())
    answer.headers.update(
        {"content-security-policy": FRAME_POLICY, "x-frame-options": "SAMEORIGIN", "cache-control": "no-cache"}
    )
    return answer


def plotly_path() -> str:
    """Where browsers find Plotly's JavaScript, by its version, so that it can be kept for good."""
    return f"/plotly/{plotly.__version__}.js"


@cache
def _javascript(packed: bool) -> bytes:
    text = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()
    return gzip.compress(text, 6, mtime=0) if packed else text


async def javascript(request: Request) -> Response:
    """Plotly's JavaScript, which its Python package brings."""
    packed = "gzip" in request.headers.get("accept-encoding", "")
    headers = {"cache-control": _YEAR, "vary": "accept-encoding", "cross-origin-resource-policy": "cross-origin"}
    if packed:
        headers["content-encoding"] = "gzip"
    text = await to_thread.run_sync(_javascript, packed)
    return Response(text, media_type="text/javascript; charset=utf-8", headers=headers)
