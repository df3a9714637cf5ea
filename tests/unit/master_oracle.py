"""What must hold of a master whatever happens, judged from its stored rows and not by its own code.

The numbers are those of the list of invariants: I1 one holder for each trial, I2 tokens and rungs only grow, I3 a rung
holds a trial once, I4 promotions were deserved, I6 what has ended stays so, I7 what was acknowledged is stored, I8 a
rebuilt memory equals the live one, I9 no trial is lost.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from enum import Enum
from typing import Any

from sortedcontainers import SortedList

from rungmaster.master.dispatcher.core import Core
from rungmaster.master.experiment.changes import Changes, ExperimentRow, Key, RungResultRow, RungRow
from rungmaster.master.experiment.experiment import LiveExperiment
from rungmaster.master.experiment.records import ExperimentRecords
from rungmaster.master.search.adaptive import AdaptiveAsha
from rungmaster.master.search.synchronous.searcher import SynchronousHalving
from rungmaster.shared.spec.searchers import AdaptiveAshaSpec, AsynchronousSearcher
from rungmaster.shared.spec.spec import Spec, spec_from_json
from rungmaster.shared.wire.model import ExperimentState, LeaseRef, TrialState
from rungmaster.shared.wire.session import CheckpointSaved, Exit, LeaseEvent, Measurement

from .barrier_oracle import best_of_rung, check_all_went_on, has_barriers, memory_of
from .master_store import MemoryStore


class Oracle:
    """Watches the batches of one database, and what its workers were told."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._specs: dict[int, Spec] = {}
        self._ended: dict[Any, str] = {}
        #: Of extended experiments, by number of experiment and trial, those that stopped at their last end: they may go
        #: on, or cannot since no checkpoint of them was kept.
        self._may_go_on: set[tuple[int, int]] = set()
        self._left: set[tuple[int, int]] = set()
        #: Checkpoints that were given up at the end of a search that was extended since.
        self._given_up: set[str] = set()
        self._acknowledged: dict[tuple[LeaseRef, int], LeaseEvent] = {}
        #: Those that were not looked up yet.
        self._news: list[tuple[LeaseRef, int]] = []

    def before_commit(self, changes: Changes) -> None:
        """I4: every promotion was in the top fraction at some moment of the batch, or its bracket's winner."""
        for event in changes.new_events:
            if event.kind == "experiment_extended":
                self._extended(event.experiment_id)
        for n, key in enumerate(changes.promoted):
            experiment_id, bracket, rung, trial = key
            if has_barriers(self._spec(experiment_id)):
                best = best_of_rung(
                    self._store, self._spec(experiment_id), (experiment_id, bracket, rung), changes.new_results
                )
                assert best is not None, (
                    f"trial {trial} was promoted from rung {rung} of bracket {bracket}, which waits"
                )
                assert trial in best, f"trial {trial} was promoted from rung {rung} of bracket {bracket}, not {best}"
            if not isinstance(self._spec(experiment_id).searcher, AsynchronousSearcher):
                continue
            entered = [r for r in changes.new_results if (r.experiment_id, r.bracket_id, r.rung_id) == key[:3]]
            seen = [r for k, r in self._store.results.items() if k[:3] == key[:3]]
            moments = (seen + entered[:n] for n in range(len(entered) + 1))
            deserved = any(self._passes(results, experiment_id, trial) for results in moments)
            deserved = deserved or self._wins(key, changes, changes.promoted[:n])
            assert deserved, f"trial {trial} was promoted from rung {rung} of bracket {bracket} without being on top"

    def _extended(self, experiment_id: int) -> None:
        """I6: only what was completed goes on, and of its trials only those that its end stopped."""
        before = self._store.experiments[experiment_id]
        if not ExperimentState(before.state).ended:
            return
        assert before.state == ExperimentState.COMPLETED, f"I6: it goes on: {before}"
        self._ended.pop((experiment_id,), None)
        own = [(key, row) for key, row in self._store.checkpoints.items() if key[0] == experiment_id]
        kept = {key[:2] for key, row in own if row.delete_time is None}
        self._given_up |= {row.uri for _, row in own if row.delete_time is not None}
        for key, trial in self._store.trials.items():
            if key[0] == experiment_id and trial.state == TrialState.STOPPED:
                waits = (experiment_id, trial.bracket_id, trial.rung_id, trial.trial_id) in self._store.results
                if waits and key not in kept:
                    self._left.add(key)
                else:
                    self._may_go_on.add(key)
                    self._ended.pop(key, None)

    def _passes(self, results: Iterable[RungResultRow], experiment_id: int, trial: int) -> bool:
        spec = self._spec(experiment_id)
        assert isinstance(spec.searcher, AsynchronousSearcher)
        ranked = sorted((_rank(row, spec), row.trial_id) for row in results)
        passing = math.floor(len(ranked) / spec.searcher.eta)
        if spec.searcher.stop_once:
            passing = max(1, passing)
        return any(t == trial and metric < math.inf for metric, t in ranked[:passing])

    def _wins(self, key: Key, changes: Changes, before: Sequence[Key]) -> bool:
        """Whether the trial was its bracket's winner at some moment of the batch, after these promotions."""
        entered = [r for r in changes.new_results if (r.experiment_id, r.bracket_id) == key[:2]]
        seen = [r for k, r in self._store.results.items() if k[:2] == key[:2]]
        promoted = {k for k, row in self._store.results.items() if row.promoted} | set(before)
        elsewhere = sum(
            (r.experiment_id, r.rung_id) == (key[0], 0) and r.bracket_id != key[1] for r in changes.new_results
        )
        moments = (seen + entered[:n] for n in range(len(entered) + 1))
        return any(self._winner(key[0], key[1], results, promoted, elsewhere) == key[2:] for results in moments)

    def _winner(
        self,
        experiment_id: int,
        bracket: int,
        results: Iterable[RungResultRow],
        promoted: Collection[Key],
        elsewhere: int = 0,
    ) -> Key | None:
        """The rung and the trial that goes on so that its bracket ends with one trained in full; `elsewhere` trials
        came to the lowest rungs of the other brackets in this batch."""
        spec = self._spec(experiment_id)
        assert isinstance(spec.searcher, AsynchronousSearcher)
        rungs = [[] for key in self._store.rungs if key[:2] == (experiment_id, bracket)]
        for row in results:
            rungs[row.rung_id].append(row)
        went_on = [[(experiment_id, bracket, k, row.trial_id) in promoted for row in r] for k, r in enumerate(rungs)]
        if spec.searcher.stop_once or [*map(sum, went_on[:-1])] != [len(rung) for rung in rungs[1:]]:
            return None
        if not self._all_in(experiment_id, bracket, len(rungs[0]), elsewhere):
            return None
        if any(row.metric is not None for row in rungs[-1]):
            return None
        for k in reversed(range(len(rungs) - 1)):
            here = zip(rungs[k], went_on[k], strict=True)
            waiting = [row for row, gone in here if row.metric is not None and not gone and not self._is_left(row)]
            if waiting:
                return k, min((_rank(row, spec), row.trial_id) for row in waiting)[1]
        return None

    def _all_in(self, experiment_id: int, bracket: int, entered: int, elsewhere: int) -> bool:
        """Whether all trials of the bracket, or of all that share a pool, have come to their lowest rung: of the other
        brackets' those that are stored, and `elsewhere` more."""
        searcher = self._spec(experiment_id).searcher
        if not (isinstance(searcher, AdaptiveAshaSpec) and searcher.mode == "learned"):
            return entered == self._store.brackets[experiment_id, bracket].max_trials
        first = [key for key in self._store.results if (key[0], key[2]) == (experiment_id, 0)]
        made = sum(row.max_trials for key, row in self._store.brackets.items() if key[0] == experiment_id)
        return entered == made - elsewhere - sum(key[1] != bracket for key in first)

    def _is_left(self, row: RungResultRow) -> bool:
        return (row.experiment_id, row.trial_id) in self._left

    def _spec(self, experiment_id: int) -> Spec:
        if experiment_id not in self._specs:
            for row in self._store.experiments.values():
                self._specs.setdefault(row.experiment_id, spec_from_json(row.spec))
        return self._specs[experiment_id]

    def acknowledged(self, event: LeaseEvent) -> None:
        """A worker was told that this event is durable."""
        self._acknowledged[event.lease, event.sequence] = event
        self._news.append((event.lease, event.sequence))

    def forget_experiment(self, experiment_id: int) -> None:
        """A person deleted the experiment, with everything that was acknowledged."""
        self._acknowledged = {k: v for k, v in self._acknowledged.items() if k[0].experiment_id != experiment_id}
        self._news = [key for key in self._news if key[0].experiment_id != experiment_id]
        self._ended = {k: v for k, v in self._ended.items() if k[0] != experiment_id}

    def check_all_acknowledged(self) -> None:
        """I7 once more, for everything that was ever acknowledged."""
        self._news = list(self._acknowledged)
        self.check()

    def check(self) -> None:
        """Raises AssertionError where the stored rows do not hold together."""
        self._check_leases()
        self._check_rungs()
        self._check_counters()
        self._check_sequences()
        self._check_ended()
        self._check_checkpoints()
        self._check_hparams()

    def _check_hparams(self) -> None:
        """A trial has hyperparameters and an origin, or waits for both, and then nobody has ever trained it."""
        for trial in self._store.trials.values():
            assert (trial.hparams is None) == (not trial.origin), f"hyperparameters without origin, or without: {trial}"
            untouched = trial.token == 0 and trial.state not in (TrialState.RUNNING, TrialState.COMPLETED)
            assert trial.origin or untouched, f"trained without hyperparameters: {trial}"

    def _check_leases(self) -> None:
        tokens: dict[tuple[int, int], list[int]] = defaultdict(list)
        held: Counter[tuple[int, int]] = Counter()
        for (experiment_id, trial_id, token), lease in self._store.leases.items():
            tokens[experiment_id, trial_id].append(token)
            held[experiment_id, trial_id] += lease.end_time is None
        for key, trial in self._store.trials.items():
            assert sorted(tokens[key]) == list(range(1, trial.token + 1)), f"I2: tokens {tokens[key]} of {trial}"
            assert held[key] <= 1, f"I1: {held[key]} holders of {trial}"
            assert trial.state != TrialState.RUNNING or held[key] == 1, f"I9: nobody trains {trial}"
            assert not held[key] or self._store.leases[(*key, trial.token)].end_time is None, f"I1: {trial}"

    def _check_rungs(self) -> None:
        climbed: dict[tuple[int, int], list[int]] = defaultdict(list)
        by_rung: dict[tuple[int, int, int], list[RungResultRow]] = defaultdict(list)
        for key, result in sorted(self._store.results.items()):
            climbed[key[0], key[3]].append(key[2])
            by_rung[key[:3]].append(result)
        for key, rungs in climbed.items():
            first = 0 if self._store.trials[key].parent is None else rungs[0]
            assert rungs == list(range(first, first + len(rungs))), f"I2, I3: trial {key} entered rungs {rungs}"
            assert rungs[-1] <= self._store.trials[key].rung_id, f"I2: trial {key} is below a rung that it entered"
            for rung in rungs[:-1]:
                row = self._store.results[key[0], self._store.trials[key].bracket_id, rung, key[1]]
                assert row.promoted, f"I4: trial {key} climbed from rung {rung} without a promotion"
        for key, rung in self._store.rungs.items():
            self._check_rung(rung, by_rung[key])

    def _check_rung(self, rung: RungRow, results: list[RungResultRow]) -> None:
        finite = [result.metric for result in results if result.metric is not None]
        best = min if self._spec(rung.experiment_id).metric.goal == "minimize" else max
        expected = replace(
            rung,
            entered=len(results),
            promoted=sum(result.promoted for result in results),
            failed=len(results) - len(finite),
            best_metric=best(finite, default=None),
        )
        assert rung == expected, f"counters: {rung}, not {expected}"

    def _check_counters(self) -> None:
        states: dict[int, Counter[str]] = defaultdict(Counter)
        created: Counter[tuple[int, int]] = Counter()
        for (experiment_id, _), trial in self._store.trials.items():
            states[experiment_id][trial.state] += 1
            created[experiment_id, trial.bracket_id] += trial.state != TrialState.DISCARDED
        furthest: dict[tuple[int, int], int] = defaultdict(int)
        for key, report in self._store.reports.items():
            furthest[key[:2]] = max(furthest[key[:2]], report.resource)
        for experiment_id, row in self._store.experiments.items():
            counts = {state: n for state, n in row.counts.items() if n}
            assert counts == states[experiment_id], f"counts {counts}, trials {states[experiment_id]}"
            trials = {key: trial for key, trial in self._store.trials.items() if key[0] == experiment_id}
            spent = sum(max(furthest[key] - trial.start_resource, 0) for key, trial in trials.items())
            assert row.resource_spent == spent, f"spent {row.resource_spent}, reported {spent}"
        for key, bracket in self._store.brackets.items():
            assert bracket.trials_created == created[key], f"{bracket}, trials {created[key]}"
            searcher = self._spec(key[0]).searcher
            if not (isinstance(searcher, AdaptiveAshaSpec) and searcher.mode == "learned"):
                assert bracket.trials_created <= bracket.max_trials, f"more trials than planned: {bracket}"

    def _check_sequences(self) -> None:
        sequences: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for table in (self._store.reports, self._store.checkpoints):
            for key in table:
                if key[0] in self._store.experiments:
                    sequences[key[:3]].append(key[3])
        for key, found in sequences.items():
            assert sorted(found) == list(range(1, len(found) + 1)), f"events of lease {key}: {found}"
        for ref, sequence in self._news:
            event = self._acknowledged[ref, sequence]
            self._check_stored((ref.experiment_id, ref.trial_id, ref.token), sequence, event)
        self._news = []

    def _check_stored(self, lease: tuple[int, int, int], sequence: int, event: LeaseEvent) -> None:
        what = event.event
        if isinstance(what, Measurement):
            row = self._store.reports.get((*lease, sequence))
            stored = row is not None and row.resource == what.resource and _same(row.metrics, what.metrics)
        elif isinstance(what, CheckpointSaved):
            saved = self._store.checkpoints.get((*lease, sequence))
            stored = saved is not None and saved.uri.endswith(f"/{what.path}")
        else:
            assert isinstance(what, Exit)
            row = self._store.leases[lease]
            stored = row.end_time is not None and row.outcome == what.outcome and row.last_sequence == sequence
        assert stored, f"I7: {event} was acknowledged and is not stored"

    def _check_ended(self) -> None:
        live = {row.experiment_id for row in self._store.experiments.values() if not ExperimentState(row.state).ended}
        live |= self._store.endings
        for experiment_id, row in self._store.experiments.items():
            if ExperimentState(row.state).ended:
                assert self._ended.setdefault((experiment_id,), row.state) == row.state, f"I6: {row}"
                assert row.end_time is not None
                self._check_top_fraction_went_on(row)
        for key, trial in self._store.trials.items():
            if TrialState(trial.state).ended:
                assert trial.end_time is not None
                if trial.state != TrialState.STOPPED or key not in self._may_go_on or key[0] not in live:
                    assert self._ended.setdefault(key, trial.state) == trial.state, f"I6: {trial}"
                    self._may_go_on.discard(key)
            else:
                assert key not in self._ended, f"I6: {trial} had ended"
                assert key[0] in live, f"I9: its experiment has ended: {trial}"
        for key, lease in self._store.leases.items():
            assert lease.end_time is not None or key[0] in live, f"held, but its experiment has ended: {lease}"
        assert all(ExperimentState(self._store.experiments[i].state).ended for i in self._store.endings)

    def _check_top_fraction_went_on(self, row: ExperimentRow) -> None:
        """I4, the other half: when a search has ended by itself, everything that deserved a promotion had it."""
        searcher = self._spec(row.experiment_id).searcher
        if row.state == ExperimentState.COMPLETED and has_barriers(self._spec(row.experiment_id)):
            check_all_went_on(self._store, self._spec(row.experiment_id), row.experiment_id)
        if row.state != ExperimentState.COMPLETED or not isinstance(searcher, AsynchronousSearcher):
            return
        if searcher.stop_once:
            return
        tops = {key[1]: key[2] for key in sorted(self._store.rungs) if key[0] == row.experiment_id}
        for key in self._store.rungs:
            if key[0] == row.experiment_id and key[2] < tops[key[1]]:
                results = [r for k, r in self._store.results.items() if k[:3] == key]
                for result in results:
                    top = self._passes(results, row.experiment_id, result.trial_id)
                    assert result.promoted or not top or self._is_left(result), f"I4: {result} was left behind"
        for bracket in tops:
            results = [r for k, r in self._store.results.items() if k[:2] == (row.experiment_id, bracket)]
            promoted = {k for k, r in self._store.results.items() if r.promoted}
            winner = self._winner(row.experiment_id, bracket, results, promoted)
            assert winner is None, f"I4: the winner {winner} of bracket {bracket} was left behind"

    def _check_checkpoints(self) -> None:
        broken = {uri for event in self._store.events for uri in event.data.get("uris", ())}
        newest: dict[tuple[int, int], tuple[tuple[int, int, int], float | None]] = {}
        for key, row in self._store.checkpoints.items():
            if row.uri in broken or row.uri in self._given_up:
                continue
            order = (row.resource, row.token, row.sequence)
            newest[key[:2]] = max(newest.get(key[:2], ((-1, 0, 0), None)), (order, row.delete_time), key=lambda n: n[0])
            assert not row.deleted or row.delete_time is not None, f"deleted, but needed: {row}"
        for trial in self._store.trials.values():
            if trial.start_uri:
                (row,) = (row for row in self._store.checkpoints.values() if row.uri == trial.start_uri)
                assert row.delete_time is None, f"it is given up, and another trial starts from it: {row}"
                assert row.resource == trial.start_resource < trial.target, f"{trial} does not start from {row}"
        for key, (order, delete_time) in newest.items():
            trial = self._store.trials.get(key)
            if trial is not None and not TrialState(trial.state).ended and delete_time is not None:
                # Two that were newer stayed then, and turned out to be broken since.
                rows = (row for other, row in self._store.checkpoints.items() if other[:2] == key)
                newer = [row for row in rows if (row.resource, row.token, row.sequence) > order]
                since = sum(row.create_time <= delete_time for row in newer)
                assert since >= 2, f"the newest checkpoint was given up: {trial}"


