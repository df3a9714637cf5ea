"""Getting a database to oneself, waiting for its master's end where it has one, and showing signs of life then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from ..shared.errors import FailedPrecondition, MastershipLost, Unavailable
from .ledger.leadership.candidate import Candidate
from .ledger.leadership.mastership import MastershipHolder
from .ledger.leadership.renewal import Renewal
from .ledger.ledger import Ledger

log = logging.getLogger(__name__)

#: Seconds between two looks at the master that is waited for.
LOOK_INTERVAL_S = 0.5
#: Seconds between two signs of life; a standby must bear several times as long.
RENEW_INTERVAL_S = 2.0
#: Seconds after which a sign of life that is still not written means that the database takes no writes.
RENEW_PATIENCE_S = 3.0
#: Seconds between two looks at the files of the database: a stat each.
FILE_CHECK_INTERVAL_S = 0.5
SHORTEST_TAKEOVER_S = 2 * RENEW_INTERVAL_S


class Election(StrEnum):
    """What a master does where its database has another one."""

    WAIT = "wait"
    TAKE_OVER = "take over"
    GIVE_UP = "give up"


@dataclass(frozen=True, slots=True)
class Claim:
    """Who wants which database, and how. A master silent for `takeover_after_s` seconds is replaced by who waits.

    `ready` raises where this one could not serve; it is called before the database is made, or taken from one that is
    gone.
    """

    database: str
    holder: str
    election: Election
    takeover_after_s: float
    ready: Callable[[], None] = lambda: None


async def own(
    claim: Claim, stop: asyncio.Event, thread: Executor, waiting: Callable[[str, int], None]
) -> Ledger | None:
    """The ledger, once its database is this process's; None where it is told to stop before that.

    `waiting(holder, term)` is called for each master that is waited for. Raises FailedPrecondition where there is one
    and the claim is to give up then; Unavailable and DatabaseError where the database cannot be used at the start; what
    `claim.ready` raises.
    """
    at_once = claim.election is Election.TAKE_OVER
    candidate = Candidate(
        claim.database,
        holder=claim.holder,
        takeover_after_s=claim.takeover_after_s,
        at_once=at_once,
        ready=claim.ready,
    )
    try:
        return await _elected(candidate, claim, stop, thread, waiting)
    finally:
        await asyncio.get_running_loop().run_in_executor(thread, candidate.close)


async def _elected(
    candidate: Candidate, claim: Claim, stop: asyncio.Event, thread: Executor, waiting: Callable[[str, int], None]
) -> Ledger | None:
    told: MastershipHolder | None = None
    while not stop.is_set():
        try:
            found = await asyncio.get_running_loop().run_in_executor(thread, candidate.attempt)
        except Unavailable as error:
            if told is None:
                raise
            log.warning("waiting for the database: %s", error)
        else:
            if isinstance(found, Ledger):
                return found
            if claim.election is Election.GIVE_UP:
                raise FailedPrecondition(f"{found.holder} owns the database (term {found.term}); end that master first")
            if told is None or found.term != told.term:
                waiting(found.holder, found.term)
            told = found
        await _set_within(stop, LOOK_INTERVAL_S)
    return None


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


async def renew(renewal: Renewal, told: Callable[[bool], Awaitable[None]]) -> None:
    """Shows signs of life for ever, from a thread of their own; raises MastershipLost where another master took over,
    or the database is gone. For its files it looks more often.

    Each is a write like any other, so `told` learns from it whether the database takes writes now. It is the event
    loop that asks for each: a master whose loop stands still shows none.
    """
    thread, looking = (ThreadPoolExecutor(1, thread_name_prefix=name) for name in ("renewal", "file-check"))
    tasks = [asyncio.create_task(_renew(renewal, thread, told)), asyncio.create_task(_watch(renewal, looking))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # After the one that is under way, which the lock of the term must outlive.
        await asyncio.get_running_loop().run_in_executor(thread, renewal.close)
        thread.shutdown(wait=False)
        looking.shutdown(wait=False)


async def _watch(renewal: Renewal, thread: Executor) -> None:
    """Raises DatabaseLost as soon as the files are not there any more, also where nothing else is done."""
    while True:
        await asyncio.sleep(FILE_CHECK_INTERVAL_S)
        look = asyncio.get_running_loop().run_in_executor(thread, renewal.look)
        look.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            await look
        except MastershipLost:
            raise
        except Unavailable as error:
            log.warning("the files of the database could not be looked at: %s", error)


async def _renew(renewal: Renewal, thread: Executor, told: Callable[[bool], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(RENEW_INTERVAL_S)
        sign = asyncio.get_running_loop().run_in_executor(thread, renewal.renew)
        # A master that is told to end meanwhile has no use for its outcome, and asyncio is not to complain of that.
        sign.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        if not (await asyncio.wait({sign}, timeout=RENEW_PATIENCE_S))[0]:
            await told(False)
        try:
            await sign
        except MastershipLost:
            raise
        except Unavailable as error:
            log.warning("no sign of life could be given: %s", error)
            await told(False)
        else:
            await told(True)
