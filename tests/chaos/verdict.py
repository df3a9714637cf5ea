"""What the tables say in the end, held against what the workers saw acknowledged and what was really trained."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, select

from rungmaster.master.ledger.engine import parse_database, reading_engine
from rungmaster.master.ledger.schema import tables

from .specs import HASTY, MARATHON, UNDRAWABLE, UNREADABLE, WAYS_TO_BE_WRONG, WRONG

Key = tuple[Any, ...]
LEASE = ("experiment_id", "trial_id", "token")


@dataclass
class Verdict:
    """Counts for people, and everything that should not be."""

    acknowledged: int = 0
    reports: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    double_owners: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    #: Epochs that were trained again because the training after the last checkpoint was lost.
    trained: int = 0
    trained_again: int = 0
    #: Experiments that nobody can run.
    wrong: int = 0
    #: Experiments whose stored spec was damaged.
    damaged: int = 0
    #: Broken checkpoints that workers found, and trained on from others.
    passed_over: int = 0
    leases: Counter[str] = field(default_factory=Counter)

    @property
    def problems(self) -> list[str]:
        """Everything that should not be."""
        return [*self.lost, *self.duplicated, *self.double_owners, *self.others]


@dataclass(frozen=True)
class Evidence:
    """All that there is to hold against each other."""

    acknowledged: list[dict[str, Any]]
    trained: list[dict[str, Any]]
    rows: dict[str, list[Row[Any]]]
    #: Checkpoints that were damaged, by their addresses.
    broken: frozenset[str] = frozenset()

    def of(self, *names: str) -> Evidence:
        """What there is about the experiments of these names."""
        numbers = {row.experiment_id for row in self.rows["experiments"] if row.name in names}

        def chosen(name: str, rows: list[Row[Any]]) -> list[Row[Any]]:
            return rows if name == "workers" else [row for row in rows if row.experiment_id in numbers]

        return Evidence(
            [entry for entry in self.acknowledged if entry["lease"][0] in numbers],
            [entry for entry in self.trained if entry["lease"][0] in numbers],
            {name: chosen(name, rows) for name, rows in self.rows.items()},
            self.broken,
        )


def gather(url: str, acknowledged: Path, epochs: Path, broken: frozenset[str] = frozenset()) -> Evidence:
    """Reads the database and the files."""
    database = parse_database(url)
    engine = reading_engine(database, 30)
    wanted = ("experiments", "brackets", "rungs", "rung_results", "trials", "leases", "reports", "checkpoints")
    with engine.connect() as connection:
        rows = {name: _all(connection, tables.metadata.tables[name]) for name in (*wanted, "workers")}
        events = tables.metadata.tables["events"]
        rows["events"] = _all(connection, events, events.c.kind.in_(("experiment_paused", "checkpoint_broken")))
    engine.dispose()
    return Evidence(list(_lines(acknowledged)), list(_lines(epochs)), rows, broken)


def _all(connection: Connection, table: Table, where: ColumnElement[bool] | None = None) -> list[Row[Any]]:
    rows = select(table).order_by(*table.primary_key)
    return list(connection.execute(rows if where is None else rows.where(where)))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            yield entry | {"lease": (entry["experiment"], entry["trial"], entry["token"])}


def judge(everything: Evidence) -> Verdict:
    """Checks everything; of what nobody can run or draw from, that it has failed; of what was cancelled, that it has
    ended; of what cannot be read, that it was paused before."""
    evidence, wrong, hasty = everything.of(MARATHON), everything.of(WRONG), everything.of(HASTY)
    unreadable, undrawable = everything.of(UNREADABLE), everything.of(UNDRAWABLE)
    verdict = Verdict(len(evidence.acknowledged), len(evidence.rows["reports"]))
    verdict.leases = Counter(row.outcome or "held" for row in evidence.rows["leases"])
    trained = [entry for entry in evidence.trained if entry["what"] == "epoch"]
    verdict.trained = len(trained)
    verdict.trained_again = len(trained) - len({(*e["lease"][:2], e["resource"]) for e in trained})
    verdict.lost += _lost(evidence)
    verdict.duplicated += _duplicated(evidence)
    verdict.double_owners += [*_overlapping(evidence), *_trained_twice(evidence)]
    checks = (
        _reports_outside,
        _gaps,
        _order,
        _unknown_training,
        _trials,
        _rungs,
        _unpromoted,
        _experiments,
        _passed_over,
    )
    for check in checks:
        verdict.others += check(evidence)
    verdict.passed_over = sum(len(uris) for _, uris in _broken(evidence))
    verdict.lost += _lost(wrong)
    verdict.others += _not_failed(wrong)
    verdict.wrong = len(wrong.rows["experiments"])
    for ended_early in (hasty, unreadable, undrawable):
        verdict.lost += _lost(ended_early)
        verdict.duplicated += _duplicated(ended_early)
        verdict.double_owners += [*_overlapping(ended_early), *_trained_twice(ended_early)]
        verdict.others += [*_reports_outside(ended_early), *_gaps(ended_early), *_trials_left(ended_early)]
    verdict.others += [*_not_cancelled(hasty), *_not_cancelled(unreadable), *_not_paused(unreadable)]
    verdict.others += _drawn(undrawable)
    verdict.damaged = len(unreadable.rows["experiments"]) + len(undrawable.rows["experiments"])
    return verdict


def _lease(row: Row[Any]) -> Key:
    return row.experiment_id, row.trial_id, row.token


def _lost(evidence: Evidence) -> Iterator[str]:
    """Every acknowledged event is in the tables as it was sent."""
    reports = {(*_lease(row), row.sequence): row for row in evidence.rows["reports"]}
    checkpoints = {(*_lease(row), row.sequence): row for row in evidence.rows["checkpoints"]}
    leases = {_lease(row): row for row in evidence.rows["leases"]}
    for entry in evidence.acknowledged:
        key = (*entry["lease"], entry["sequence"])
        if entry["kind"] == "measurement":
            row = reports.get(key)
            if row is None or (row.resource, row.metrics) != (entry["resource"], entry["metrics"]):
                yield f"acknowledged report {key} is {row}"
        elif entry["kind"] == "checkpoint":
            row = checkpoints.get(key)
            if row is None or row.resource != entry["resource"] or not row.uri.endswith(f"/{entry['path']}"):
                yield f"acknowledged checkpoint {key} is {row}"
        elif leases[entry["lease"]].outcome != entry["outcome"]:
            yield f"acknowledged exit {key} ({entry['outcome']}) is {leases[entry['lease']]}"


def _duplicated(evidence: Evidence) -> Iterator[str]:
    """Under each lease each epoch is reported at most as often as it was trained, and with what was measured."""
    measured = {(*e["lease"], e["resource"]): e["error"] for e in evidence.trained if e["what"] == "epoch"}
    seen: set[Key] = set()
    for row in evidence.rows["reports"]:
        key = (*_lease(row), row.resource)
        if key in seen:
            yield f"report {key} is there twice"
        seen.add(key)
        if row.metrics != {"error": measured.get(key)}:
            yield f"report {key} says {row.metrics}, the training said {measured.get(key)}"


def _overlapping(evidence: Evidence) -> Iterator[str]:
    """A trial's leases have tokens 1, 2, 3, … and none begins before the one before it has ended."""
    before: Row[Any] | None = None
    for row in evidence.rows["leases"]:
        same = before is not None and _lease(before)[:2] == _lease(row)[:2]
        if row.token != (before.token + 1 if same and before is not None else 1):
            yield f"lease {_lease(row)} follows {before and _lease(before)}"
        if same and before is not None and (before.end_time is None or before.end_time > row.start_time):
            yield f"lease {_lease(row)} began at {row.start_time}, the one before ended at {before.end_time}"
        before = row


