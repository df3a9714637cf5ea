"""The file of tokens, and which role may call what."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from rungmaster.master.services.security.roles import OPEN, RULES, Role
from rungmaster.master.services.security.tokens import SKEW_S, Tokens, read_tokens
from rungmaster.proto.v1 import cluster_pb2, experiment_pb2, worker_pb2
from rungmaster.shared.errors import InvalidInput, InvalidSpec, Unauthenticated

ALICE, GPU, WALL = ("alice-" + "a" * 20, "gpu-" + "b" * 20, "wall-" + "c" * 20)
NEW_YEAR_2027 = 1_798_761_600.0
GOOD = f"""
- {{name: alice, role: admin, token: {ALICE}}}
- {{name: gpu-7, role: worker, sha256: "{hashlib.sha256(GPU.encode()).hexdigest()}"}}
- {{name: wall, role: viewer, token: {WALL}, expires: 2027-01-01}}
"""
METHODS = [
    method
    for file in (experiment_pb2, worker_pb2, cluster_pb2, health_pb2, reflection_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Replaces the file of tokens as a whole, as an operator should."""

    def write(text: str, mode: int = 0o600) -> Path:
        path, new = tmp_path / "tokens.yaml", tmp_path / "new"
        new.write_text(text)
        new.chmod(mode)
        new.replace(path)
        return path

    return write


def path_of(method: Any) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def test_every_method_has_its_roles() -> None:
    assert set(map(path_of, METHODS)) == set(RULES)
    assert {path_of(health_pb2.DESCRIPTOR.services_by_name["Health"].methods_by_name["Check"])} == OPEN


def test_a_token_or_its_hash_tells_who_calls(write: Write) -> None:
    tokens = Tokens(write(GOOD), lambda: NEW_YEAR_2027 - 1)
    named = [(tokens.caller(token).name, tokens.caller(token).role) for token in (ALICE, GPU, WALL)]
    assert named == [("alice", Role.ADMIN), ("gpu-7", Role.WORKER), ("wall", Role.VIEWER)]


@pytest.mark.parametrize(
    "wrong", ["", ALICE[:-1], ALICE + "x", ALICE.upper(), hashlib.sha256(GPU.encode()).hexdigest()]
)
def test_nothing_but_a_whole_token_is_one(write: Write, wrong: str) -> None:
    with pytest.raises(Unauthenticated, match="not known"):
        Tokens(write(GOOD)).caller(wrong)


def test_a_token_counts_until_it_expires_give_or_take_a_minute(write: Write) -> None:
    now = NEW_YEAR_2027 + SKEW_S
    tokens = Tokens(write(GOOD), lambda: now)
    caller = tokens.caller(WALL)
    assert tokens.still(caller) == caller
    now += 1
    for look in (lambda: tokens.caller(WALL), lambda: tokens.still(caller)):
        with pytest.raises(Unauthenticated, match="wall has expired"):
            look()
    assert tokens.caller(ALICE).name == "alice"


def test_all_that_is_wrong_with_a_file_is_told_at_once_and_no_token_with_it(write: Write) -> None:
    path = write(
        f"""
        - {{name: alice, role: admin, token: {ALICE}}}
        - {{name: alice, role: king, token: {ALICE}}}
        - {{name: "", role: worker, token: short-secret}}
        - {{name: bob, role: viewer, token: {WALL}, sha256: "00", {GPU}: 1}}
        - {{name: carol, role: viewer, sha256: "00", expires: soon, mood: good}}
        - {{name: dave, role: viewer}}
        - {{name: erin, role: viewer, token: 12345678901234567890}}
        - {GPU}
        """,
        mode=0o644,
    )
    with pytest.raises(InvalidSpec) as caught:
        Tokens(path)
    told = {
        (problem.path.removeprefix(f"--tokens {path}"), problem.message.split(",")[0].split(";")[0])
        for problem in caught.value.problems
    }
    assert told == {
        ("[1].role", "must be one of admin"),
        ("[1].name", "is that of [0] as well"),
        ("[1].token", "is that of [0] as well"),
        ("[2].name", "must be text of 1 to 64 characters"),
        ("[2].token", "must have at least 20 characters"),
        ("[3]", "has no field of that name"),
        ("[3]", "must have either token or sha256"),
        ("[4]", "has no field mood"),
        ("[4].sha256", "must be 64 hexadecimal digits"),
        ("[4].expires", "must be a date such as 2027-01-01"),
        ("[5]", "must have either token or sha256"),
        ("[6].token", "must be text of letters"),
        ("[7]", "must be a mapping with name"),
        ("", "others may read it (mode 644): chmod 600"),
    }
    assert not [secret for secret in (ALICE, GPU, WALL, "short-secret", "1234567") if secret in str(caught.value)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("[]", "must be a list of 1 to"),
        ("alice: admin", "must be a list of 1 to"),
        ("- {name: [", "does not parse"),
    ],
)
def test_what_is_no_list_of_tokens_is_refused(write: Write, text: str, words: str) -> None:
    with pytest.raises(InvalidSpec, match=words):
        read_tokens(write(text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        read_tokens(tmp_path / "tokens.yaml")


@pytest.mark.parametrize(("mode", "words"), [(0o604, "may read it"), (0o660, "may write it"), (0o602, "may write it")])
def test_a_file_that_others_could_read_or_write_is_refused(write: Write, mode: int, words: str) -> None:
    with pytest.raises(InvalidSpec, match=words):
        read_tokens(write(GOOD, mode))


def test_a_file_of_hashes_may_be_read_by_anybody(write: Write) -> None:
    assert [caller.name for caller in read_tokens(write(GOOD.splitlines()[2], 0o644))] == ["gpu-7"]


def test_what_was_revoked_counts_no_more_after_the_next_look(write: Write) -> None:
    tokens = Tokens(write(GOOD), lambda: 0.0)
    gpu = tokens.caller(GPU)
    write(GOOD.replace("gpu-7, role: worker", "gpu-8, role: viewer").replace(ALICE, "d" * 20))
    tokens.look()
    assert (tokens.still(gpu).name, tokens.still(gpu).role) == ("gpu-8", Role.VIEWER)
    assert tokens.caller("d" * 20).name == "alice"
    with pytest.raises(Unauthenticated):
        tokens.caller(ALICE)


@pytest.mark.parametrize("broken", ["- {name: [", "", None])
def test_a_broken_file_changes_nothing_and_the_log_says_so(
    write: Write, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(GOOD)
    tokens = Tokens(path, lambda: 0.0)
    if broken is None:
        path.unlink()
    else:
        write(broken)
    for _ in range(3):
        tokens.look()
    assert tokens.caller(ALICE).name == "alice"
    assert len(caplog.records) == 1
    assert "still those from before" in caplog.text
    write(GOOD.replace(ALICE, "d" * 20))
    tokens.look()
    assert tokens.caller("d" * 20).name == "alice"
    os.utime(path)


def test_a_name_has_a_second_token_while_it_is_changed_of_the_same_role_and_no_third(write: Write) -> None:
    entry = "- {{name: gpu, role: {}, token: {}}}\n"
    both = entry.format("worker", "a" * 32) + entry.format("worker", "b" * 32)
    tokens = Tokens(write(both))
    assert tokens.caller("a" * 32).name == tokens.caller("b" * 32).name == "gpu"
    for third in (entry.format("worker", "c" * 32), entry.format("admin", "c" * 32)):
        with pytest.raises(InvalidSpec, match=r"\[2\].name: is that of \[0\] and \[1\] as well"):
            Tokens(write(both + third))
