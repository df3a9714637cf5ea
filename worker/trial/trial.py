"""`Trial`: what Python training code sees."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol

from ...shared.errors import FailedPrecondition, InvalidInput
from .protocol import Reply, TrialStart

#: Writes a checkpoint into an empty folder, or reads one from a folder.
Persist = Callable[[Path], object]


class Link(Protocol):
    """The way to whoever gives the trial its orders: the worker's socket, or an imitation of it."""

    def start(self) -> TrialStart:
        """What to train, from where and how far."""
        ...

    def report(self, resource: int, metrics: Mapping[str, float]) -> Reply:
        """Hands in a measurement; waits for a decision where it reaches the target."""
        ...

    def new_folder(self) -> Path:
        """An empty folder for a checkpoint."""
        ...

    def checkpoint(self, resource: int, folder: Path) -> None:
        """Hands over a folder that holds a checkpoint."""
        ...

    def invalid(self, reason: str) -> None:
        """Says that the hyperparameters cannot be trained."""
        ...


class InvalidHparams(SystemExit):
    """Ends the process after `Trial.invalid`: the trial is discarded, and another takes its place."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"invalid hyperparameters: {reason}")


class Trial:
    """One set of hyperparameters to train, from a checkpoint or from nothing, as far as the master decides.

    `hparams`: the hyperparameters. `seed`: 0 … 2³¹−1, the same whenever and wherever this trial is trained.
    `resource`: how far it is trained, in units. `target`: how far it is to be trained before the next decision.
    `metric`: the metric that the searcher goes by. `checkpoint`: the folder to start from, or None.
    """

    def __init__(self, link: Link) -> None:
        """Most code gets its trial as an argument; a program of its own calls `Trial.connect()`."""
        start = link.start()
        self._link = link
        self.hparams: dict[str, Any] = start.hparams
        self.experiment_id = start.experiment_id
        self.experiment_name = start.experiment_name
        self.trial_id = start.trial_id
        self.seed = start.seed
        self.resource = start.resource
        self.target = start.target
        self.metric = start.metric
        self.checkpoint = None if start.checkpoint is None else Path(start.checkpoint)
        self._answer = Reply("continue", start.target)
        self._step: int | None = None
        self._reported = False
        self._stepped = False
        self._can_save = False

    @classmethod
    def connect(cls) -> Trial:
        """The trial of this process, for a program that a worker started as a command.

        Raises FailedPrecondition outside a worker, and Unavailable where the worker is gone.
        """
        from .connection import LocalConnection

        return cls(LocalConnection.from_environment())

    @property
    def ended(self) -> bool:
        """Whether the master has decided that the training ends here (it paused or stopped the trial)."""
        return self._answer.ends

    def steps(self, save: Persist | None = None, load: Persist | None = None) -> Iterator[int]:
        """The numbers, from 0, of the steps to train; each stands for one unit of resource and ends with a report.

        A trial that goes on from a checkpoint begins with `load(folder)` and the step after it; past a rung it just
        goes on. `save(folder)` writes everything that training needs into an empty folder; it is called at the end of
        a step, and only when a checkpoint is wanted. Without the two a paused trial begins again from nothing.
        A step that reports a larger resource than its number + 1 stands for more than one unit.
        Raises FailedPrecondition for a step that reaches `target` without a report.
        """
        if (save is None) != (load is None):
            raise InvalidInput("steps: give both save and load, or neither of them")
        if self._stepped:
            raise FailedPrecondition("steps: a trial has one loop of steps, and it has been started already")
        self._stepped = True
        self._can_save = save is not None
        return self._iterate(save, load)

    def _iterate(self, save: Persist | None, load: Persist | None) -> Iterator[int]:
        if load is not None and self.checkpoint is not None:
            load(self.checkpoint)
        while not self.ended:
            self._step, self._reported = self.resource, False
            yield self._step
            self._end_step(self._step, save)

    def _end_step(self, step: int, save: Persist | None) -> None:
        self._step = None
        if not self._reported:
            self.resource = step + 1
            self._check_reported(step)
        elif self._answer.save and save is not None:
            self.save(save)

    def _check_reported(self, step: int) -> None:
        if self.resource >= self.target:
            raise FailedPrecondition(
                f"step {step} reached the target ({self.target}) without a report, and the searcher waits for one: "
                f"call trial.report({self.metric}=…) in every step, or at least when step + 1 == trial.target"
            )

    def report(self, resource: int | None = None, /, **metrics: float) -> Reply:
        """Hands in what was measured, and returns what the trial does now; inside `steps` that can be ignored.

        `resource`: how far the trial is trained, in units; in a step by default the step's number + 1. It grows from
        report to report. At the target this waits for the master's decision, and the searcher's metric must be given.
        Numbers may be NaN or infinite: such a result ranks last. Raises InvalidInput for what is not a number, for a
        resource that does not grow and for a missing metric; FailedPrecondition after the end or outside a step;
        Unavailable where the worker is gone.
        """
        if self.ended:
            raise FailedPrecondition(f"report: the trial is over ({self._answer.decision}); return, do not go on")
        reached = self._reached(resource)
        self._answer = self._link.report(reached, {name: _number(name, value) for name, value in metrics.items()})
        self.resource, self.target, self._reported = reached, self._answer.target, True
        return self._answer

    def _reached(self, resource: int | None) -> int:
        if resource is not None:
            try:
                return operator.index(resource)
            except TypeError:
                raise InvalidInput(f"report: resource must be a whole number of units, got {resource!r}") from None
        if self._step is None:
            raise FailedPrecondition(
                "report: outside a step of steps() the resource is not known; "
                "say how far the trial is trained: trial.report(resource, metric=…)"
            )
        return self._step + 1

    def save(self, save: Persist) -> None:
        """Saves a checkpoint now: for loops of your own, when the answer to a report has `save`.

        `save(folder)` writes into an empty folder. Raises FailedPrecondition where it wrote nothing.
        """
        folder = self._link.new_folder()
        save(folder)
        if not any(folder.iterdir()):
            raise FailedPrecondition(f"save: nothing was written into {folder}; write the checkpoint's files there")
        self._link.checkpoint(self.resource, folder)

    def invalid(self, reason: str) -> NoReturn:
        """Says that these hyperparameters cannot be trained, and ends the process. Another trial takes its place."""
        self._link.invalid(str(reason))
        raise InvalidHparams(str(reason))

    def check_finished(self) -> None:
        """Raises FailedPrecondition where the training ended by itself; called after the training function."""
        if not self.ended:
            raise FailedPrecondition(
                f"the training ended at resource {self.resource}, before its target ({self.target}); train until the "
                f"loop ends, or report {self.metric} at the target if there is nothing more to gain"
            )
        if self._can_save and self._answer.save and self._step is not None:
            raise FailedPrecondition(
                "the loop of steps() was left before the paused trial could be saved; "
                "do not break out of it, it ends by itself"
            )


def _number(name: str, value: object) -> float:
    """Python, NumPy and PyTorch numbers, as a float."""
    if not isinstance(value, str | bytes | bool) and hasattr(value, "__float__"):
        try:
            return float(value)  # pyright: ignore[reportArgumentType]
        except (TypeError, ValueError, RuntimeError):
            pass
    raise InvalidInput(f"report: {name} must be a number, got {str(value)[:100]!r} ({type(value).__name__})")
