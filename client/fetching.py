"""Fetching a trial's model: which of its checkpoints, and how it gets into a folder whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ..shared.errors import InvalidInput, NotFound, RungmasterError
from ..shared.wire.model import Checkpoint, Experiment, TrialInfo


def kept(checkpoints: Iterable[Checkpoint]) -> list[Checkpoint]:
    """Those whose files are there, the furthest trained last."""
    return sorted((each for each in checkpoints if each.delete_time is None), key=lambda each: each.resource)


def model_of(experiment: Experiment, trial: TrialInfo, checkpoints: Iterable[Checkpoint]) -> Checkpoint | None:
    """The checkpoint with a trial's result, or where that is not kept the furthest trained; None where none is kept."""
    there = kept(checkpoints)
    of_result = [each for each in there if each.resource == experiment.result_of(trial)[1]]
    return next(reversed(of_result or there), None)


def choose_checkpoint(
    experiment: Experiment, trial: TrialInfo, checkpoints: Iterable[Checkpoint], resource: int | None
) -> Checkpoint:
    """The checkpoint at that resource, or with the result. Raises NotFound, which tells which there are."""
    there = kept(checkpoints)
    wanted = [each for each in there if each.resource == resource]
    chosen = model_of(experiment, trial, there) if resource is None else next(reversed(wanted), None)
    if chosen is not None:
        return chosen
    what = f"trial {trial.trial_id} of experiment {trial.experiment_id} has no checkpoint"
    if not there:
        what += " that is kept: it never saved one, or its specification's checkpoints.keep let it go"
    else:
        what += f" at {resource}; there is one at {', '.join(str(each.resource) for each in there)}"
    raise NotFound(what, experiment_id=trial.experiment_id, trial_id=trial.trial_id)


def fetch_checkpoint(checkpoint: Checkpoint, to: Path, folders: Iterable[Path]) -> None:
    """Copies a checkpoint's files into the folder `to`, each verified; `to` is there only once all of them are.

    A relative URI is looked for below each of `folders`. Raises InvalidInput where `to` is there and not empty,
    RungmasterError where the checkpoint is not whole, CannotStart where a package for its store is missing, and
    Unavailable where that cannot be reached.
    """
    # Imported late: file systems take a while, and most commands need none.
    from ..shared.checkpoints.manifest import BrokenCheckpoint
    from ..shared.checkpoints.reading import fetch
    from ..shared.checkpoints.storage import check_packages
    from ..shared.wire.session import CheckpointRef

    _check_target(to)
    check_packages(checkpoint.uri)
    partial = to.absolute().with_name(f"{to.absolute().name}.part-{os.getpid()}")
    try:
        fetch(
            CheckpointRef(checkpoint.uri, checkpoint.resource, checkpoint.checksum),
            partial,
            _below(checkpoint, folders),
        )
        if to.exists():
            to.rmdir()
        partial.rename(to)
    except BrokenCheckpoint as error:
        raise RungmasterError(f"the checkpoint {checkpoint.uri} is not whole, nothing was fetched: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check_target(to: Path) -> None:
    if to.is_symlink() or (to.exists() and not to.is_dir()):
        raise InvalidInput(f"{to} is not a folder; name one that is empty, or not there yet")
    if to.is_dir() and any(to.iterdir()):
        raise InvalidInput(f"{to} is not empty; name a folder that is, or that is not there yet")


def located(checkpoint: Checkpoint, folders: Iterable[Path]) -> Checkpoint:
    """The checkpoint with its whole address, where its URI is relative and leads to something below a folder."""
    found = (folder.absolute() / checkpoint.uri for folder in folders if (folder / checkpoint.uri).exists())
    relative = "://" not in checkpoint.uri and "::" not in checkpoint.uri
    path = next(found, None) if relative else None
    return checkpoint if path is None else replace(checkpoint, uri=f"file://{path}")


def _below(checkpoint: Checkpoint, folders: Iterable[Path]) -> Path:
    """The first folder below which a relative URI leads to something."""
    candidates = list(folders)
    return next((folder for folder in candidates if (folder / checkpoint.uri).exists()), candidates[0])
