"""Shows an experiment in a notebook's cell, and anew as it changes, until it has ended."""

# A notebook brings IPython.
# pyright: reportMissingImports=false
from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from ...shared.errors import RungmasterError
from ...shared.wire.model import Experiment
from ..client import Client
from ..follow import follow
from .html import experiment_html


class Html:
    """A piece of HTML as notebooks know it."""

    def __init__(self, html: str, plain: str) -> None:
        self._html = html
        self._plain = plain

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return self._plain


def shown(experiment: Experiment) -> Html:
    """An experiment as it is now."""
    return Html(experiment_html(experiment, datetime.now(UTC)), summary(experiment))


def summary(experiment: Experiment) -> str:
    """An experiment in a line."""
    best = experiment.best_trial
    result = experiment.result_of(best)[0] if best is not None else None
    told = f"best {experiment.metric} {result:.6g}" if result is not None else "no result yet"
    return f"<experiment {experiment.experiment_id} {experiment.name!r} {experiment.state.value}, {told}>"


def cell() -> Any | None:
    """What displays in the cell that runs: `IPython.display.display`; None outside of a notebook."""
    try:
        from IPython.core.getipython import get_ipython
        from IPython.display import display
    except ImportError:
        return None
    shell = get_ipython()
    return display if shell is not None and shell.has_trait("kernel") else None


def wait(client: Client, experiment_id: int) -> Experiment:
    """Waits for the end of an experiment; in a notebook the cell shows meanwhile how it stands."""
    display = cell()
    if display is None:
        return client.wait(experiment_id)
    handle, last = None, client.get(experiment_id)
    for snapshot in follow(client, experiment_id):
        last = snapshot.experiment
        if handle is None:
            handle = display(shown(last), display_id=True)
        else:
            handle.update(shown(last))
    return last


def show_live(client: Client, experiment: Experiment) -> None:
    """Displays an experiment in this cell, which changes as the experiment does, while other cells run."""
    display = cell()
    assert display is not None, "only a notebook asks for it"
    handle = display(shown(experiment), display_id=True)
    if not experiment.over:
        threading.Thread(
            target=_keep_up, args=(client, experiment.experiment_id, handle), name="live display", daemon=True
        ).start()


def _keep_up(client: Client, experiment_id: int, handle: Any) -> None:
    try:
        for snapshot in follow(client, experiment_id):
            handle.update(shown(snapshot.experiment))
    except (RungmasterError, ValueError):
        return  # the master is gone, or the client was closed: what is shown stays
