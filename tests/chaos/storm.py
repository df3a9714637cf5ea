"""Faults at random moments, one upon the other, for a given time."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from .faults import Fault
from .world import World

#: Mean seconds between two faults of a squall, how long squalls last, and the lulls between them.
GAP = 0.8
SQUALL = 15.0
LULL = 5.0
#: How often whoever was harmed is left alone until something came of it: on a slow machine nothing ever would.
MERCY = 0.7
#: How many times more a kind of fault may strike than the one that struck least.
AHEAD = 2


@dataclass
class Storm:
    """Strikes a world, and counts what it did."""

    world: World
    faults: Sequence[Fault]
    seed: int
    struck: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def rage(self, seconds: float) -> None:
        """Strikes for so many seconds, and waits until the last fault is undone."""
        random = Random(self.seed)
        tried: Counter[str] = Counter()
        threads: list[threading.Thread] = []
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            lull = max(0.0, passed % (SQUALL + LULL) - SQUALL)
            wait = LULL - lull if lull else random.expovariate(1 / GAP)
            time.sleep(min(seconds - passed, wait))
            found = self._possible(tried, random)
            if found is not None:
                fault, worker = found
                tried[fault.name] += 1
                threads.append(threading.Thread(target=self._strike, args=(fault, worker, Random(random.random()))))
                threads[-1].start()
        for thread in threads:
            thread.join()

    def _possible(self, tried: Counter[str], random: Random) -> tuple[Fault, str] | None:
        """The fault that was tried least often so far, for its kind, of those with free targets, which it claims."""
        merciful = random.random() < MERCY
        turns = {fault: tried[fault.name] * fault.seldom for fault in self.faults}
        for fault in sorted(self.faults, key=lambda fault: (turns[fault], random.random())):
            worker = random.choice(list(self.world.workers))
            if turns[fault] > min(turns.values()) + AHEAD:
                break
            if self.world.claim(fault.named(worker), merciful=merciful):
                return fault, worker
        return None

    def _strike(self, fault: Fault, worker: str, random: Random) -> None:
        began = datetime.now()
        try:
            struck = fault.act(self.world, random, worker) is not False
        except Exception as error:  # noqa: BLE001 - a thread of its own: whatever went wrong belongs in the outcome
            self.errors.append(f"the harness failed at {fault.name!r}: {error!r}")
            return
        finally:
            self.world.release(fault.named(worker))
        if struck:
            self.struck[fault.name] += 1
        whom = f" ({worker})" if "worker" in fault.targets else ""
        self.world.note(f"{fault.name}{whom}{'' if struck else ' (not)'}", began)
