"""The one place that decides who may call, where a real server would not show what it does."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest

from rungmaster.master.services.security.access import AccessInterceptor
from rungmaster.master.services.security.tokens import Tokens

TOKEN = "a" * 32


class Details(NamedTuple):
    """What gRPC tells an interceptor of a call."""

    method: str
    invocation_metadata: tuple[tuple[str, str], ...] = (("authorization", f"Bearer {TOKEN}"),)


@pytest.fixture
def access(tmp_path: Path) -> AccessInterceptor:
    path = tmp_path / "tokens.yaml"
    path.write_text(f"- {{name: alice, role: admin, token: {TOKEN}}}")
    path.chmod(0o600)
    return AccessInterceptor(Tokens(path))


async def hello(request: Any, context: Any) -> bytes:
    return b"hello"


HANDLER = grpc.unary_unary_rpc_method_handler(hello)


async def found(details: Any) -> grpc.RpcMethodHandler:
    return HANDLER


def is_let_in(access: AccessInterceptor, method: str) -> bool:
    details: Any = Details(method)
    return asyncio.run(access.intercept_service(found, details)) is HANDLER


def test_a_method_that_was_given_no_roles_is_denied_to_everybody(access: AccessInterceptor) -> None:
    assert is_let_in(access, "/rungmaster.v1.ExperimentService/GetExperiment")
    assert not is_let_in(access, "/rungmaster.v1.ExperimentService/BrandNew")


def test_a_flood_of_strangers_does_not_fill_the_log(
    access: AccessInterceptor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    strange: Any = Details("/" + "x" * 8000, ())
    for _ in range(1000):
        asyncio.run(access.intercept_service(found, strange))
    assert len(caplog.text) < 100_000
    assert "a method that there is not" in caplog.text
