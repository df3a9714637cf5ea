"""What one trial prints: as a stream of its newest lines, and all of it as text."""

from __future__ import annotations

import codecs
import io
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import closing
from itertools import chain
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ...client.trial_logs import LogPart, log_parts, told_assignment
from ...proto.v1.experiment_pb2 import ReadTrialLogRequest
from ...shared.errors import LimitExceeded, RungmasterError
from ...shared.limits import MAX_TAIL_LINES
from ...shared.text.visible import visible_block
from ..dashboard import of, session_of, whole_number
from ..logs.log_stream import LogStream
from ..security.sessions import SignIn

TEXTS_AT_ONCE = 4
"""Logs that are fetched as text at the same time: each is one more reader at the master."""

_texts = threading.BoundedSemaphore(TEXTS_AT_ONCE)


async def events(request: Request) -> Response:
    """The newest lines, and what is printed from now on, for as long as the browser stays. `after` is the id of the
    last message that it has got."""
    dashboard = of(request)
    session = await run_in_threadpool(session_of, request)
    experiment_id, trial_id = request.path_params["experiment_id"], request.path_params["trial_id"]
    unit = (await run_in_threadpool(session.client.get, experiment_id)).unit
    after = request.headers.get("last-event-id") or request.query_params.get("after", "")
    about = experiment_id, trial_id, unit
    return LogStream(dashboard.logs, about, session, lambda: dashboard.access.check(session), after[:60])


async def as_text(request: Request) -> Response:
    """All assignments, oldest first; with `tail` only so many lines at the end of the latest. To keep as a file, unless
    `show` says that the browser shows it."""
    session = await run_in_threadpool(session_of, request)
    experiment_id, trial_id = request.path_params["experiment_id"], request.path_params["trial_id"]
    tail = whole_number(request.query_params.get("tail", ""))
    if not _texts.acquire(blocking=False):
        raise LimitExceeded(f"{TEXTS_AT_ONCE} logs are fetched as text already: try again in a minute")
    try:
        lines = await run_in_threadpool(_begun, session, experiment_id, trial_id, tail)
    except BaseException:
        _texts.release()
        raise
    headers = {}
    if not request.query_params.get("show"):
        headers["content-disposition"] = f'attachment; filename="experiment-{experiment_id}-trial-{trial_id}.log"'
    return _TextAnswer(lines, headers)


class _TextAnswer(StreamingResponse):
    """A text that is fetched as the browser takes it, and let go of where that leaves."""

    def __init__(self, text: Generator[str, None, None], headers: dict[str, str]) -> None:
        super().__init__(_parts_of(text), media_type="text/plain; charset=utf-8", headers=headers)
        self._text = text

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._text.close()
            _texts.release()


async def _parts_of(text: Generator[str, None, None]) -> AsyncIterator[str]:
    while part := await run_in_threadpool(_next, text):
        yield part


def _begun(session: SignIn, experiment_id: int, trial_id: int, tail: int | None) -> Generator[str, None, None]:
    """The text, of which the first part is there: what goes wrong before that is an error of the whole answer."""
    unit = session.client.get(experiment_id).unit
    wanted: dict[str, Any] = {} if tail is None else {"tail_lines": min(tail, MAX_TAIL_LINES)}
    request = ReadTrialLogRequest(experiment_id=experiment_id, trial_id=trial_id, **wanted)
    text = _text(log_parts(session.client.connection, request, ()), trial_id, unit)
    first = next(text, "")
    return _joined(first, text)


def _joined(first: str, text: Generator[str, None, None]) -> Generator[str, None, None]:
    with closing(text):
        yield from chain((first,), text)


def _text(parts: Generator[LogPart, None, None], trial_id: int, unit: str) -> Generator[str, None, None]:
    """What is printed, where nothing in it can act: each line of a progress bar on a line of its own."""
    begun = False
    decoder = _decoder()
    with closing(parts):
        try:
            for part in parts:
                if part.missing:
                    yield f"(no more of this assignment: {visible_block(part.missing)})\n"
                elif part.content:
                    yield visible_block(decoder.decode(part.content))
                elif part.assignment is not None:
                    decoder = _decoder()
                    yield f"==> trial {trial_id}, {visible_block(told_assignment(part.assignment, unit))} <==\n"
                begun = True
        except RungmasterError as error:
            if not begun:
                raise
            yield f"\n(the rest could not be read: {visible_block(str(error))})\n"


def _decoder() -> io.IncrementalNewlineDecoder:
    return io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")(errors="replace"), translate=True)


def _next(lines: Iterator[str]) -> str:
    """The next part that has something; empty at the end."""
    return next(filter(None, lines), "")
