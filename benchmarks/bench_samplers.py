"""A master whose experiment has a busy sampler program, beside one that draws the same trials itself.

Each master has two experiments: one of which 64 streams report as fast as they can, far from their targets, and one
that 16 workers train through ASHA's rungs at 100 steps a second together, so that about half a hundred new trials a
second need hyperparameters, and as many results are told. Of one master both draw at random; of the other the second
has a sampler program that answers at once, and uses a whole core beside that if it gets one. Both are measured in turn,
round by round, with the same load generator; the ratios are the medians of the rounds' ratios.

How it could mislead: on two cores the program and the load generator take CPU from the master; the program stands back
(nice 10), as it does everywhere. A worker's wait for a suggestion is not in the decision's time.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import load
import processes
from bench_latency import train
from figures import Figure, Result, median_ratio, quantile
from steps import Trainer

AIM = 0.9
RANDOM, BUSY = "random", "busy"


@dataclass(frozen=True, slots=True)
class Size:
    streams: int = 64
    trainers: int = 16
    steps: float = 100.0
    rounds: int = 6
    seconds: float = 4.0


@dataclass(frozen=True, slots=True)
class Round:
    """Reports a second, and seconds until decisions."""

    rate: float
    decided: list[float]


@contextmanager
def _registered() -> Iterator[None]:
    """The program is known to the masters that are started meanwhile."""
    before = os.environ.get("RUNGMASTER_SAMPLERS")
    with tempfile.TemporaryDirectory(prefix="rungmaster-bench-") as folder:
        external = Path(folder) / "external"
        external.mkdir()
        command = [sys.executable, str(Path(__file__).with_name("busy_sampler.py"))]
        (external / f"{BUSY}.json").write_text(json.dumps({"command": command}))
        os.environ["RUNGMASTER_SAMPLERS"] = folder
        try:
            yield
        finally:
            del os.environ["RUNGMASTER_SAMPLERS"]
            if before is not None:
                os.environ["RUNGMASTER_SAMPLERS"] = before


class Crew:
    """What loads one master."""

    def __init__(self, streams: list[load.Session], trainers: list[Trainer]) -> None:
        self._streams, self._trainers = streams, trainers

    async def work(self, seconds: float) -> Round:
        """Both of them at once."""
        deadline = asyncio.get_running_loop().time() + seconds
        rate, times = await asyncio.gather(load.rate(self._streams, 8, 1, seconds), train(self._trainers, seconds))
        await asyncio.sleep(max(0.0, deadline - asyncio.get_running_loop().time()))
        return Round(rate, times.decided)


async def _crew(size: Size, address: str, sampler: str, stack: AsyncExitStack) -> Crew:
    """The first experiment is handed out whole to the streams, and only then is there the second."""
    await load.create_experiment(address, load.spec(max_trials=size.streams, max_resource=10**12, max_rungs=1))
    streams = await stack.enter_async_context(load.sessions(address, size.streams))
    await asyncio.gather(*(session.ask() for session in streams))
    document = load.spec(max_trials=10**6, max_resource=27, divisor=3)
    if sampler == BUSY:
        document["sampler"] = {"name": "external", "program": BUSY}
    await load.create_experiment(address, document)
    others = await stack.enter_async_context(load.sessions(address, size.trainers, prefix="trainer"))
    trainers = [Trainer(s, size.steps / size.trainers, random.Random(i)) for i, s in enumerate(others)]
    await asyncio.gather(*(trainer.begin() for trainer in trainers))
    return Crew(streams, trainers)


async def _measure(size: Size, addresses: dict[str, str]) -> dict[str, list[Round]]:
    rounds: dict[str, list[Round]] = {name: [] for name in addresses}
    async with AsyncExitStack() as stack:
        crews = {name: await _crew(size, address, name, stack) for name, address in addresses.items()}
        for crew in crews.values():
            await crew.work(size.seconds / 2)  # warm
        for _ in range(size.rounds):
            for name, crew in crews.items():
                rounds[name].append(await crew.work(size.seconds))
    return rounds


def measure(size: Size) -> Result:
    result = Result("samplers", __doc__ or "")
    with ExitStack() as stack:
        stack.enter_context(_registered())
        masters = {
            name: stack.enter_context(processes.master(stack.enter_context(processes.sqlite())))
            for name in (RANDOM, BUSY)
        }
        rounds = asyncio.run(_measure(size, {name: server.address for name, server in masters.items()}))
    rates = {name: [each.rate for each in found] for name, found in rounds.items()}
    ratio = median_ratio(rates[BUSY], rates[RANDOM])
    result.figures.append(
        Figure(
            "reports with a busy sampler",
            statistics.median(rates[BUSY]),
            "reports/s",
            floor=statistics.median(rates[RANDOM]),
            floor_name="drawn by the master",
            floor_ratio=ratio,
            aim=f"{AIM} of those without",
            met=ratio >= AIM,
        )
    )
    result.figures += [_decision(rounds, name, share) for name, share in (("median", 0.5), ("p99", 0.99))]
    return result


def _decision(rounds: dict[str, list[Round]], name: str, share: float) -> Figure:
    with_it, without = ([quantile(each.decided, share) for each in rounds[sampler]] for sampler in (BUSY, RANDOM))
    ratio = median_ratio(with_it, without)
    return Figure(
        f"decision with a busy sampler, {name}",
        quantile(with_it, 0.5) * 1e3,
        "ms",
        higher_is_better=False,
        floor=quantile(without, 0.5) * 1e3,
        floor_name="drawn by the master",
        floor_ratio=ratio,
        aim=f"at most 1/{AIM} of those without" if name == "median" else "",
        met=ratio <= 1 / AIM if name == "median" else None,
    )


FULL = Size()
QUICK = Size(streams=4, trainers=2, steps=50, rounds=1, seconds=0.5)
