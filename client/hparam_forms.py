"""Hyperparameters in the forms in which people use them elsewhere: YAML, JSON, and words for a shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ..shared.hparam_variables import as_text, hparam_variables
from ..shared.spec.document.yaml_writing import yaml_text
from ..shared.text.visible import HIDDEN, json_text


def as_yaml(hparams: Mapping[str, Any]) -> str:
    """A YAML document, whose last line is ended."""
    return yaml_text([hparams])


def as_json(hparams: Mapping[str, Any], indent: int | None = None) -> str:
    """One JSON object."""
    return json_text(dict(hparams), indent)


def as_arguments(hparams: Mapping[str, Any]) -> str:
    """Words of a command line, `--NAME=VALUE` each, quoted for a shell where they need it.

    The sign between them keeps together what programs would take for another option, such as a value -x.
    """
    return " ".join(shell_word(f"--{name}={as_text(value)}") for name, value in hparams.items())


def as_exports(hparams: Mapping[str, Any]) -> str:
    """Lines that set, in a shell, the variables that a worker gives to training code: RUNGMASTER_HPARAM_NAME each."""
    return "\n".join(f"export {name}={shell_word(value)}" for name, value in hparam_variables(hparams).items())


def shell_word(text: str) -> str:
    """One word for a shell (bash, zsh, ksh), which reads as this text and does nothing.

    What would act on a terminal is written in its bytes, within $'…', which a plain POSIX shell of before 2024 lacks.
    """
    if not HIDDEN.search(text):
        return shlex.quote(text)
    return f"$'{''.join(map(_escaped, text))}'"


def _escaped(character: str) -> str:
    if character in "'\\":
        return f"\\{character}"
    if HIDDEN.match(character):
        return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="surrogatepass"))
    return character