def _trained_twice(evidence: Evidence) -> Iterator[str]:
    """Each lease was trained by at most one process, and by the worker that held it."""
    pids = {row.session_id: row.pid for row in evidence.rows["workers"]}
    holders = {_lease(row): pids.get(row.session_id) for row in evidence.rows["leases"]}
    started: dict[Key, dict[str, Any]] = {}
    for entry in evidence.trained:
        if entry["what"] != "start":
            continue
        lease = entry["lease"]
        if lease in started:
            yield f"lease {lease} was trained by processes {started[lease]['pid']} and {entry['pid']}"
        if holders.get(lease) not in entry["ancestors"]:
            yield f"lease {lease} was trained under {entry['ancestors']}, and held by {holders.get(lease)}"
        started[lease] = entry


def _reports_outside(evidence: Evidence) -> Iterator[str]:
    """Reports and checkpoints were taken only while their lease was held."""
    leases = {_lease(row): row for row in evidence.rows["leases"]}
    stamped = [(row, row.receive_time) for row in evidence.rows["reports"]]
    stamped += [(row, row.create_time) for row in evidence.rows["checkpoints"]]
    for row, taken in stamped:
        lease = leases.get(_lease(row))
        if lease is None or not lease.start_time <= taken <= (lease.end_time or taken):
            yield f"event {(*_lease(row), row.sequence)} was taken at {taken}, its lease is {lease}"


