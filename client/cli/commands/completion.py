"""The command `completion`: has a shell complete commands, options and ids of experiments."""

from __future__ import annotations

import click

from ....shared.text.printing import say, say_block, say_lines
from ..installing import SHELLS, Places, detected, script_for

_shell = click.argument("shell", type=click.Choice(SHELLS), required=False)


@click.group("completion")
def command() -> None:
    """Have a shell complete commands, options and ids of experiments when Tab is pressed."""


@command.command("install")
@_shell
@click.option("--print", "only_print", is_flag=True, help="Print the script, and write nothing.")
@click.pass_context
def install(ctx: click.Context, shell: str | None, only_print: bool) -> None:
    """Install it for SHELL (bash, zsh or fish), by default the one that this is typed into.

    Writes a script, and for bash and zsh a line into the shell's own file that reads it. What is there already is left
    as it is.
    """
    chosen = shell or detected()
    script = script_for(chosen, ctx.find_root().command)
    if only_print:
        say_block(script.removesuffix("\n"))
        return
    places = Places.of(chosen)
    done = places.install(script)
    say_lines(done or [f"{chosen} has it already, in {places.script}"])
    say(f"new shells have it; this one after:  {_read(chosen, places)}")


def _read(shell: str, places: Places) -> str:
    return f"source {places.script}" if shell == "fish" else f". {places.script}"


@command.command("remove")
@_shell
def remove(shell: str | None) -> None:
    """Take back what install wrote for SHELL."""
    chosen = shell or detected()
    say_lines(Places.of(chosen).remove() or [f"{chosen} does not have it"])
