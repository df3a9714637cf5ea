"""How commands print: all that they do goes this way, where nothing in a text can act on the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from .visible import json_text, visible, visible_block


def say(line: str = "", *, err: bool = False) -> None:
    """Prints a line at once, on standard output or standard error."""
    click.echo(visible(line), err=err)


def say_lines(lines: Iterable[str], *, err: bool = False) -> None:
    """Prints lines of text as they come."""
    for line in lines:
        say(line, err=err)


def say_block(text: str, *, err: bool = False) -> None:
    """Prints a text of several lines."""
    click.echo(visible_block(text), err=err)


def say_json(value: Any, indent: int | None = None) -> None:
    """Prints a value as JSON, in one line or indented."""
    click.echo(json_text(value, indent))


def say_part(text: str, *, err: bool = False) -> None:
    """Prints a part of a text of several lines, which the next one may continue."""
    click.echo(visible_block(text), nl=False, err=err)


def say_raw(content: bytes) -> None:
    """Writes bytes as they are to standard output: for those who asked for that."""
    click.echo(content, nl=False)
