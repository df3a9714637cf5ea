"""The checkpoints whose files are to go: whom to ask, and who was asked."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

#: Deletions asked of one worker at once.
DELETIONS_ASKED = 100


class Deletions:
    """Checkpoints that nobody was asked to delete yet, and by URI the session that was."""

    def __init__(self, unneeded: Iterable[str]) -> None:
        self._waiting: dict[str, None] = dict.fromkeys(unneeded)
        self._asked: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, uris: Iterable[str]) -> None:
        """Nothing needs these checkpoints any more."""
        self._waiting.update(dict.fromkeys(uri for uri in uris if uri not in self._asked))

    def ask(self, session_id: str) -> list[str]:
        """Some that this session is asked to delete from now on."""
        asked = list(islice(self._waiting, DELETIONS_ASKED))
        for uri in asked:
            del self._waiting[uri]
        self._asked.update(dict.fromkeys(asked, session_id))
        return asked

    def done(self, uri: str) -> bool:
        """The files are gone; whether that was wanted."""
        asked = self._asked.pop(uri, None) is not None
        wanted = asked or uri in self._waiting
        self._waiting.pop(uri, None)
        return wanted

    def ask_others(self, session_id: str) -> None:
        """The session may not have heard what it was to delete: whoever is there is asked."""
        for uri in [uri for uri, asked in self._asked.items() if asked == session_id]:
            del self._asked[uri]
            self._waiting[uri] = None
