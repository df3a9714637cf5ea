"""The closest of some known names to one that is not known, found with bounded work whatever the names are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from heapq import nlargest

#: The longest name that is compared, in characters.
LONGEST = 100
#: How similar two names must be, from 0 to 1.
CUTOFF = 0.6
#: How many names are compared in full: those that share most characters.
COMPARED = 10
#: How many misspelt names of one document are told with the closest known one; the others are told without.
MAX_SUGGESTIONS = 20

_left: ContextVar[int | None] = ContextVar("suggestions_left", default=None)


@contextmanager
def few_suggestions(most: int = MAX_SUGGESTIONS) -> Iterator[None]:
    """Within, so many names are looked for; the closest to any more is None."""
    token = _left.set(most)
    try:
        yield
    finally:
        _left.reset(token)


def closest(word: str, names: Iterable[str]) -> str | None:
    """The name that is most similar to the word; None where none is, or enough were looked for."""
    if len(word) > LONGEST or _exhausted():
        return None
    # Not before it is needed: most names are right.
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(b=word)

    def bound(name: str) -> float:
        """At least as much as their similarity, in a fraction of the time."""
        matcher.set_seq1(name)
        return matcher.quick_ratio() if matcher.real_quick_ratio() >= CUTOFF else 0.0

    def similarity(name: str) -> float:
        matcher.set_seq1(name)
        return matcher.ratio()

    bounds = ((bound(name), name) for name in names if len(name) <= LONGEST)
    likely = nlargest(COMPARED, (pair for pair in bounds if pair[0] >= CUTOFF))
    similar = max(((similarity(name), name) for _, name in likely), default=(0.0, ""))
    return similar[1] if similar[0] >= CUTOFF else None


def _exhausted() -> bool:
    """Whether as many were looked for as may be; counts this one."""
    left = _left.get()
    if left is not None:
        _left.set(left - 1)
    return left is not None and left <= 0
