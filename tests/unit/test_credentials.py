"""What callers show: what fits together, and that a token is neither shown nor sent to where others could read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from rungmaster import Client, Credentials
from rungmaster.client.local.children import child_environment
from rungmaster.shared.errors import InvalidInput
from rungmaster.shared.net.channel import open_channel
from rungmaster.shared.options import credential_options

TOKEN = "secret-0123456789-abcdef"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tls": True, "tls_cert": "c.pem"}, "belong together"),
        ({"tls": True, "tls_key": "c.key"}, "belong together"),
        ({"tls_cert": "c.pem", "tls_key": "c.key"}, "of use with TLS only"),
        ({"token": TOKEN, "token_file": "token"}, "which of them"),
    ],
)
def test_what_does_not_fit_together_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        Credentials(**given)


def test_a_token_is_not_shown() -> None:
    assert TOKEN not in repr(Credentials(token=TOKEN))


@pytest.mark.parametrize("address", ["head:50051", "10.0.0.7:50051", "127.0.0.1.example.com:50051", "[::2]:50051"])
def test_a_token_goes_to_no_other_machine_in_plain_text(address: str) -> None:
    for credentials in (Credentials(token=TOKEN), Credentials(token_file="token")):
        with pytest.raises(InvalidInput, match="in plain text") as caught:
            Client([address, "127.0.0.1:1"], credentials=credentials)
        assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("content", ["", "two tokens", "two\nlines", "naïve", '"quoted"'])
def test_a_file_without_a_token_is_refused_and_not_quoted(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    with pytest.raises(InvalidInput, match=f"--token-file {path}: ") as caught:
        Credentials(token_file=path).read_token()
    assert not content or content not in str(caught.value)


def test_files_that_are_not_there_or_hold_something_else_are_named(tmp_path: Path) -> None:
    junk, none = tmp_path / "junk", tmp_path / "none"
    junk.write_text("junk")
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"tls_ca": none}, f"--tls-ca {none}: cannot be read"),
        ({"tls_ca": junk}, f"--tls-ca {junk}: holds no certificates"),
        (
            {"tls": True, "tls_cert": junk, "tls_key": junk},
            f"--tls-cert {junk} and --tls-key {junk}: are no certificate",
        ),
        ({"tls": True, "tls_cert": none, "tls_key": junk}, f"--tls-cert {none}: cannot be read"),
        ({"tls": True, "token_file": none}, f"--token-file {none}: cannot be read"),
    )
    for given, words in cases:
        with pytest.raises(InvalidInput, match=words):
            open_channel("head:1", Credentials(**given))


@click.command()
@credential_options
def show(credentials: Credentials) -> None:
    click.echo(f"{credentials} {credentials.read_token()}")


def shown(arguments: list[str], **environment: str) -> str:
    result = CliRunner().invoke(show, arguments, env=environment)
    if result.exception:
        raise result.exception
    return result.output


def test_options_and_variables_say_the_same(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    by_options = shown(["--tls", "--tls-ca", "ca", "--tls-cert", "c", "--tls-key", "k", "--token-file", str(token)])
    by_variables = shown(
        [],
        RUNGMASTER_TLS="1",
        RUNGMASTER_TLS_CA="ca",
        RUNGMASTER_TLS_CERT="c",
        RUNGMASTER_TLS_KEY="k",
        RUNGMASTER_TOKEN_FILE=str(token),
    )
    assert by_options == by_variables
    assert by_options.endswith(f" {TOKEN}\n")
    assert shown([], RUNGMASTER_TOKEN=TOKEN).endswith(f" {TOKEN}\n")


def test_a_token_file_goes_before_a_token_in_the_environment(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("another-0123456789")
    assert "another-0123456789" in shown(["--token-file", str(token)], RUNGMASTER_TOKEN=TOKEN)


def test_the_children_of_a_run_need_no_credentials_for_other_masters() -> None:
    inherited = {"RUNGMASTER_TOKEN": "t", "RUNGMASTER_TOKEN_FILE": "f", "RUNGMASTER_TLS_CA": "c", "PATH": "/bin"}
    assert child_environment(inherited) == {"PATH": "/bin"}
