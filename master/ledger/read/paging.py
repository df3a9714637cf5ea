"""Pages of lists. A page token says where the next page starts, so that no row is counted off to find it."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....shared.errors import InvalidInput

_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was asked for. `after` is the position of the last row before it; None for the first page."""

    size: int
    after: tuple[Any, ...] | None
    query: str

    def token(self, position: Sequence[int | float]) -> str:
        """The token of the page that starts after `position`."""
        return base64.urlsafe_b64encode(json.dumps([self.query, *position]).encode()).decode()

    def cut(self, rows: Sequence[Any]) -> tuple[Sequence[Any], bool]:
        """Of size + 1 rows the page, and whether another one follows."""
        return rows[: self.size], len(rows) > self.size


def parse_page(query: Sequence[Any], kinds: tuple[type, ...], size: int, token: str, largest: int, usual: int) -> Page:
    """Checks a page size (0 for the usual one) and a page token (empty for the first page).

    `query` is what the list depends on, so that a token is good only for the list that it came from; `kinds` are the
    types of a position's parts. Raises InvalidInput.
    """
    if not 0 <= size <= largest:
        raise InvalidInput(f"page_size: must be 1 to {largest:,}, or 0 for {usual:,}, got {size}")
    fingerprint = hashlib.sha256(json.dumps(query).encode()).hexdigest()[:12]
    return Page(size or usual, _parse_position(token, fingerprint, kinds) if token else None, fingerprint)


def _parse_position(token: str, fingerprint: str, kinds: tuple[type, ...]) -> tuple[Any, ...]:
    try:
        query, *position = json.loads(base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError):
        raise InvalidInput(
            "page_token: this is not a token that a list gave; leave it empty for the first page"
        ) from None
    if query != fingerprint or not _fits(position, kinds):
        raise InvalidInput("page_token: this token is of another list; keep the filters and the order between pages")
    return tuple(position)


def _fits(position: list[Any], kinds: tuple[type, ...]) -> bool:
    return len(position) == len(kinds) and all(map(_is, position, kinds))


def _is(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, float) and math.isfinite(value)
    return type(value) is int and abs(value) <= _LARGEST
