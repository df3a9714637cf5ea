"""A click group that imports a command only when it runs, so that `--help` costs next to nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

from ...shared.text.suggestions import closest


class LazyGroup(click.Group):
    """A group over a table: command name -> ("module:attribute", short help).

    Modules are named as installed; the order of the table is the order in the help.
    """

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names of all commands."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Imports and returns one command, or None where there is none of this name."""
        if cmd_name not in self._table:
            return None
        module, _, attribute = self._table[cmd_name][0].partition(":")
        return getattr(import_module(module), attribute)

    def resolve_command(
        self, ctx: click.Context, args: Sequence[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; where there is none, the closest is suggested."""
        close = None if args[0] in self._table or args[0].startswith("-") else closest(args[0], self._table)
        if close:
            ctx.fail(f'there is no command "{args[0]}"; did you mean "{close}"?')
        return super().resolve_command(ctx, list(args))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The commands that begin as typed, with the short help of the table, importing none; and options."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=short_help)
            for name, (_, short_help) in self._table.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Writes the commands with the short help of the table, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help) for name, (_, short_help) in self._table.items()])
