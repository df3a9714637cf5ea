"""Places at which a master can be made to fail, so that tests can prove that nothing is lost there.

RUNGMASTER_FAILPOINT names one or more of them, separated by commas, each with what it does and, after @, at which
passage (the first, where it is not said):

    RUNGMASTER_FAILPOINT=commit.after:exit@3                the third time the process ends at once, as by kill -9
    RUNGMASTER_FAILPOINT=commit.before:raise                an error of its own
    RUNGMASTER_FAILPOINT=deliver.before:delay=0.5           half a second in which the thread does nothing

Without the variable a passage costs one comparison.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping

from ..shared.errors import InvalidInput

VARIABLE = "RUNGMASTER_FAILPOINT"
#: What an exit here leaves as the exit code, so that it can be told from any other.
EXIT_CODE = 86

NAMES: dict[str, str] = {
    "start.before": "nothing of the database was touched yet",
    "term.before": "the new term, and perhaps a new schema, are written and not committed",
    "term.after": "the new term is committed, nothing is in memory",
    "recover.before": "nothing is in memory, and signs of life are shown",
    "recover.after": "the memory is built, and nobody is served",
    "serve.after": "the first call can be answered",
    "renew.before": "a sign of life is written and not committed",
    "renew.after": "it is committed",
    "apply.after": "a batch is applied to the memory, and not written",
    "commit.before": "a batch is written and not committed",
    "commit.after": "it is committed, and no answer is made",
    "deliver.before": "the answers are made, and none is on its way",
    "deliver.after": "workers are answered, and those who called are not",
    "answer.after": "everybody was answered",
    "ending.before": "a portion of what an ended experiment leaves behind is written, and not committed",
    "ending.after": "it is committed",
    "chore.before": "some rows of a thinned or deleted experiment are deleted, and that is not committed",
    "chore.after": "it is committed",
    "session.hello": "a worker has said hello, and is not known yet",
    "session.received": "a worker's bundle is decoded, and not applied",
    "session.send": "a bundle for a worker is about to be sent",
    "session.sent": "it is handed to the network",
    "reply.before": "a call is about to be replied to",
    "reply.after": "its reply is handed to the network",
}

_FORM = re.compile(
    r"(?P<name>[a-z.]+):(?:(?P<act>exit|raise)|delay=(?P<seconds>\d+(?:\.\d+)?))(?:@(?P<passage>[1-9]\d*))?"
)


class FailpointReached(Exception):
    """Raised on request, where an error of the master's own could be."""


class Failpoint:
    """One place that is armed."""

    def __init__(self, name: str, act: str, seconds: float, passage: int) -> None:
        self._name = name
        self._act = act
        self._seconds = seconds
        self._left = passage

    def strike(self) -> None:
        """Somebody passes; once, at the right passage, it does what it was told to."""
        self._left -= 1
        if self._left != 0:
            return
        if self._act == "exit":
            os._exit(EXIT_CODE)
        if self._act == "raise":
            raise FailpointReached(self._name)
        time.sleep(self._seconds)


def parse(text: str) -> dict[str, Failpoint]:
    """Failpoints by name. Raises InvalidInput where the text has another form, or names a place that is not there."""
    armed = {}
    for part in filter(None, map(str.strip, text.split(","))):
        found = _FORM.fullmatch(part)
        if found is None:
            raise InvalidInput(f"{VARIABLE}: {part!r} is not NAME:exit, NAME:raise or NAME:delay=SECONDS, each with @N")
        name = found["name"]
        if name not in NAMES:
            raise InvalidInput(f"{VARIABLE}: there is no failpoint {name!r}; there are {', '.join(NAMES)}")
        armed[name] = Failpoint(name, found["act"] or "delay", float(found["seconds"] or 0), int(found["passage"] or 1))
    return armed


_armed: dict[str, Failpoint] | None = None


def arm(environment: Mapping[str, str] = os.environ) -> None:
    """Arms what the environment names; to be called once, by the process that is to fail."""
    global _armed
    _armed = parse(environment.get(VARIABLE, "")) or None


def hit(name: str) -> None:
    """Marks a place. Raises FailpointReached where that was asked for."""
    if _armed is not None and (failpoint := _armed.get(name)) is not None:
        failpoint.strike()
