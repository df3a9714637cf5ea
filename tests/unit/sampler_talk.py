"""A sampler that is told of trials and asked for new ones, without a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rungmaster.sampler.serve import Sampler
from rungmaster.shared.sampling.protocol import Pending, Start, TrialResult
from rungmaster.shared.sampling.spaces import accepted, neutral_space
from rungmaster.shared.spec.spec import Spec, spec_from_json


class Talk:
    """A search of `hyperparameters` with a sampler; every suggestion is checked as a master does it."""

    def __init__(
        self,
        sampler: Sampler,
        hyperparameters: dict[str, Any],
        *,
        forbidden: Sequence[Any] = (),
        goal: str = "minimize",
        resources: tuple[int, ...] = (1, 3, 9),
        seed: int = 0,
    ) -> None:
        self.spec: Spec = spec_from_json(
            {
                "name": "talk",
                "entrypoint": "training:train",
                "metric": {"name": "loss", "goal": goal},
                "hyperparameters": hyperparameters,
                "forbidden": [*forbidden],
                "searcher": {"name": "asha", "max_trials": 1000, "max_resource": 9},
            }
        )
        self.sampler = sampler
        self._trials = 0
        space = neutral_space(self.spec.hyperparameters, self.spec.forbidden)
        sampler.start(Start(1, seed, "loss", goal, space, resources))

    def tell(
        self,
        hparams: dict[str, Any],
        metric: float | None,
        resource: int = 9,
        *,
        failed: bool = False,
        trial: int | None = None,
    ) -> None:
        """The result of a trial with these hyperparameters; of a new one, unless it has a number."""
        number = self._trials if trial is None else trial
        self.sampler.tell(TrialResult(number, hparams, resource, metric, failed))
        self._trials = max(self._trials, number + 1)

    def ask(self, count: int = 1, pending: Sequence[dict[str, Any]] = ()) -> list[dict[str, Any]]:
        """So many suggestions."""
        return [hparams for hparams, _ in self.ask_with_notes(count, pending)]

    def ask_with_notes(
        self, count: int = 1, pending: Sequence[dict[str, Any]] = ()
    ) -> list[tuple[dict[str, Any], str]]:
        """The same with what is said of each."""
        waiting = [Pending(hparams, 1_000 + number) for number, hparams in enumerate(pending)]
        given = self.sampler.suggest(count, waiting)
        return [(accepted(self.spec.hyperparameters, self.spec.forbidden, each), note) for each, note in given]
