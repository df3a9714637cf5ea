"""What it costs to be watched: durable reports a second with `--metrics-listen` and a scraper, beside a master without.

Two masters on SQLite of their own, the same load on each in turn, round by round; one of them is scraped every second,
which is as often as it looks (Prometheus asks every 15 s or so). The ratio is the median of the rounds' ratios. CPU is
that of the whole process, its threads for scrapes included. The time of a scrape is that of one under this load, over
loopback.

How it could mislead: scraper, load generator and masters share two cores, so the scraper's own cost is in the ratio of
the rates. Where others use the machine as well, the ratio of CPU tells more than that of the rates.
"""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass

import load
import processes
from figures import Figure, Result, median_ratio

#: (window, reports in a message).
SHAPES = ((8, 1), (8, 10))
PLAIN, WATCHED = "not watched", "watched"
AIM = 0.97


@dataclass(frozen=True, slots=True)
class Size:
    sessions: int = 64
    rounds: int = 7
    seconds: float = 4.0
    interval_s: float = 1.0


class Scraper:
    """Scrapes in a thread of its own; `took` has the seconds of each scrape that was made while it was `on`."""

    def __init__(self, address: str, interval_s: float) -> None:
        self._url = f"http://{address}/metrics"
        self._interval_s = interval_s
        self._stop = threading.Event()
        self.on = threading.Event()
        self.took: list[float] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self.on.set()
            thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            self.on.wait()
            start = time.monotonic()
            with urllib.request.urlopen(self._url, timeout=20) as answer:
                answer.read()
            self.took.append(time.monotonic() - start)


@dataclass(frozen=True, slots=True)
class Round:
    """Reports a second, and microseconds of the server's CPU for each."""

    rate: float
    cpu: float


Rounds = dict[tuple[str, tuple[int, int]], list[Round]]


async def _measure(size: Size, servers: dict[str, processes.Server], scraper: Scraper) -> Rounds:
    rounds: Rounds = {(name, shape): [] for name in servers for shape in SHAPES}
    document = load.spec(max_trials=size.sessions, max_resource=10**12, max_rungs=1)
    async with AsyncExitStack() as stack:
        streams = {}
        for name, server in servers.items():
            await load.create_experiment(server.address, document)
            streams[name] = await stack.enter_async_context(load.sessions(server.address, size.sessions))
            await asyncio.gather(*(session.ask() for session in streams[name]))
            await load.rate(streams[name], 1, 1, size.seconds / 4)  # warm
        for number in range(size.rounds):
            for shape in SHAPES:
                # Each goes first as often as the other.
                for name in (PLAIN, WATCHED) if number % 2 else (WATCHED, PLAIN):
                    (scraper.on.set if name == WATCHED else scraper.on.clear)()
                    before = servers[name].cpu
                    rate = await load.rate(streams[name], *shape, size.seconds)
                    used = servers[name].cpu - before
                    rounds[name, shape].append(Round(rate, 1e6 * used / max(1.0, rate * size.seconds)))
    return rounds


def _figures(rounds: Rounds, shape: tuple[int, int]) -> list[Figure]:
    what = "window {}, {} a message".format(*shape)
    watched, plain = rounds[WATCHED, shape], rounds[PLAIN, shape]
    rates = [each.rate for each in watched], [each.rate for each in plain]
    cpu = [each.cpu for each in watched], [each.cpu for each in plain]
    ratio = median_ratio(*rates)
    aimed = {"aim": f"{AIM} of one that is not", "met": ratio >= AIM}
    first, second = map(statistics.median, rates)
    rate = Figure(f"{WATCHED}, {what}", first, "reports/s", True, second, PLAIN, ratio, **aimed)
    first, second = map(statistics.median, cpu)
    per_report = "CPU of the server a report"
    # A very short run may use less than what the system counts in.
    ratio = median_ratio(*cpu) if all(cpu[1]) else None
    return [rate, Figure(f"{WATCHED}, {what}: {per_report}", first, "µs", False, second, PLAIN, ratio)]


def measure(size: Size) -> Result:
    result = Result("metrics", __doc__ or "")
    with ExitStack() as stack:
        metrics = f"127.0.0.1:{processes.free_port()}"
        servers = {
            PLAIN: stack.enter_context(processes.master(stack.enter_context(processes.sqlite()))),
            WATCHED: stack.enter_context(
                processes.master(stack.enter_context(processes.sqlite()), options=("--metrics-listen", metrics))
            ),
        }
        scraper = Scraper(metrics, size.interval_s)
        with scraper.running():
            rounds = asyncio.run(_measure(size, servers, scraper))
    for shape in SHAPES:
        result.figures += _figures(rounds, shape)
    took = [1000 * each for each in scraper.took]
    result.figures.append(Figure("a scrape", statistics.median(took), "ms", higher_is_better=False))
    result.notes.append(f"{len(took)} scrapes, {max(took):.0f} ms at most")
    return result


FULL = Size()
QUICK = Size(sessions=4, rounds=1, seconds=0.3, interval_s=0.05)
