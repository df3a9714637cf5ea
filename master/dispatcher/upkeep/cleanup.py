"""Goes on with what experiments that have ended leave behind, beside everything else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from ....shared.errors import MastershipLost, RungmasterError
from ..writer import Writer

log = logging.getLogger(__name__)

#: How many times as long as a portion took it rests: others wait for answers, and nobody for it.
REST = 1.0
#: Seconds until it looks again where something went wrong, and where it did not hear of anything.
TROUBLE_PAUSE_S, LOOK_INTERVAL_S = 1.0, 10.0


async def end_little_by_little(writer: Writer) -> None:
    """Has ended experiments' trials ended portion by portion, for ever; raises MastershipLost where that is over.

    What is left to do stands in the database: a master that was killed in the middle goes on with it.
    """
    while True:
        writer.endings.clear()
        try:
            while await _one_portion(writer):
                pass
        except MastershipLost:
            raise
        except RungmasterError as error:
            log.warning("the trials of experiments that have ended could not be ended: %s", error)
            await asyncio.sleep(TROUBLE_PAUSE_S)
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(writer.endings.wait(), LOOK_INTERVAL_S)


async def _one_portion(writer: Writer) -> bool:
    start = time.monotonic()
    more = await writer.execute(lambda core, _: core.endings.take_turn())
    if more:
        await asyncio.sleep(REST * (time.monotonic() - start))
    return more
