"""`rungmaster token`: makes, lists and revokes tokens in the file that a master is given."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from ...shared.errors import InvalidInput
from ...shared.text.printing import say, say_json
from ..services.security.roles import Role
from ..services.security.token_file import TokenEntry, add, new_token, remove, with_secret_file
from ..services.security.tokens import Caller, read_tokens

_tokens = click.option(
    "--tokens",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file that the master is given by its own --tokens.",
)
#: Digits of a hash that are shown, and are enough to tell tokens of one name apart.
SHOWN = 12


@click.group("token")
def command() -> None:
    """Make, list and revoke the tokens of a master's callers.

    A master that runs reads its file again within a second.
    """


@command.command(short_help="Make a token, and let it in.")
@click.argument("name")
@click.option(
    "--role", required=True, type=click.Choice([role.value for role in Role]), help="What the token is good for."
)
@_tokens
@click.option("--expires", default="", metavar="DATE", help="The last moment that it counts, such as 2027-01-01 (UTC).")
@click.option(
    "--out",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the token to this new file, which only its owner may read, instead of printing it.",
)
def create(name: str, role: str, path: Path, expires: str, target: Path | None) -> None:
    """Make a token for NAME, and add its hash to the file of tokens, which is made where it is missing.

    The token itself is shown this once, on standard output, and is in no file but that of --out. A second token of the
    same name and role counts beside the first, so that it can be changed without a gap.
    """
    token = new_token()
    entry = TokenEntry(name, Role(role), token, expires)
    earlier = [caller for caller in read_tokens(path) if caller.name == name] if path.exists() else []
    if target is None:
        add(path, entry)
        say(token)
    else:
        with_secret_file(target, token, lambda: add(path, entry))
    place = "it is shown once, and kept nowhere" if target is None else f"it is in {target}"
    say(f"{name} may call as {role}: {place}; give it by --token-file or RUNGMASTER_TOKEN", err=True)
    for caller in earlier:
        say(f"the token from before counts, too: {_revoking(path, caller)}", err=True)


def _revoking(path: Path, caller: Caller) -> str:
    return f"rungmaster token revoke {caller.name} --sha256 {caller.digest.hex()[:SHOWN]} --tokens {path}"


@command.command("list", short_help="List who has a token.")
@_tokens
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def list_command(path: Path, as_json: bool) -> None:
    """List the callers in the file of tokens, with the beginning of each token's hash."""
    callers, now = read_tokens(path), time.time()
    if as_json:
        say_json([_document(caller, now) for caller in callers], indent=2)
        return
    rows = [("name", "role", "sha256", "expires"), *(_row(caller, now) for caller in callers)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        say("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _document(caller: Caller, now: float) -> dict[str, object]:
    return {
        "name": caller.name,
        "role": caller.role.value,
        "sha256": caller.digest.hex(),
        "expires": None if caller.expires is None else datetime.fromtimestamp(caller.expires, UTC).isoformat(),
        "expired": _expired(caller, now),
    }


def _row(caller: Caller, now: float) -> tuple[str, str, str, str]:
    expires = "-"
    if caller.expires is not None:
        expires = f"{datetime.fromtimestamp(caller.expires, UTC):%Y-%m-%d %H:%M}"
        expires += " (expired)" if _expired(caller, now) else ""
    return caller.name, caller.role.value, caller.digest.hex()[:SHOWN], expires


def _expired(caller: Caller, now: float) -> bool:
    return caller.expires is not None and now > caller.expires


@command.command(short_help="Let a token in no more.")
@click.argument("name")
@_tokens
@click.option(
    "--sha256", "digest", default="", metavar="BEGINNING", help="Only the token whose hash begins so; see the list."
)
def revoke(name: str, path: Path, digest: str) -> None:
    """Take the tokens of NAME out of the file of tokens: their calls are refused, and their streams end.

    A worker whose token is revoked ends at once; drain it first to keep what it trained since its last checkpoint.
    """
    if digest and not all(character in "0123456789abcdef" for character in digest.lower()):
        raise InvalidInput(f"--sha256 {digest}: is not the beginning of a hash; `rungmaster token list` shows them")
    left = remove(path, name, digest)
    still = sum(caller.name == name for caller in left)
    say(f"{name} is let in no more" if not still else f"one token of {name} is let in no more, another still is")
