"""One client connection, used by several threads at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rungmaster.client import connection as connection_module
from rungmaster.client.connection import MasterConnection, method_of
from rungmaster.proto.v1 import cluster_pb2, experiment_pb2, worker_pb2
from rungmaster.shared.errors import Unavailable


class Channel:
    """Counts what it is closed."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_threads_that_ask_at_once_share_one_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = 8
    at_once = threading.Barrier(threads)
    opened: list[Channel] = []

    def open_slowly(*_: Any) -> Channel:
        # Whoever comes meanwhile sees that none is there yet, unless it is kept waiting.
        threading.Event().wait(0.05)
        opened.append(Channel())
        return opened[-1]

    monkeypatch.setattr(connection_module, "open_channel", open_slowly)
    connection = MasterConnection(("one:1",), 1.0)

    def ask(_: int) -> Any:
        at_once.wait(10)
        return connection._channel("one:1")

    with ThreadPoolExecutor(threads) as pool:
        found = set(pool.map(ask, range(threads)))
    assert found == {opened[0]}
    connection.close()
    assert [channel.closed for channel in opened] == [1]
    with pytest.raises(Unavailable, match="the client was closed"):
        connection._channel("one:1")


def test_a_request_tells_by_its_type_which_method_is_called_and_what_that_answers() -> None:
    for file in (experiment_pb2, cluster_pb2):
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                found = method_of(method.input_type)
                assert found.path == f"/{service.full_name}/{method.name}"
                assert found.answer is getattr(file, method.output_type.name)
    with pytest.raises(LookupError, match="no method takes a rungmaster"):
        method_of(worker_pb2.Gpu.DESCRIPTOR)


def test_threads_that_fail_at_the_same_address_go_on_to_the_next_one_together() -> None:
    connection = MasterConnection(("one:1", "two:2", "three:3"), 1.0)
    for _ in range(3):
        connection.turn("one:1")
    assert connection.address == "two:2"
    connection.turn("two:2")
    assert connection.address == "three:3"