def check_memory(core: Core, rebuilt: Core) -> None:
    """Raises AssertionError where a core contradicts itself, or (I8) the one rebuilt from the database."""
    for ending in core.endings.by_experiment.values():
        ending._records.check()
    for experiment in core.experiments.values():
        experiment.records.check()
        experiment.searcher.check()
        _check_no_orphan(experiment)
    live, anew = memory(core), memory(rebuilt)
    assert live == anew, "I8: in memory and rebuilt from the database differ\n" + "\n".join(_differences(live, anew))


def _check_no_orphan(experiment: LiveExperiment) -> None:
    """I9: a pending trial is either ready, once, or will be when its lease ends or its hyperparameters are there."""
    records = experiment.records
    pending = {t.trial_id for t in records.trials.values() if t.state == TrialState.PENDING}
    waiting = records.leases.keys() | records.awaiting.keys()
    assert sorted(experiment.ready) == sorted(pending - waiting), f"I9: {experiment.ready} {pending}"
    assert records.awaiting.keys() <= pending - records.leases.keys(), f"I9: {records.awaiting} {pending}"


def memory(core: Core) -> dict[str, Any]:
    """I8: everything of a core that a rebuilt one must have too."""
    return {
        "experiments": {i: _experiment(e) for i, e in core.experiments.items()},
        "endings": {i: _rows(e._records) for i, e in core.endings.by_experiment.items()},
        "leaving": core._leaving,
        "leases": {s.session_id: (s.leases, s.answered) for s in core.sessions.values() if s.leases},
    }


