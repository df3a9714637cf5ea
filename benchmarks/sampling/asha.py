"""A search by ASHA in virtual time, whose new trials get their hyperparameters from a sampler: what it reaches."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rungmaster.master.search.interface import Action, SearchDecision, Searcher, Train
from rungmaster.shared.sampling.protocol import Pending, TrialResult

from .problems import Problem

WORKERS = 8
Suggest = Callable[[int, Sequence[Pending]], Mapping[str, Any]]


def regret(
    problem: Problem, searcher: Searcher, seed: int, suggest: Suggest, told: Callable[[TrialResult], None]
) -> float:
    """How far the best trial that was trained in full is from the best that there is.

    After r of R units a trial has 1 + 1/r times its last loss, with noise of 2 % / r; the times between are even within
    a fifth.
    """
    chance = random.Random(seed)
    full = max(resource for bracket in searcher.plan for resource in bracket.rungs)
    hparams: dict[int, Mapping[str, Any]] = {}
    running: list[tuple[float, int, int]] = []
    now, best = 0.0, math.inf
    while True:
        while len(running) < WORKERS and isinstance(train := searcher.next().answer, Train):
            if train.new:
                pending = [Pending(dict(hparams[trial]), trial) for _, trial, _ in sorted(running, key=lambda r: r[1])]
                hparams[train.trial] = suggest(train.trial, pending)
            lasts = (train.target - train.start) * chance.uniform(0.8, 1.2)
            heapq.heappush(running, (now + lasts, train.trial, train.target))
        if not running:
            return best - problem.best
        now, trial, resource = heapq.heappop(running)
        loss = problem.loss(hparams[trial])
        metric = loss * (1 + 1 / resource) + abs(loss) * chance.gauss(0, 0.02) / resource
        decision = searcher.report(trial, resource, metric).answer
        told(TrialResult(trial, dict(hparams[trial]), resource, metric))
        if resource == full:
            best = min(best, loss)
        assert isinstance(decision, SearchDecision)
        if decision.action is Action.CONTINUE and decision.target is not None:
            heapq.heappush(running, (now + decision.target - resource, trial, decision.target))
