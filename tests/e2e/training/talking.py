"""A training program that prints: what, and when it goes on, its test says by files in a folder."""

from __future__ import annotations

import os
import time
from pathlib import Path

from rungmaster import Trial

FOLDER = Path(os.environ.get("TALK", "."))


def train(trial: Trial) -> None:
    """Prints a line for each epoch, and waits there until a file `go` names a later one."""

    def keep(folder: Path) -> None:
        (folder / "epoch").write_text("1")

    for epoch in trial.steps(save=keep, load=lambda folder: None):
        os.write(1, f"trial {trial.trial_id} prints at {epoch}\n".encode())
        while epoch >= int((FOLDER / "go").read_text()):
            time.sleep(0.02)
        trial.report(error=epoch + trial.trial_id / 100)


def act(trial: Trial) -> None:
    """Prints what would act on a terminal."""
    os.write(1, b"red \x1b[31m\x1b]0;title\x07 \xc2\x9b2J \xe2\x80\xae \xff\r50%\r100%\nend\n")
    train(trial)


def markup(trial: Trial) -> None:
    """Prints what a browser would run, if a page let it, and more than a window has room for."""
    os.write(1, b"<img src=x onerror=document.title='run'> </div><script>document.title='run'</script> \x1b[31m\n")
    os.write(1, b"".join(b"line %d\n" % number for number in range(200)))
    train(trial)


def flood(trial: Trial) -> None:
    """Prints more than any buffer between it and its reader holds."""
    os.write(2, b"".join(b"line %07d\n" % number for number in range(600_000)))
    train(trial)