def _experiment(experiment: LiveExperiment) -> dict[str, Any]:
    return _rows(experiment.records) | {
        "ready": sorted(experiment.ready),
        "searcher": _searcher(experiment.searcher),
    }


def _rows(records: ExperimentRecords) -> dict[str, Any]:
    return {
        "row": records.row,
        "brackets": records.brackets,
        "rungs": records.rungs,
        "trials": records.trials,
        "leases": records.leases,
        "checkpoints": {k: v for k, v in records.checkpoints.by_trial.items() if v},
        "starts": records.checkpoints.starts,
        "completed": records.completed,
        "awaiting": [*records.awaiting],
        "best": records.ranking.best(),
    }


#: What a searcher knows of its own past, and nobody depends on.
_PASSING = {"_ran", "_grid"}


def _plain(value: Any) -> Any:
    """An object as what it holds, all the way down, so that two of them can be compared."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | SortedList):
        return [_plain(each) for each in value]
    if not hasattr(value, "__dict__") or isinstance(value, type | Enum):
        return value
    return {name: _plain(each) for name, each in vars(value).items() if name not in _PASSING}


def _searcher(searcher: Any) -> Any:
    if isinstance(searcher, SynchronousHalving):
        return memory_of(searcher)
    if not isinstance(searcher, AdaptiveAsha):
        return _plain(searcher)
    return [
        (
            b.plan,
            b.created,
            b.running,
            [(list(r.results()), list(r.candidates()), r._overshoot, r._left) for r in b.rungs],
        )
        for b in searcher._brackets
    ], searcher._next_trial


def _differences(live: Any, anew: Any, path: str = "") -> Iterable[str]:
    if isinstance(live, dict) and isinstance(anew, dict):
        for key in sorted(live.keys() | anew.keys(), key=str):
            yield from _differences(live.get(key), anew.get(key), f"{path}[{key!r}]")
    elif live != anew:
        yield f"{path}: {live!r} and {anew!r}"


def _rank(row: RungResultRow, spec: Spec) -> float:
    if row.metric is None:
        return math.inf
    return row.metric if spec.metric.goal == "minimize" else -row.metric


def _same(stored: Any, sent: Any) -> bool:
    return stored.keys() == sent.keys() and all(
        stored[k] == sent[k] or (math.isnan(stored[k]) and math.isnan(sent[k])) for k in sent
    )
