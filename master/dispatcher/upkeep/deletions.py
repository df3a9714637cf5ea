"""The checkpoints whose files are to go: shared out over the workers, asked elsewhere where one cannot, later where
none can. No clock: times come in, monotonic and in seconds."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

#: Deletions that one worker is asked for and has not answered.
OUTSTANDING = 32
#: Seconds after which another worker is asked beside one that does not answer.
PATIENCE_S = 120.0
#: Seconds until what failed is tried again; each further time doubles them.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0
#: Of an error, so many characters are told where a worker's troubles are listed.
_TOLD = 200
#: Seconds between two looks for what time has changed.
_LOOK_S = 1.0


def pause_after(failures: int) -> float:
    """Seconds until the next try after so many failures in a row, one at least."""
    return min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20), LONGEST_PAUSE_S)


@dataclass(slots=True)
class _Rest:
    """A worker failed with a store: it gets nothing of it for a while, and then one deletion, to see how that goes."""

    failures: int = 0
    until: float = 0.0
    error: str = ""
    probe: str = ""

    def may_take(self, now: float) -> bool:
        return now >= self.until and not self.probe


@dataclass(slots=True)
class _Wanted:
    """One checkpoint that is to go: who was asked, who is asked now (empty: nobody), and how often it failed."""

    asked_before: set[str] = field(default_factory=set)
    asked: str = ""
    deadline: float = 0.0
    failures: int = 0
    last_failed_at: str = ""


class Deletions:
    """Checkpoints that are to be deleted, with whom was asked and what came of it."""

    def __init__(self, unneeded: Iterable[str]) -> None:
        self._wanted: dict[str, _Wanted] = {}
        #: By store, those that somebody can be asked for now.
        self._waiting: dict[str, dict[str, None]] = {}
        #: (when, URI) of those that failed, soonest first.
        self._resting: list[tuple[float, str]] = []
        #: (deadline, URI, session) in the order of asking.
        self._deadlines: deque[tuple[float, str, str]] = deque()
        #: By session, what it has not answered, whether another was asked meanwhile or not.
        self._outstanding: dict[str, set[str]] = {}
        #: By session and store.
        self._rests: dict[tuple[str, str], _Rest] = {}
        #: Whose turn it is to be asked first.
        self._turn = 0
        #: Whether anything has happened since the last time, and when to look even so.
        self._stirred, self._look_at = True, 0.0
        self.add(unneeded)

    def due(self, now: float) -> bool:
        """Whether it is worth while to `ask`: each batch wonders."""
        return bool(self._wanted) and (self._stirred or now >= self._look_at)

    def add(self, uris: Iterable[str]) -> None:
        """Nothing needs these checkpoints any more."""
        for uri in uris:
            if uri not in self._wanted:
                self._wanted[uri] = _Wanted()
                self._wait(uri)

    def take_back(self, uris: Iterable[str]) -> None:
        """These checkpoints are needed after all, and nobody has heard of it yet that they are to go."""
        for uri in uris:
            if (wanted := self._wanted.pop(uri, None)) is not None:
                self._no_longer_waiting(uri)
                self._answered(wanted.asked, uri)

    def ask(self, sessions: Sequence[str], now: float) -> dict[str, list[str]]:
        """By session, what it is asked to delete from now on; `sessions` are those that can be asked."""
        self._stirred, self._look_at = False, now + _LOOK_S
        self._wake(now)
        asked: dict[str, list[str]] = {}
        for store in list(self._waiting) if sessions else ():
            self._share_out(store, sessions, now, asked)
        return asked

    def done(self, session_id: str, uri: str) -> bool:
        """A worker says that the files are gone; whether it had been asked for that."""
        self._answered(session_id, uri)
        wanted = self._wanted.get(uri)
        if wanted is None or session_id not in wanted.asked_before:
            return False
        self._rests.pop((session_id, _store_of(uri)), None)
        self._no_longer_waiting(uri)
        del self._wanted[uri]
        return True

    def failed(self, session_id: str, uri: str, error: str, now: float) -> None:
        """A worker could not delete it: it is asked of another, later each time, and the worker for nothing of that
        store for a while."""
        self._answered(session_id, uri)
        wanted = self._wanted.get(uri)
        if wanted is None or wanted.asked != session_id:
            return
        rest = self._rests.setdefault((session_id, _store_of(uri)), _Rest())
        if now >= rest.until:
            rest.failures += 1
            rest.until = now + pause_after(rest.failures)
        rest.error = error[:_TOLD]
        wanted.failures += 1
        wanted.asked, wanted.last_failed_at = "", session_id
        heapq.heappush(self._resting, (now + pause_after(wanted.failures), uri))

    def ask_others(self, session_id: str) -> None:
        """The session may not have heard what it was to delete: whoever is there is asked."""
        self._stirred = True
        for uri in self._outstanding.pop(session_id, ()):
            wanted = self._wanted.get(uri)
            if wanted is not None and wanted.asked == session_id:
                wanted.asked = ""
                self._wait(uri)
        for rest in [rest for (holder, _), rest in self._rests.items() if holder == session_id]:
            rest.probe = ""

    def forget(self, session_id: str) -> None:
        """The session is gone for good."""
        self.ask_others(session_id)
        for key in [key for key in self._rests if key[0] == session_id]:
            del self._rests[key]

    def trouble_of(self, session_id: str, now: float) -> list[str]:
        """What a worker could not delete, and when it is tried again, for people."""
        return [
            f"cannot delete checkpoints in {store}: {rest.error} "
            + (f"(tried again in {rest.until - now:.0f} s)" if now < rest.until else "(to be tried again)")
            for (holder, store), rest in self._rests.items()
            if holder == session_id
        ]

    def _answered(self, session_id: str, uri: str) -> None:
        self._stirred = True
        self._outstanding.get(session_id, set()).discard(uri)
        rest = self._rests.get((session_id, _store_of(uri)))
        if rest is not None and rest.probe == uri:
            rest.probe = ""

    def _wait(self, uri: str) -> None:
        self._stirred = True
        self._waiting.setdefault(_store_of(uri), {})[uri] = None

    def _no_longer_waiting(self, uri: str) -> None:
        store = _store_of(uri)
        waiting = self._waiting.get(store, {})
        waiting.pop(uri, None)
        if not waiting:
            self._waiting.pop(store, None)

    def _wake(self, now: float) -> None:
        """Those that have rested wait again, and those that are not answered in time have failed."""
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, uri, session_id = self._deadlines.popleft()
            wanted = self._wanted.get(uri)
            if wanted is not None and wanted.asked == session_id and wanted.deadline == deadline:
                self.failed(session_id, uri, f"no answer within {PATIENCE_S:g} s", now)
                # It may be stuck there: the worker gets no other in its place until it answers.
                self._outstanding.setdefault(session_id, set()).add(uri)
        while self._resting and self._resting[0][0] <= now:
            uri = heapq.heappop(self._resting)[1]
            if uri in self._wanted and not self._wanted[uri].asked:
                self._wait(uri)

    def _share_out(self, store: str, sessions: Sequence[str], now: float, asked: dict[str, list[str]]) -> None:
        """Asks for what waits of one store, one worker after the other of those that can take it."""
        able = deque(sessions)
        able.rotate(-self._turn)
        while waiting := self._waiting.get(store):
            uri = next(iter(waiting))
            session_id = self._next(able, store, self._wanted[uri].last_failed_at, now)
            if session_id is None:
                return
            self._turn = (self._turn + 1) % len(sessions)
            self._ask(session_id, uri, now)
            asked.setdefault(session_id, []).append(uri)

    def _next(self, able: deque[str], store: str, rather_not: str, now: float) -> str | None:
        """The next worker that can take one, and at which it did not fail last where there is any other."""
        spare = None
        while able:
            session_id = able.popleft()
            if not self._may_take(session_id, store, now):
                continue
            if session_id != rather_not:
                able.extend([session_id] if spare is None else [spare, session_id])
                return session_id
            spare = session_id
        if spare is not None:
            able.append(spare)
        return spare

    def _may_take(self, session_id: str, store: str, now: float) -> bool:
        rest = self._rests.get((session_id, store))
        full = len(self._outstanding.get(session_id, ())) >= OUTSTANDING
        return not full and (rest is None or rest.may_take(now))

    def _ask(self, session_id: str, uri: str, now: float) -> None:
        self._no_longer_waiting(uri)
        wanted = self._wanted[uri]
        wanted.asked, wanted.deadline = session_id, now + PATIENCE_S
        wanted.asked_before.add(session_id)
        self._deadlines.append((wanted.deadline, uri, session_id))
        self._outstanding.setdefault(session_id, set()).add(uri)
        if rest := self._rests.get((session_id, _store_of(uri))):
            rest.probe = uri


def _store_of(uri: str) -> str:
    """The address below which the folders of experiments lie: `<store>/<experiment>/<trial>/<checkpoint>`."""
    return uri.rstrip("/").rsplit("/", 3)[0]
