"""The file of tokens changed by commands: entries come and go, and what people wrote in it stays."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest

from rungmaster.client.cli.main import execute
from rungmaster.master.services.security.roles import Role
from rungmaster.master.services.security.token_file import TokenEntry, add, new_token, remove
from rungmaster.master.services.security.tokens import Tokens, digest_of, read_tokens
from rungmaster.shared.errors import InvalidInput, NotFound

A, B, C = "a" * 64, "b" * 64, "c" * 64
LINES = f"""\
# people
- {{name: alice, role: admin, sha256: "{A}"}}   # the laptop

# machines - and what they may
- name: gpu   # a dash - here

  role: worker
  sha256: "{B}"
# screens
- {{name: wall, role: viewer, sha256: "{C}", expires: 2999-01-01}}
# the end
"""
BLOCK = LINES.replace("- name", "-\n  name")
INDENTED = "".join(f"  {line}\n" if line else "\n" for line in LINES.splitlines())
ENTRIES = [
    {"name": name, "role": role, "sha256": digest}
    for name, role, digest in (("alice", "admin", A), ("gpu", "worker", B), ("wall", "viewer", C))
]
LAYOUTS = {
    "lines": LINES,
    "block": BLOCK,
    "indented": INDENTED,
    "no end of line": LINES.rstrip("\n").rpartition("\n")[0],
    "JSON": json.dumps(ENTRIES),
    "JSON on lines": json.dumps(ENTRIES, indent=2),
    "brackets": f"[{{name: alice, role: admin, sha256: '{A}'}}, # the laptop\n"
    f" {{name: gpu, role: worker, sha256: '{B}'}},\n {{name: wall, role: viewer, sha256: '{C}'}}]\n",
}


@pytest.fixture(params=LAYOUTS, ids=str)
def laid_out(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return written(tmp_path, LAYOUTS[request.param])


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "tokens.yaml"
    path.write_text(text)
    path.chmod(mode)
    return path


def names(path: Path) -> list[str]:
    return [caller.name for caller in read_tokens(path)]


def comments(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("#")]


def test_an_entry_is_added_to_a_list_however_it_is_laid_out(laid_out: Path) -> None:
    before = laid_out.read_text()
    token = new_token()
    add(laid_out, TokenEntry("bob", Role.VIEWER, token))
    assert names(laid_out) == ["alice", "gpu", "wall", "bob"]
    assert Tokens(laid_out).caller(token).name == "bob"
    assert token not in laid_out.read_text()
    assert [line for line in before.splitlines() if line.strip("]") not in laid_out.read_text()] == []
    if before.startswith("[\n"):
        json.loads(laid_out.read_text())


@pytest.mark.parametrize("name", ["alice", "gpu", "wall"])
def test_an_entry_is_taken_out_of_a_list_and_nothing_else(laid_out: Path, name: str) -> None:
    before = laid_out.read_text()
    remove(laid_out, name)
    assert names(laid_out) == [other for other in ("alice", "gpu", "wall") if other != name]
    assert comments(laid_out.read_text()) == comments(before)


def test_what_was_added_can_be_taken_out_again_to_the_last_character(tmp_path: Path) -> None:
    path = written(tmp_path, LINES)
    add(path, TokenEntry("true", Role.WORKER, new_token(), "2999-01-01T12:00:00Z"))
    assert names(path)[-1] == "true"
    remove(path, "true")
    assert path.read_text() == LINES


def test_a_token_is_changed_without_a_gap(tmp_path: Path) -> None:
    path, old, new = tmp_path / "tokens.yaml", new_token(), new_token()
    add(path, TokenEntry("gpu", Role.WORKER, old))
    add(path, TokenEntry("gpu", Role.WORKER, new))
    assert [caller.digest for caller in read_tokens(path)] == [digest_of(old), digest_of(new)]
    remove(path, "gpu", digest_of(old).hex()[:12])
    assert [caller.digest for caller in read_tokens(path)] == [digest_of(new)]


def test_the_last_token_is_not_taken_out_for_masters_would_go_on_with_it(tmp_path: Path) -> None:
    path = written(tmp_path, LINES)
    remove(path, "alice")
    remove(path, "gpu")
    before = path.read_text()
    with pytest.raises(InvalidInput, match="goes on with those from before"):
        remove(path, "wall")
    assert path.read_text() == before


def test_nobody_is_taken_out_for_another(tmp_path: Path) -> None:
    path = written(tmp_path, LINES)
    for name, digest in (("alic", ""), ("alice", "b")):
        with pytest.raises(NotFound, match=f"has no token of {name}"):
            remove(path, name, digest)
    assert path.read_text() == LINES


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            TokenEntry("gpu", Role.VIEWER, "x" * 64),
            r"is that of \[1\] as well; a name has two tokens at most, of the",
        ),
        (TokenEntry("", Role.VIEWER, "x" * 64), "must be text of 1 to 64 characters"),
        (TokenEntry("bob", Role.VIEWER, "x" * 64, "soon"), "must be a date"),
        (TokenEntry("bob", Role.VIEWER, "x" * 64, "2001-01-01"), "is over already"),
    ],
)
def test_what_a_master_would_refuse_is_not_written(tmp_path: Path, entry: TokenEntry, told: str) -> None:
    path = written(tmp_path, LINES)
    with pytest.raises(InvalidInput, match=told):
        add(path, entry)
    assert path.read_text() == LINES
    assert [file.name for file in tmp_path.iterdir()] == ["tokens.yaml"]


def test_a_new_file_is_its_owners_alone_and_an_older_one_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "tokens.yaml"
    add(path, TokenEntry("alice", Role.ADMIN, new_token()))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    add(path, TokenEntry("bob", Role.ADMIN, new_token()))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(written(tmp_path, LINES))
    add(link, TokenEntry("bob", Role.ADMIN, new_token()))
    assert link.is_symlink()
    assert names(tmp_path / "tokens.yaml")[-1] == "bob"


def test_commands_at_once_lose_no_entry(tmp_path: Path) -> None:
    path = written(tmp_path, LINES)
    entries = [TokenEntry(f"worker-{number}", Role.WORKER, new_token()) for number in range(8)]
    threads = [threading.Thread(target=add, args=(path, entry)) for entry in entries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names(path)[3:]) == sorted(entry.name for entry in entries)


def test_the_commands_make_list_and_revoke(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, secret = str(tmp_path / "tokens.yaml"), tmp_path / "gpu.token"
    assert execute(["token", "create", "alice", "--role", "admin", "--tokens", file]) == 0
    token = capsys.readouterr().out.strip()
    assert Tokens(Path(file)).caller(token).role == Role.ADMIN
    given = ["token", "create", "gpu", "--role", "worker", "--tokens", file, "--out", str(secret)]
    assert execute([*given, "--expires", "2999-01-01"]) == 0
    assert capsys.readouterr().out == ""
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert Tokens(Path(file)).caller(secret.read_text().strip()).name == "gpu"
    assert execute(["token", "list", "--tokens", file]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["name", "alice", "gpu"]
    assert execute(["token", "list", "--tokens", file, "--json"]) == 0
    assert [entry["expires"] for entry in json.loads(capsys.readouterr().out)] == [None, "2999-01-01T00:00:00+00:00"]
    assert execute(["token", "revoke", "gpu", "--tokens", file]) == 0
    assert names(Path(file)) == ["alice"]


def test_a_token_that_cannot_be_let_in_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, secret = written(tmp_path, LINES, 0o666), tmp_path / "gpu.token"
    given = ["token", "create", "bob", "--role", "worker", "--tokens", str(path), "--out", str(secret)]
    assert execute(given) == 2
    assert "others may write it (mode 666): chmod 600" in capsys.readouterr().err
    path.chmod(0o600)
    secret.write_text("mine")
    assert execute(given) == 2
    assert (secret.read_text(), path.read_text()) == ("mine", LINES)
    secret.unlink()
    assert execute([*given, "--expires", "soon"]) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["tokens.yaml"]