def _gaps(evidence: Evidence) -> Iterator[str]:
    """The events of a lease are numbered without a gap, and each number is one event."""
    numbers: defaultdict[Key, list[int]] = defaultdict(list)
    for row in (*evidence.rows["reports"], *evidence.rows["checkpoints"]):
        numbers[_lease(row)].append(row.sequence)
    for lease, found in numbers.items():
        if sorted(found) != list(range(1, len(found) + 1)):
            yield f"the events of lease {lease} are numbered {sorted(found)}"


def _order(evidence: Evidence) -> Iterator[str]:
    """By their commits, the reports of a lease come as it sent them, and none before one that was taken earlier."""
    last: dict[Key, int] = {}
    taken = 0.0
    for row in sorted(evidence.rows["reports"], key=lambda row: (row.commit_id, *_lease(row), row.sequence)):
        if not row.commit_id or row.sequence <= last.get(_lease(row), 0) or row.receive_time < taken:
            yield f"report {(*_lease(row), row.sequence)} of commit {row.commit_id} is out of order"
        last[_lease(row)], taken = row.sequence, row.receive_time


def _unknown_training(evidence: Evidence) -> Iterator[str]:
    """Nothing was trained under a lease that the ledger does not know."""
    known = {_lease(row) for row in evidence.rows["leases"]}
    for lease in {entry["lease"] for entry in evidence.trained} - known:
        yield f"lease {lease} was trained and is not in the ledger"


def _trials(evidence: Evidence) -> Iterator[str]:
    """Every trial is final, none is taken for poison or broken, and its counters agree with its leases and reports."""
    furthest: Counter[Key] = Counter()
    for row in evidence.rows["reports"]:
        furthest[_lease(row)[:2]] = max(furthest[_lease(row)[:2]], row.resource)
    failures = Counter(_lease(row)[:2] for row in evidence.rows["leases"] if row.outcome == "failed")
    for row in evidence.rows["trials"]:
        key = (row.experiment_id, row.trial_id)
        if row.state not in ("completed", "stopped"):
            yield f"trial {key} is {row.state}: {row.state_reason}"
        if row.resource != max(furthest[key], row.start_resource):
            yield f"trial {key} stands at {row.resource}, its reports at {furthest[key]}"
        if row.restarts != failures[key]:
            yield f"trial {key} counts {row.restarts} restarts, its leases {failures[key]} failures"


