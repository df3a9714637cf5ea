"""Where a report stands in the stream of its experiment's reports."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import InvalidInput


class ReportPosition(NamedTuple):
    """A place in the stream of an experiment's reports: that of a report, or by default that before the first.

    Reports are in the order of these. `commit_id` grows from commit to commit; 0 where an older version stored it.
    """

    commit_id: int = 0
    trial_id: int = 0
    token: int = 0
    sequence: int = 0

    def __str__(self) -> str:
        return ".".join(map(str, self))

    @classmethod
    def parse(cls, text: str) -> ReportPosition:
        """What `str` gave; the place before the first report where there is no text. Raises InvalidInput."""
        if not text:
            return cls()
        position = cls(*map(int, text.split("."))) if _POSITION.fullmatch(text) else None
        if position is None or any(map(int.__gt__, position, _LAST_POSITION)):
            raise InvalidInput(
                f"{text[:100]!r} is no position of a report; one is its commit_id, trial_id, token and "
                "sequence, such as 206158430209.17.1.4"
            )
        return position


_POSITION = re.compile(r"[0-9]{1,19}(\.[0-9]{1,19}){3}")
_LAST_POSITION = ReportPosition(2**63 - 1, 2**31 - 1, 2**31 - 1, 2**63 - 1)
