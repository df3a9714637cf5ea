"""What is said between an experiment and one process of its sampler program: the start, results, asks, suggestions."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Protocol

from ...shared.idle_threads import IdleThreads
from ...shared.sampling.protocol import Ask, Failure, Pending, Ready, Start, Suggestion, encode, kind_of
from ...shared.sampling.start import start_of
from ...shared.spec.samplers import ProgramSamplerSpec
from ...shared.spec.spec import Spec
from ..experiment.suggestions import SamplingNeeds
from ..ledger.read.reader import Reader
from ..search.interface import planned_resources
from .asks import Asks
from .feed import Feed, earlier_results
from .process import ProgramBroken, SamplerProcess

#: A program that owes an answer for so many times its patience hangs. To start it has at least so many seconds.
HANGS_AFTER, START_PATIENCE_S = 10, 60.0
#: Suggestions that are asked for at once.
MOST_ASKED = 64


class ConversationListener(Protocol):
    """Who is told what a program says."""

    async def take(self, suggestion: Suggestion) -> None:
        """It suggests this."""
        ...

    async def failed(self, error: str, stderr: str) -> None:
        """It could not suggest what it was asked for; `stderr` is the end of what it wrote there."""
        ...


class HostedConversation:
    """With one process, from its start on. Of its experiment it is told by `update`."""

    def __init__(
        self,
        spec: Spec,
        sampler: ProgramSamplerSpec,
        needs: SamplingNeeds,
        process: SamplerProcess,
        reader: Reader,
        threads: IdleThreads,
        listener: ConversationListener,
    ) -> None:
        self._spec, self._sampler = spec, sampler
        self._process, self._reader, self._threads = process, reader, threads
        self._listener = listener
        self._number = needs.experiment.experiment_id
        self._needs, self._probe = needs, False
        #: When it may be asked again (monotonic), after it could not suggest anything.
        self.ask_again_at = 0.0
        self._asks, self._feed = Asks(), Feed(reader, self._number)
        self._news = asyncio.Event()
        self._hangs_after_s = HANGS_AFTER * sampler.patience

    def update(self, needs: SamplingNeeds, *, probe: bool) -> None:
        """What its experiment wants now. With `probe` one suggestion is wanted in any case: it was out of order, and is
        to show that it is not any more."""
        before, self._needs, self._probe = self._needs, needs, probe
        if (before.results, before.wanted) != (needs.results, needs.wanted):
            self._news.set()

    async def run(self) -> None:
        """Tells it the history and what is new, asks, and listens. Only ever ends by raising ProgramBroken, or what
        reading the results raises."""
        await self._begin()
        tasks = [asyncio.create_task(self._tell_and_ask()), asyncio.create_task(self._listen())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        # That it has ended says more than that it could not be written to.
        for error in reversed(ended):
            if isinstance(error, Exception):
                raise error

    async def _begin(self) -> None:
        limit_s = max(START_PATIENCE_S, self._hangs_after_s)
        try:
            async with asyncio.timeout(limit_s):
                await self._process.send(encode(self._start()))
                first = await self._process.read()
        except TimeoutError:
            raise ProgramBroken(f"it was not ready after {limit_s:g} s") from None
        if not isinstance(first, Ready):
            raise ProgramBroken(f"its first message is {kind_of(first)}, not that it is ready")
        pages = earlier_results(self._reader, self._spec)
        while lines := await self._in_thread(next, pages, b""):
            await self._send(lines)

    def _start(self) -> Start:
        resources = planned_resources(self._needs.experiment.searcher.plan)
        return start_of(self._spec, self._number, resources, self._sampler.told())

    async def _send(self, lines: bytes) -> None:
        try:
            async with asyncio.timeout(self._hangs_after_s):
                await self._process.send(lines)
        except TimeoutError:
            raise ProgramBroken(f"it has read nothing for {self._hangs_after_s:g} s") from None

    async def _tell_and_ask(self) -> None:
        while True:
            self._news.clear()
            while lines := await self._in_thread(self._feed.news):
                await self._send(lines)
            wanted = max(self._needs.wanted, 1 if self._probe and self._needs.trials_left else 0)
            count = min(wanted - self._asks.under_way, MOST_ASKED)
            if count > 0 and _now() >= self.ask_again_at:
                await self._ask(count)
            else:
                await self._until_news(asks_later=count > 0)

    async def _ask(self, count: int) -> None:
        pending = await self._in_thread(self._feed.pending)
        pending += [Pending(dict(hparams)) for hparams in self._needs.stocked]
        await self._send(encode(Ask(self._asks.ask(count, _now()), count, tuple(pending))))

    async def _until_news(self, *, asks_later: bool) -> None:
        """Waits for news, or until it is to be asked again, or hangs."""
        now, since = _now(), self._asks.waiting_since
        ends = [self.ask_again_at - now] if asks_later else []
        if since is not None:
            ends.append(since + self._hangs_after_s - now)
            if ends[-1] <= 0:
                raise ProgramBroken(f"it has not answered for {self._hangs_after_s:g} s, ten times its patience")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), min(ends) if ends else None)

    async def _listen(self) -> None:
        while True:
            message = await self._process.read()
            if isinstance(message, Suggestion):
                self._asks.suggested(message.ask, _now())
                await self._listener.take(message)
                self._asks.taken()
            elif isinstance(message, Failure):
                self._asks.failed(message.ask, _now())
                await self._listener.failed(message.error, self._process.stderr)
            else:
                raise ProgramBroken(f"it says {kind_of(message)} where a suggestion is owed")
            self._news.set()

    async def _in_thread(self, call: Any, *arguments: Any) -> Any:
        return await self._threads.run(call, *arguments)


def _now() -> float:
    return asyncio.get_running_loop().time()
