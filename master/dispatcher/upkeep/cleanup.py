"""Goes on with what is done in portions, beside everything else: what experiments that have ended leave behind, and
what searchers decide about large rungs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from ....shared.errors import MastershipLost, RungmasterError
from ..core import Core
from ..writer import Writer

log = logging.getLogger(__name__)

#: How many times as long as a portion took it rests: others wait for answers, and nobody for it.
REST = 1.0
#: Seconds until it looks again where something went wrong, and where it did not hear of anything.
TROUBLE_PAUSE_S, LOOK_INTERVAL_S = 1.0, 10.0


async def go_on_in_portions(writer: Writer) -> None:
    """Has it done portion by portion, for ever; raises MastershipLost where that is over.

    What is left to do stands in the database: a master that was killed in the middle goes on with it.
    """
    while True:
        writer.more.clear()
        try:
            while await _one_portion(writer):
                pass
        except MastershipLost:
            raise
        except RungmasterError as error:
            log.warning("what is done in portions could not be gone on with: %s", error)
            await asyncio.sleep(TROUBLE_PAUSE_S)
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(writer.more.wait(), LOOK_INTERVAL_S)


async def _one_portion(writer: Writer) -> bool:
    start = time.monotonic()
    more = await writer.execute(lambda core, _: take_turn(core))
    if more:
        await asyncio.sleep(REST * (time.monotonic() - start))
    return more


def take_turn(core: Core) -> bool:
    """Goes on with an ending and with the decisions of a searcher, a portion of each; whether there is any."""
    ending = core.endings.take_turn()
    deciding = next((each for each in core.experiments.values() if each.active and each.deciding), None)
    if deciding is not None:
        core.isolation.do(deciding, deciding.prepare)
        core.wake(deciding.experiment_id)
    return ending or deciding is not None
