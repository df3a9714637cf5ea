"""Completion for a shell: the script that the shell reads, and where each shell finds it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from ...shared.errors import InvalidInput

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "rungmaster"
#: Ends the line that is added to a shell's own file, by which it is found again.
MARK = "# completion of rungmaster"

#: Where zsh's completion is not set up by its user, it is set up here.
_ZSH_SET_UP = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }\n"


def script_for(shell: str, program: click.Command) -> str:
    """What a shell has to read; it is silent where the program is not to be found, as outside of its environment."""
    cls = get_completion_class(shell)
    assert cls is not None, "click knows these shells"
    script = cls(program, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source()
    if shell == "zsh":
        header, _, rest = script.partition("\n")
        return f"{header}\n{_ZSH_SET_UP}{rest}"
    return script.replace("bash_complete $1)", "bash_complete $1 2>/dev/null)").replace(
        f"(commandline -t) {PROGRAM})", f"(commandline -t) {PROGRAM} 2>/dev/null)"
    )


def detected(environment: Mapping[str, str] = os.environ, parent: int | None = None) -> str:
    """The shell that this was typed into, else the user's. Raises InvalidInput where that is none of `SHELLS`."""
    try:
        typed_into = Path(f"/proc/{parent or os.getppid()}/comm").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        typed_into = ""
    for name in (typed_into, Path(environment.get("SHELL", "")).name):
        if name in SHELLS:
            return name
    raise InvalidInput(f"which shell? Name it: rungmaster completion install {'|'.join(SHELLS)}")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a shell finds the script: its file, and the shell's own file with a line that reads it, if it needs one."""

    script: Path
    own: Path | None

    @classmethod
    def of(cls, shell: str, environment: Mapping[str, str] = os.environ) -> Places:
        """The places for the user of an environment."""
        home = Path(environment.get("HOME") or Path.home())
        data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share") / PROGRAM
        if shell == "fish":
            config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
            return cls(config / "fish" / "completions" / f"{PROGRAM}.fish", None)
        if shell == "zsh":
            return cls(data / "completion.zsh", Path(environment.get("ZDOTDIR") or home) / ".zshrc")
        # Terminals of macOS start login shells.
        return cls(data / "completion.bash", home / (".bash_profile" if sys.platform == "darwin" else ".bashrc"))

    @property
    def line(self) -> str:
        """What the shell's own file has to have."""
        script = shlex.quote(str(self.script))
        return f"[ -r {script} ] && . {script}  {MARK}"

    def install(self, script: str) -> list[str]:
        """Writes what is missing or another; in words what was done."""
        done: list[str] = []
        if _content(self.script) != script:
            self.script.parent.mkdir(parents=True, exist_ok=True)
            self.script.write_text(script, encoding="utf-8")
            done.append(f"wrote {self.script}")
        if self.own is not None and self.line not in (content := _content(self.own)).splitlines():
            with self.own.open("a", encoding="utf-8") as file:
                file.write(("" if content.endswith("\n") or not content else "\n") + self.line + "\n")
            done.append(f"added a line to {self.own} that reads it")
        return done

    def remove(self) -> list[str]:
        """Takes back what `install` did; in words what was done."""
        done: list[str] = []
        content = _content(self.own) if self.own is not None else ""
        if self.own is not None and self.line in content.splitlines():
            kept = [line for line in content.splitlines(keepends=True) if line.rstrip("\n") != self.line]
            self.own.write_text("".join(kept), encoding="utf-8")
            done.append(f"took its line out of {self.own}")
        if self.script.exists():
            self.script.unlink()
            done.append(f"deleted {self.script}")
        return done


def _content(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="surrogateescape") if file.exists() else ""
