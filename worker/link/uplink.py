"""Keeps a worker connected: one session after the other, at whichever address a master answers."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Sequence

from ...shared.errors import PermissionDenied, Unauthenticated, Unavailable
from ...shared.net.backoff import Backoff
from ...shared.net.credentials import NO_CREDENTIALS, Credentials
from ...shared.wire.session import Welcome
from .session import AnotherDatabase, Peer, SessionEnded, converse

#: Refusals in a row, by masters that would refuse again, after which the worker gives up.
MAX_REFUSALS = 5
#: After a session of so many seconds the waits begin anew.
_LASTING_S = 5.0
#: Seconds between two attempts, at most; less where leases are short, so that a few attempts fit into one.
_LONGEST_WAIT_S = 10.0
_SHORTEST_WAIT_S = 0.05
_ATTEMPTS_PER_LEASE = 4
#: Seconds for saying goodbye.
_GOODBYE_S = 5.0

_NOT_WANTED = (Unauthenticated, PermissionDenied)

logger = logging.getLogger(__name__)


class Uplink:
    """The way to the masters at `addresses`."""

    def __init__(
        self, addresses: Sequence[str], connect_timeout_s: float, credentials: Credentials = NO_CREDENTIALS
    ) -> None:
        """Before any master was reached it gives up after `connect_timeout_s` seconds; afterwards it tries for ever."""
        self._addresses = tuple(addresses)
        self._connect_timeout_s = connect_timeout_s
        self._credentials = credentials
        self._longest_s = _LONGEST_WAIT_S
        self._backoff = Backoff(maximum_s=self._longest_s)
        self._term = 0
        self._database_id = ""
        self._refusals = 0
        self._welcomed = False
        #: What was told of each address since the last welcome.
        self._told: set[tuple[str, str]] = set()

    async def stay_connected(self, peer: Peer, leaving: asyncio.Event) -> None:
        """Holds sessions until the worker is leaving.

        Raises Unavailable when no master could be reached at the start, or masters keep refusing this worker, and
        what keeps sessions from being held where no other attempt would change it.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._connect_timeout_s
        for address in itertools.cycle(self._addresses):
            began_at = loop.time()
            ended = await self._session(address, peer, leaving)
            if ended is None:
                return
            self._judge(address, ended, late=loop.time() >= give_up_at)
            self._tell(address, str(ended))
            if isinstance(ended, AnotherDatabase):
                await peer.abandon("the master has another database")
                continue
            if loop.time() - began_at >= _LASTING_S:
                self._backoff.reset()
            if await _set_within(leaving, self._backoff.next()):
                return

    async def _session(self, address: str, peer: Peer, leaving: asyncio.Event) -> SessionEnded | None:
        """One session; None when the worker leaves."""
        session = asyncio.create_task(converse(address, self._credentials, peer, self._accept))
        left = asyncio.create_task(leaving.wait())
        try:
            await asyncio.wait({session, left}, return_when=asyncio.FIRST_COMPLETED)
            if left.done():
                await asyncio.wait({session}, timeout=_GOODBYE_S if self._welcomed else 0)
        finally:
            left.cancel()
            session.cancel()
            outcome, _ = await asyncio.gather(session, left, return_exceptions=True)
        if leaving.is_set():
            return None
        if isinstance(outcome, BaseException) and not isinstance(outcome, SessionEnded):
            raise outcome
        return outcome

    def _accept(self, welcome: Welcome) -> None:
        self._check_history(welcome.database_id)
        if welcome.term < self._term:
            raise SessionEnded(f"it is a master of term {welcome.term}, replaced by one of term {self._term}")
        self._wait_at_most(min(_LONGEST_WAIT_S, max(_SHORTEST_WAIT_S, welcome.lease_ttl_s / _ATTEMPTS_PER_LEASE)))
        logger.info("connected to a master of term %d, version %s", welcome.term, welcome.version)
        self._term = welcome.term
        self._welcomed = True
        self._told.clear()

    def _check_history(self, database_id: str) -> None:
        """Raises AnotherDatabase where terms and leases of before mean nothing to the master; old ones say nothing."""
        known, self._database_id = self._database_id, database_id or self._database_id
        if known and known != self._database_id:
            self._term = 0
            raise AnotherDatabase(
                f"its database ({database_id}) is another one than that of the masters before ({known}), as if it had "
                "been deleted and begun anew: what this worker trains for the former is given up"
            )

    def _wait_at_most(self, seconds: float) -> None:
        if seconds != self._longest_s:
            self._longest_s = seconds
            self._backoff = Backoff(min(0.2, seconds), seconds)

    def _tell(self, address: str, trouble: str) -> None:
        """Says once what keeps being the case, however long an outage lasts: where nothing answers at all, gRPC gives
        now one reason and now another."""
        level = logging.DEBUG if (address, trouble) in self._told else logging.WARNING
        logger.log(level, "no session with the master at %s: %s", address, trouble)
        self._told.add((address, trouble))

    def _judge(self, address: str, ended: SessionEnded, *, late: bool) -> None:
        """Raises what is wrong where trying on is of no use.

        A worker that a master knew once waits for certificates to be mended, as for the end of an outage: its trials
        train meanwhile. One whose token is not accepted any more is not wanted.
        """
        if ended.cause is not None and (not self._welcomed or isinstance(ended.cause, _NOT_WANTED)):
            raise ended.cause
        self._refusals = self._refusals + 1 if ended.permanent else 0
        if not self._welcomed and (late or ended.permanent):
            raise Unavailable(
                f"no master could be reached at {address}: {ended}; check the address, that `rungmaster master` runs "
                "there, and that both are of the same version"
            )
        if self._refusals >= MAX_REFUSALS:
            raise Unavailable(f"the master at {address} keeps refusing this worker: {ended}")


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