def _rungs(evidence: Evidence) -> Iterator[str]:
    """Rungs count what is in them, and what was promoted from one is what entered the next."""
    results: defaultdict[Key, list[Row[Any]]] = defaultdict(list)
    for row in evidence.rows["rung_results"]:
        results[row.experiment_id, row.bracket_id, row.rung_id].append(row)
    lowest: dict[Key, int] = {}
    for row in evidence.rows["rung_results"]:
        trial = (row.experiment_id, row.bracket_id, row.trial_id)
        lowest[trial] = min(lowest.get(trial, row.rung_id), row.rung_id)
    begun: defaultdict[Key, set[int]] = defaultdict(set)
    for row in evidence.rows["trials"]:
        if row.parent is not None:
            bracket = (row.experiment_id, row.bracket_id)
            begun[*bracket, lowest.get((*bracket, row.trial_id), row.rung_id)].add(row.trial_id)
    for rung in evidence.rows["rungs"]:
        key = (rung.experiment_id, rung.bracket_id, rung.rung_id)
        inside = results[key]
        promoted = {row.trial_id for row in inside if row.promoted}
        if (rung.entered, rung.promoted, rung.failed) != (len(inside), len(promoted), 0):
            yield f"rung {key} counts {rung}, in it are {len(inside)}, promoted {len(promoted)}"
        # A trial that starts from another's checkpoint begins above the rungs that the other has passed.
        above = {row.trial_id for row in results[*key[:2], key[2] + 1]} - begun[*key[:2], key[2] + 1]
        if above != promoted:
            yield f"from rung {key} were promoted {sorted(promoted)}, and into the next came {sorted(above)}"


