"""The numbers of a master as Prometheus wants them: names, units, labels and one line of help for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from ...shared.version import __version__
from ...shared.wire.model import ExperimentState, TrialState, WorkerState
from ..dispatcher.census import Census
from ..dispatcher.measures import BUCKETS_S
from ..ledger.read.queries.overview import ACTIONS, OUTCOMES, ExperimentTotals, Overview
from ..sampling.programs import SamplerPrograms

_EXPERIMENT = ("experiment", "name")


class Committed(NamedTuple):
    """What the writer has counted so far: see dispatcher/measures.py."""

    reports: int
    refused_batches: int
    batches: list[int]
    total_s: float


@dataclass(frozen=True, slots=True)
class MasterSnapshot:
    """What is known of a master at one moment. None stands for what could not be learnt in time.

    `certificate_expires_at` is the time (Unix) from which on callers refuse the certificate. `events` has all that were
    counted since the master's start, by kind and detail, as the overview has them.
    """

    serving: bool
    term: int = 0
    takes_writes: bool = False
    queued: int = 0
    committed: Committed | None = None
    census: Census | None = None
    overview: Overview | None = None
    samplers: SamplerPrograms | None = None
    certificate_expires_at: float | None = None
    events: Mapping[tuple[str, str], int] | None = None


def families(of: MasterSnapshot) -> Iterator[Metric]:
    """All that is told. Of a standby, and of what could not be learnt, there is nothing: a gap, and not a 0."""
    build = GaugeMetricFamily("rungmaster_build_info", "The version of this master; always 1.", labels=["version"])
    build.add_metric([__version__], 1)
    yield build
    yield _gauge(
        "rungmaster_master_serving", "1 where this master owns the database and serves; a standby has 0.", of.serving
    )
    if of.certificate_expires_at is not None:
        expires = "The time (Unix) at which the certificate of this master, or one of its chain, ends."
        yield _gauge("rungmaster_certificate_expiry_timestamp_seconds", expires, of.certificate_expires_at)
    if of.committed is None:
        return
    yield _gauge("rungmaster_master_term", "The term of this master, which grows with each that takes over.", of.term)
    yield _gauge("rungmaster_database_writable", "1 where the last batch was committed.", of.takes_writes)
    yield _gauge("rungmaster_database_readable", "1 where the database answered this scrape.", of.overview is not None)
    yield _gauge("rungmaster_queued_commands", "Commands that wait for the next batch.", of.queued)
    yield from _of_commits(of.committed)
    yield from _of_workers(of.census) if of.census is not None else ()
    yield from _of_searches(of.overview) if of.overview is not None else ()
    if of.census is not None and of.overview is not None:
        yield from _of_what_waits(of.census, of.overview)
    yield from _of_samplers(of.samplers) if of.samplers is not None else ()
    yield from _of_journal(of.events) if of.events is not None else ()


def _of_journal(events: Mapping[tuple[str, str], int]) -> Iterator[Metric]:
    kinds: Counter[str] = Counter()
    for (kind, _), number in events.items():
        kinds[kind] += number
    yield _counter("rungmaster_events", "Entries of the journal since this master's start.", "kind", kinds)
    decided = {action.value: events.get(("decision", action), 0) for action in ACTIONS}
    yield _counter("rungmaster_decisions", "Decisions about trials since this master's start.", "action", decided)
    ended = {outcome: events.get(("lease_ended", outcome), 0) for outcome in OUTCOMES}
    yield _counter("rungmaster_leases_ended", "Leases that ended since this master's start.", "outcome", ended)


def _counter(name: str, told: str, label: str, numbers: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, told, labels=[label])
    for value, number in sorted(numbers.items()):
        family.add_metric([value], number)
    return family


def _of_commits(committed: Committed) -> Iterator[Metric]:
    yield CounterMetricFamily("rungmaster_reports", "Reports committed since this master's start.", committed.reports)
    refused = "Batches that the database did not take, since this master's start."
    yield CounterMetricFamily("rungmaster_refused_batches", refused, committed.refused_batches)
    total, buckets = 0, []
    for bound, number in zip((*map(str, BUCKETS_S), "+Inf"), committed.batches, strict=True):
        total += number
        buckets.append((bound, total))
    took = "Seconds from a batch's hand-over to the ledger until it is durable."
    yield HistogramMetricFamily("rungmaster_commit_seconds", took, buckets, committed.total_s)


def _of_workers(census: Census) -> Iterator[Metric]:
    told = "Workers' sessions by state; a quarantined one has met several faults of its own in a row."
    workers = GaugeMetricFamily("rungmaster_workers", told, labels=["state"])
    for state in WorkerState:
        workers.add_metric([state.value], census.workers.get(state, 0))
    yield workers
    barred = "Workers that cannot run some experiment; `rungmaster workers` says why."
    yield _gauge("rungmaster_workers_barred", barred, census.barred)
    yield _gauge("rungmaster_leases", "Trials that workers hold now.", census.leases)
    slots = GaugeMetricFamily("rungmaster_slots", "Slots of workers, by whether a trial takes them.", labels=["state"])
    slots.add_metric(["busy"], census.slots_busy)
    slots.add_metric(["free"], census.slots_free)
    yield slots


def _of_searches(overview: Overview) -> Iterator[Metric]:
    experiments = GaugeMetricFamily("rungmaster_experiments", "Experiments by state.", labels=["state"])
    for state in ExperimentState:
        experiments.add_metric([state.value], overview.experiments.get(state, 0))
    yield experiments
    trials = GaugeMetricFamily(
        "rungmaster_trials", "Trials of experiments that have not ended, by state.", labels=[*_EXPERIMENT, "state"]
    )
    for each in overview.unfinished:
        for state in TrialState:
            trials.add_metric([*_named(each), state.value], each.trials.get(state, 0))
    yield trials
    spent = "What an unfinished experiment has trained so far, in its own unit of resource."
    yield _by_experiment("rungmaster_resource_spent", spent, ((e, e.resource_spent) for e in overview.unfinished))


def _of_what_waits(census: Census, overview: Overview) -> Iterator[Metric]:
    active = [
        (each, census.pending[each.experiment_id])
        for each in overview.unfinished
        if each.experiment_id in census.pending
    ]
    trials = "Trials that would train now if there were slots for them: new ones, promoted ones, and those that go on."
    yield _by_experiment("rungmaster_pending_trials", trials, ((e, work.trials) for e, work in active))
    slots = "The slots that these trials take."
    yield _by_experiment("rungmaster_pending_slots", slots, ((e, work.slots) for e, work in active))
    broken = "1 where the sampler program of an active experiment does not answer, and its trials are drawn at random."
    sampled = ((e, int(work.broken_sampler)) for e, work in active if work.broken_sampler is not None)
    yield _by_experiment("rungmaster_sampler_broken", broken, sampled)


def _of_samplers(programs: SamplerPrograms) -> Iterator[Metric]:
    yield _gauge("rungmaster_sampler_programs", "Sampler programs that run.", programs.running)
    starts = "Starts of sampler programs since this master's start, those after a failure included."
    yield CounterMetricFamily("rungmaster_sampler_starts", starts, programs.starts)


def _by_experiment(name: str, told: str, values: Iterable[tuple[ExperimentTotals, int]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, told, labels=_EXPERIMENT)
    for experiment, value in values:
        family.add_metric(_named(experiment), value)
    return family


def _named(experiment: ExperimentTotals) -> list[str]:
    return [str(experiment.experiment_id), experiment.name]


def _gauge(name: str, told: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, told, float(value))
