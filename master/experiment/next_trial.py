"""The next new trial of an experiment: its number, and its hyperparameters once they are drawn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...shared.spec.samplers import RandomSamplerSpec, SamplerSpec
from ...shared.text.failure_text import summary
from ..search.interface import Searcher, Train

_DRAWN = RandomSamplerSpec()

#: Suggestions that may wait for trials.
MOST_STOCKED = 1_024

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


@dataclass(frozen=True, slots=True)
class SampledHparams:
    """Hyperparameters of a trial, where they came from, and what a sampler says of them to people. `trial` is the only
    one that they are for; None: any. `drawn`: they were there before the trial, and nobody was asked."""

    hparams: Mapping[str, Any]
    origin: str
    note: str = ""
    trial: int | None = None
    drawn: bool = False

    @classmethod
    def at_random(cls, hparams: Mapping[str, Any], why: str, trial: int | None = None) -> SampledHparams:
        """Drawn in place of a sampler that gave none, and why it did not."""
        return cls(hparams, f"random: {summary(why)}", trial=trial)

    @classmethod
    def suggested(cls, hparams: Mapping[str, Any], sampler: SamplerSpec, note: str) -> SampledHparams:
        """What a sampler gave."""
        return cls(hparams, sampler.origin, summary(note))

    @property
    def told(self) -> dict[str, Any]:
        """What the journal tells of them."""
        return {"origin": self.origin} | ({"note": self.note} if self.note else {})


class NextTrial:
    """Its hyperparameters are there before the searcher is asked for a new trial, so that nothing has changed where
    they cannot be. Where a sampler outside of the master suggests them it may be created without, and wait for them."""

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
        #: Whether a sampler outside of the master suggests them.
        self.sampled = sampler.is_program
        #: Suggestions that no trial has taken. They are not kept by the ledger.
        self.stock: deque[SampledHparams] = deque(maxlen=MOST_STOCKED)
        #: How many requests for work wait for the experiment, as far as they were counted: so many trials may wait.
        self.requests = 0
        self._initial, self._origin = initial, sampler.origin
        self._explore = explore
        self._hparams: Mapping[str, Any] | None = None

    def keep(self, suggestion: SampledHparams) -> None:
        """A trial that is created later takes it; of more than MOST_STOCKED, the oldest are forgotten."""
        self.stock.append(suggestion)

    def lacks_hparams(self, searcher: Searcher) -> bool:
        """Whether all that the searcher has is this trial, and it would have to wait for its hyperparameters."""
        return self.sampled and not self.stock and self.number >= self._initial and searcher.draws and searcher.creates

    def drawn(self) -> bool:
        """Whether its hyperparameters are there, or it may be created without."""
        if self.sampled and self.number >= self._initial:
            return True
        if self._hparams is None and not self.failure:
            try:
                self._hparams = self.draw(self.number)
            except Exception as error:  # noqa: BLE001 - only this experiment draws from this space
                self.failure = f"no hyperparameters could be drawn for trial {self.number}: {error}"
        return self._hparams is not None

    def take(self, train: Train, parent: Mapping[str, Any] | None = None) -> SampledHparams | None:
        """The hyperparameters of the new trial that the searcher wants, which is this one, and where they came from;
        None where it waits for them. The next one follows. `parent` has those of its parent."""
        assert train.trial == self.number, f"trial {train.trial} is created before {self.number}"
        hparams, self._hparams = self._hparams, None
        self.number += 1
        if train.parent is not None:
            assert parent is not None, f"the hyperparameters of trial {train.parent} are not there"
            return SampledHparams(self._explore(train.trial, parent), f"trial {train.parent}", drawn=True)
        if train.hparams is not None:
            return SampledHparams(train.hparams, train.origin or "searcher", drawn=True)
        if self.sampled and train.trial >= self._initial:
            return self.stock.popleft() if self.stock else None
        assert hparams is not None, f"the hyperparameters of trial {train.trial} are not there"
        return SampledHparams(hparams, "initial" if train.trial < self._initial else self._origin, drawn=True)