def _unpromoted(evidence: Evidence) -> Iterator[str]:
    """At the end of a search the best third of every rung but the last has been promoted; in a population the worst of
    all latest results are replaced instead."""
    populations = {r.experiment_id for r in evidence.rows["experiments"] if r.spec["searcher"]["name"] == "pbt"}
    top = Counter[Key]()
    for rung in evidence.rows["rungs"]:
        top[rung.experiment_id, rung.bracket_id] = max(top[rung.experiment_id, rung.bracket_id], rung.rung_id)
    inside: defaultdict[Key, list[Row[Any]]] = defaultdict(list)
    for row in evidence.rows["rung_results"]:
        if row.rung_id < top[row.experiment_id, row.bracket_id] and row.experiment_id not in populations:
            inside[row.experiment_id, row.bracket_id, row.rung_id].append(row)
    for key, rows in inside.items():
        best = sorted(rows, key=lambda row: (row.metric, row.trial_id))[: len(rows) // 3]
        for row in best:
            if not row.promoted:
                yield f"trial {row.trial_id} is in the best third of rung {key} and was not promoted"


def _not_failed(evidence: Evidence) -> Iterator[str]:
    """What nobody can run has failed, and says why."""
    reasons = [told for _, told in WAYS_TO_BE_WRONG.values()]
    for row in evidence.rows["experiments"]:
        if row.state != "failed" or not any(told in row.state_reason for told in reasons):
            yield f"experiment {row.experiment_id}, which nobody can run, is {row.state}: {row.state_reason}"
    for row in evidence.rows["trials"]:
        if row.state not in ("failed", "cancelled"):
            yield f"trial {row.trial_id} of an experiment that nobody can run is {row.state}"


def _not_cancelled(evidence: Evidence) -> Iterator[str]:
    """What was cancelled has ended."""
    for row in evidence.rows["experiments"]:
        if row.state not in ("cancelled", "completed"):
            yield f"experiment {row.experiment_id}, which was cancelled, is {row.state}"


def _trials_left(evidence: Evidence) -> Iterator[str]:
    """What has ended before its search had ended, has ended with all its trials and leases."""
    for row in evidence.rows["trials"]:
        if row.state not in ("cancelled", "stopped", "completed"):
            yield f"trial {row.trial_id} of experiment {row.experiment_id}, which was cut short, is {row.state}"
    for row in evidence.rows["leases"]:
        if row.outcome is None:
            yield f"lease {_lease(row)} of an experiment that was cut short is held"


def _not_paused(evidence: Evidence) -> Iterator[str]:
    """What cannot be read was paused, for all to see why."""
    told = {
        row.experiment_id
        for row in evidence.rows["events"]
        if row.kind == "experiment_paused" and "this version refuses its spec: " in row.data["reason"]
    }
    for row in evidence.rows["experiments"]:
        if row.experiment_id not in told:
            yield f"experiment {row.experiment_id}, whose spec cannot be read, was never paused for it"


def _drawn(evidence: Evidence) -> Iterator[str]:
    """What nothing can be drawn from has failed, and says so."""
    for row in evidence.rows["experiments"]:
        if row.state != "failed" or "no hyperparameters could be drawn for trial" not in row.state_reason:
            number = row.experiment_id
            yield f"experiment {number}, which nothing can be drawn from, is {row.state}: {row.state_reason}"


def _broken(evidence: Evidence) -> Iterator[tuple[Key, list[str]]]:
    """The leases whose worker found broken checkpoints, and which."""
    for row in evidence.rows["events"]:
        if row.kind == "checkpoint_broken":
            yield (row.experiment_id, row.trial_id, row.data["token"]), row.data["uris"]


def _passed_over(evidence: Evidence) -> Iterator[str]:
    """Only what was damaged was found broken, and from a whole checkpoint beside it the training went on."""
    started = {entry["lease"]: entry["resource"] for entry in evidence.trained if entry["what"] == "start"}
    whole: defaultdict[Key, set[int]] = defaultdict(set)
    for row in evidence.rows["checkpoints"]:
        if row.uri not in evidence.broken:
            whole[_lease(row)[:2]].add(row.resource)
    for row in sorted(evidence.rows["trials"], key=lambda row: row.trial_id):
        if row.parent is not None:
            # It may start from its parent's, from what that one started from, or where all are broken from nothing.
            whole[row.experiment_id, row.trial_id] |= whole[row.experiment_id, row.parent] | {0}
    for lease, uris in _broken(evidence):
        for uri in {*uris} - evidence.broken:
            yield f"checkpoint {uri} was found broken under lease {lease}, and nobody had damaged it"
        if lease in started and started[lease] not in whole[lease[:2]]:
            yield f"lease {lease} went on from {started[lease]}, the whole checkpoints are of {whole[lease[:2]]}"


def _experiments(evidence: Evidence) -> Iterator[str]:
    """Every search has completed, with all its trials, and its counters agree with its trials."""
    for row in evidence.rows["experiments"]:
        its: Iterable[Row[Any]] = [t for t in evidence.rows["trials"] if t.experiment_id == row.experiment_id]
        counts = Counter(trial.state for trial in its)
        if row.state != "completed":
            yield f"experiment {row.experiment_id} is {row.state}: {row.state_reason}"
        if {state: n for state, n in row.counts.items() if n} != counts:
            yield f"experiment {row.experiment_id} counts {row.counts}, its trials are {counts}"
        if row.resource_spent != sum(trial.resource - trial.start_resource for trial in its):
            yield f"experiment {row.experiment_id} counts {row.resource_spent} spent, not what its trials were trained"
        planned = sum(b.max_trials for b in evidence.rows["brackets"] if b.experiment_id == row.experiment_id)
        children = sum(trial.parent is not None for trial in its)
        # How many take the place of others depends on the results; each of the first ones is made.
        if row.spec["searcher"]["name"] == "pbt":
            planned = row.spec["searcher"]["population"] + children
        if len(list(its)) != planned:
            yield f"experiment {row.experiment_id} has {len(list(its))} trials of {planned}"
