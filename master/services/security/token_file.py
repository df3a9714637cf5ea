"""Changes to the file of tokens: an entry added or taken out, and all else in it left as its people wrote it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import yaml

from ....shared.errors import InvalidInput, NotFound
from ....shared.files import written_whole
from ....shared.spec.document.reading import parse_document, read_document
from .roles import Role
from .tokens import Caller, callers_in, digest_of, read_tokens

HEAD = "# Who may call this master; docs/security.md explains it. Replace this file as a whole.\n"


def new_token() -> str:
    """A secret that nobody can guess: 256 random bits."""
    return secrets.token_hex(32)


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """An entry as it is to stand in the file. `expires` as a person wrote it, or empty for never."""

    name: str
    role: Role
    token: str
    expires: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """Its fields; the hash, and never the token."""
        fields = {"name": self.name, "role": self.role.value, "sha256": digest_of(self.token).hex()}
        return fields | ({"expires": self.expires} if self.expires else {})


def add(path: Path, entry: TokenEntry) -> None:
    """Adds an entry to the file, which is made where it is missing.

    Raises InvalidInput where the file, or what it would become, is refused.
    """
    with _locked(path):
        text, before = (read_document(path), read_tokens(path)) if path.exists() else (HEAD, ())
        changed, after = _checked(path, _with(text, entry.fields), "it is not laid out as a list that can be added to")
        if after[:-1] != before:
            raise InvalidInput(f"--tokens {path}: an entry cannot be added there; write one '- {{name: …}}' a line")
        if after[-1].expires is not None and after[-1].expires <= time.time():
            raise InvalidInput(f"--expires {entry.expires}: is over already")
        _replace(path, changed)


def remove(path: Path, name: str, digest: str = "") -> tuple[Caller, ...]:
    """Takes the entries of this name out, or of these only that whose hash begins with `digest`; gives what is left.

    Raises NotFound where there is none, InvalidInput where none would be left, or the file is refused.
    """
    with _locked(path):
        before, text = read_tokens(path), read_document(path)
        out = [index for index, caller in enumerate(before) if caller.name == name and _begins(caller, digest)]
        if not out:
            named = f" whose hash begins with {digest}" if digest else ""
            raise NotFound(f"--tokens {path}: has no token of {name}{named}; see `rungmaster token list`")
        left = tuple(caller for index, caller in enumerate(before) if index not in out)
        if not left:
            raise InvalidInput(
                f"--tokens {path}: {name} has the only one, and a master refuses a file without tokens and goes on "
                "with those from before: create another first, or stop the master"
            )
        changed, after = _checked(path, _without(text, out), "its entries cannot be told apart")
        if after != left:
            raise InvalidInput(f"--tokens {path}: that entry cannot be taken out by itself; edit the file by hand")
        _replace(path, changed)
        return left


def _begins(caller: Caller, digest: str) -> bool:
    return caller.digest.hex().startswith(digest.lower())


def _checked(path: Path, text: str | None, why: str) -> tuple[str, tuple[Caller, ...]]:
    """The changed text with its callers, as a master would read it."""
    if text is None:
        raise InvalidInput(f"--tokens {path}: {why}; edit it by hand")
    return text, callers_in(parse_document(text, source=f"--tokens {path}"), f"--tokens {path}")


def _with(text: str, fields: dict[str, str]) -> str | None:
    """The text with one more entry at the end of its list; None where there is no list."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None:
        return f"{_ended(text)}- {_inline(fields)}\n"
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        return None
    if node.flow_style:
        end = node.value[-1].end_mark.index
        return f"{text[:end]},\n {json.dumps(fields, ensure_ascii=False)}{text[end:]}"
    return f"{_ended(text)}{' ' * node.start_mark.column}- {_inline(fields)}\n"


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _inline(fields: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {_scalar(value)}" for name, value in fields.items()) + "}"


def _scalar(value: str) -> str:
    """Plain where that is read as the same text, and quoted otherwise."""
    plain = value.replace("-", "").replace("_", "").isalnum() and value[0].isalpha() and len(value) < 64
    return value if plain and parse_document(f"- {value}") == [value] else json.dumps(value, ensure_ascii=False)


def _without(text: str, out: list[int]) -> str | None:
    """The text without some entries of its list; comments above an entry stay, the one behind it goes."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.SequenceNode):
        return None
    cut = _cut_from_line if node.flow_style else _cut_lines
    for index in reversed(out):
        text = cut(text, node, index)
    return text


def _cut_lines(text: str, node: yaml.SequenceNode, index: int) -> str:
    item = node.value[index]
    first = text.rfind("\n", 0, text.rfind("-", 0, item.start_mark.index) + 1) + 1
    last = text.find("\n", _end(item))
    return text[:first] + ("" if last < 0 else text[last + 1 :])


def _cut_from_line(text: str, node: yaml.SequenceNode, index: int) -> str:
    """Of a list in brackets; the comma before the entry goes with it, or of the first one that behind it."""
    items = node.value
    if index == 0:
        return text[: items[0].start_mark.index] + text[items[1].start_mark.index :]
    return text[: items[index - 1].end_mark.index] + text[items[index].end_mark.index :]


def _end(node: yaml.Node) -> int:
    """Where the last character of an entry stands: the parser says of a block that it ends where the next begins."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return max(_end(value) for _, value in node.value)
    return node.end_mark.index


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two commands at once change the file one after the other."""
    folder = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _replace(path: Path, text: str) -> None:
    """Puts a new file in place of the old one, whose owner and mode it takes over; a new one is its owner's alone."""
    target = path.resolve()
    old = target.stat() if target.exists() else None
    with _private(target, replace=True) as file:
        file.write(text.encode())
        if old is not None:
            if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), old.st_uid, old.st_gid)
            os.fchmod(file.fileno(), old.st_mode & 0o777)


def with_secret_file(path: Path, token: str, then: Callable[[], None]) -> None:
    """Writes a token to a new file that only its owner may read, and does what comes next; after an error it is gone.

    Raises InvalidInput where the file exists.
    """
    with _private(path) as file:
        file.write(f"{token}\n".encode())
    try:
        then()
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _private(target: Path, *, replace: bool = False) -> Iterator[BinaryIO]:
    with written_whole(target, replace=replace) as partial:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
