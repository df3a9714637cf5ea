"""The next new trial of an experiment: its number, and its hyperparameters once they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...shared.spec.samplers import RandomSamplerSpec, SamplerSpec
from ..search.interface import Train

_DRAWN = RandomSamplerSpec()

#: Draws the hyperparameters of the trial with this number; None while they are still being drawn: ask again.
Draw = Callable[[int], Mapping[str, Any] | None]

#: Makes the hyperparameters of the trial with this number from those of its parent.
Explore = Callable[[int, Mapping[str, Any]], Mapping[str, Any]]


def no_explore(trial: int, parent: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where no trial takes after another."""
    raise AssertionError(f"trial {trial} is to take after {parent}, in a search whose trials do not")


def patiently(draw: Draw) -> Draw:
    """The same draw, for those who wait until the hyperparameters are there."""

    def drawn(trial: int) -> Mapping[str, Any]:
        while (found := draw(trial)) is None:
            pass
        return found

    return drawn


class NextTrial:
    """They are there before the searcher is asked for a new trial, so that nothing has changed where they cannot be."""

    def __init__(
        self,
        draw: Draw,
        initial: int = 0,
        explore: Explore = no_explore,
        sampler: SamplerSpec = _DRAWN,
    ) -> None:
        """`initial` trials have hyperparameters that the spec gives, later ones those of the `sampler`."""
        self.number = 0
        #: Why its hyperparameters cannot be drawn.
        self.failure = ""
        self.draw = draw
        self._initial, self._origin = initial, sampler.origin
        self._explore = explore
        self._hparams: Mapping[str, Any] | None = None

    def drawn(self) -> bool:
        """Whether its hyperparameters are there."""
        if self._hparams is None and not self.failure:
            try:
                self._hparams = self.draw(self.number)
            except Exception as error:  # noqa: BLE001 - only this experiment draws from this space
                self.failure = f"no hyperparameters could be drawn for trial {self.number}: {error}"
        return self._hparams is not None

    def take(self, train: Train, parent: Mapping[str, Any] | None = None) -> tuple[Mapping[str, Any], str]:
        """The hyperparameters of the new trial that the searcher wants, which is this one, and where they came from;
        the next one follows. `parent` has those of its parent."""
        hparams, origin = train.hparams, train.origin
        if train.parent is not None:
            assert parent is not None, f"the hyperparameters of trial {train.parent} are not there"
            hparams, origin = self._explore(train.trial, parent), f"trial {train.parent}"
        elif hparams is None:
            hparams, origin = self._hparams, "initial" if train.trial < self._initial else self._origin
        assert train.trial == self.number, f"trial {train.trial} is created before {self.number}"
        assert hparams is not None, f"the hyperparameters of trial {train.trial} are not there"
        self.number, self._hparams = train.trial + 1, None
        return hparams, origin
