"""Signs of life: what becomes of one that is under way when the master is told to end."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from rungmaster.master import ownership
from rungmaster.master.ledger.engine import parse_database
from rungmaster.master.ledger.leadership.renewal import Renewal
from rungmaster.master.ledger.ledger import Ledger


def test_a_sign_of_life_that_fails_after_the_end_leaves_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ownership, "RENEW_INTERVAL_S", 0.0)
    path = tmp_path / "search.db"
    begun = threading.Event()

    async def told(_: bool) -> None:
        pass

    class Begun(Renewal):
        def renew(self) -> None:
            begun.set()
            super().renew()

    async def story(thread: ThreadPoolExecutor, ledger: Ledger) -> None:
        renewal = Begun(parse_database(str(path)), ledger.term, ledger.database_id, None, 0.5)
        renewing = asyncio.create_task(ownership.renew(renewal, told))
        assert await asyncio.to_thread(begun.wait, 10)
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(thread, ledger.close)

    with ThreadPoolExecutor(1) as thread, closing(sqlite3.connect(path, isolation_level=None)) as other:
        ledger = Ledger.open(str(path), holder="test", timeout_s=0.5)
        other.execute("BEGIN IMMEDIATE")
        asyncio.run(story(thread, ledger))
    gc.collect()
    assert caplog.messages == []
