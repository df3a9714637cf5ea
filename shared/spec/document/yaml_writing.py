"""Writes YAML that reads as the same values by version 1.1, as most programs have it, and by 1.2, as specs are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from ...text.visible import HIDDEN
from .yaml_values import plain_scalar


class _Writer(yaml.SafeDumper):
    """Quotes what version 1.2 would take for something else than text; its base does so by 1.1."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - a value that comes twice is written twice
        return True


def _text(writer: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return writer.represent_scalar("tag:yaml.org,2002:str", value, style=None if _is_plain(value) else "'")


def _is_plain(text: str) -> bool:
    try:
        return plain_scalar(text) == text
    except ValueError:
        # More digits than a number may have.
        return False


_Writer.add_representer(str, _text)


def yaml_text(documents: Iterable[Mapping[str, Any]], *, short: bool = False) -> str:
    """Documents as YAML; with `short`, what has no mapping or list in it is written on a line.

    In ASCII where anything in it could act on a terminal, which YAML then escapes.
    """
    layout: dict[str, Any] = {"default_flow_style": None, "width": 120} if short else {"default_flow_style": False}
    whole = [*map(dict, documents)]
    text = yaml.dump_all(whole, Dumper=_Writer, sort_keys=False, allow_unicode=True, **layout)
    if HIDDEN.search(text.replace("\n", "")):
        return yaml.dump_all(whole, Dumper=_Writer, sort_keys=False, **layout)
    return text
