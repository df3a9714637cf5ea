"""What a master may make of barriers, by its stored rows alone: nothing here asks the searcher."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from rungmaster.master.experiment.changes import RungResultRow
from rungmaster.master.search.synchronous.searcher import SynchronousHalving
from rungmaster.shared.spec.searchers import HyperbandSpec, ShaSpec
from rungmaster.shared.spec.spec import Spec

from .master_store import MemoryStore


def has_barriers(spec: Spec) -> bool:
    """Whether a search has a barrier at each rung."""
    return isinstance(spec.searcher, ShaSpec | HyperbandSpec)


def best_of_rung(
    store: MemoryStore, spec: Spec, rung: tuple[int, int, int], new: Iterable[RungResultRow] = ()
) -> list[int] | None:
    """The trials that go on from a rung, best first; None while it waits. `new` are results that are not stored yet."""
    assert isinstance(spec.searcher, ShaSpec | HyperbandSpec)
    new = list(new)
    results = [row for key, row in store.results.items() if key[:3] == rung]
    results += [row for row in new if (row.experiment_id, row.bracket_id, row.rung_id) == rung]
    experiment, bracket, k = rung
    if k == 0:
        expected = store.brackets[experiment, bracket].max_trials
    else:
        below = best_of_rung(store, spec, (experiment, bracket, k - 1), new)
        expected = None if below is None else len(below)
    if len(results) != expected:
        return None
    sign = 1 if spec.metric.goal == "minimize" else -1
    ranked = sorted((math.inf if row.metric is None else sign * row.metric, row.trial_id) for row in results)
    passing = max(1, math.floor(len(ranked) / spec.searcher.eta))
    return [trial for metric, trial in ranked[:passing] if metric < math.inf]


def check_all_went_on(store: MemoryStore, spec: Spec, experiment_id: int) -> None:
    """When a search has ended by itself, every barrier has opened, and everything that deserved a promotion had it."""
    last = {key[1]: key[2] for key in sorted(store.rungs) if key[0] == experiment_id}
    for key in store.rungs:
        if key[0] == experiment_id and key[2] < last[key[1]]:
            best = best_of_rung(store, spec, key)
            assert best is not None, f"I4: a barrier never opened, rung {key}"
            promoted = {row.trial_id for place, row in store.results.items() if place[:3] == key and row.promoted}
            assert promoted == set(best), f"I4: of rung {key} {promoted} went on, {best} deserved it"


def memory_of(searcher: SynchronousHalving) -> Any:
    """Everything of a searcher that a restored one must have too."""
    return [
        (
            bracket.created,
            bracket.running,
            bracket.deciding,
            [(list(r._results), list(r._undecided), list(r._queue), r._past, r.promoted) for r in bracket.rungs],
            [rung.expected for rung in bracket.rungs],
        )
        for bracket in searcher._brackets
    ], searcher._next_trial
