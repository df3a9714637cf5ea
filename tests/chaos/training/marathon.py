"""A training program that writes down for itself what it did: who started it under which lease, and every epoch."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from rungmaster import Trial


def lease() -> tuple[int, ...]:
    """Experiment, trial and token: the worker names a trial's folder after its lease."""
    return tuple(int(part) for part in Path(os.environ["RUNGMASTER_SOCKET"]).parent.name.split("-"))


def ancestors() -> list[int]:
    """The parent, its parent, and so on; one of them is the worker."""
    found = [os.getppid()]
    while found[-1] > 1:
        status = Path(f"/proc/{found[-1]}/status").read_text()
        found.append(int(status.partition("\nPPid:")[2].split()[0]))
    return found


def leave_a_daemon() -> None:
    """Starts what tries to outlive the trial: forked twice, with a session, a name and no environment of its own."""
    if (pid := os.fork()) != 0:
        os.waitpid(pid, 0)
        return
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 256)
        os.execve("/bin/sleep", [f"daemon of {os.environ['MARATHON_LOG']}", "3600"], {})
    os._exit(0)


def note(what: str, **particulars: Any) -> None:
    """One line in one append: several processes share the file, and a killed one leaves whole lines."""
    experiment, trial, token = lease()
    line = {"what": what, "experiment": experiment, "trial": trial, "token": token, "time": time.time()} | particulars
    with Path(os.environ["MARATHON_LOG"]).open("ab", buffering=0) as log:
        log.write(json.dumps(line).encode() + b"\n")


def error(quality: float, epoch: int) -> float:
    """Falls with the epoch, towards a floor that the hyperparameter sets."""
    return quality + 1.0 / (1 + epoch)


def train(trial: Trial) -> None:
    """Trains on from its checkpoint, which tells how many epochs are in it."""
    state = {"epochs": 0}

    def save(folder: Path) -> None:
        (folder / "state.json").write_text(json.dumps(state))

    def load(folder: Path) -> None:
        state.update(json.loads((folder / "state.json").read_text()))

    leave_a_daemon()
    note("start", pid=os.getpid(), ancestors=ancestors(), resource=trial.resource)
    for epoch in trial.steps(save=save, load=load):
        assert state["epochs"] == epoch, f"resumed at epoch {epoch} with a checkpoint of epoch {state['epochs']}"
        time.sleep(trial.hparams["seconds_per_epoch"])
        state["epochs"] += 1
        measured = error(trial.hparams["quality"], epoch + 1)
        note("epoch", resource=epoch + 1, error=measured)
        trial.report(error=measured)
    note("end", resource=trial.resource)
