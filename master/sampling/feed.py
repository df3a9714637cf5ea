"""The results that a sampler program is told, as lines: those of earlier experiments first, then its own as they come.

They are read from the database, a page at a time, and told to each process once; nothing of them is kept.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...shared.errors import NotFound
from ...shared.sampling.protocol import Pending, TrialResult, encode
from ...shared.spec.spec import Spec
from ..experiment.earlier import TRIALS_TOLD, Fitting, difference, first_trials
from ..ledger.read.queries.sampling import SampledResult
from ..ledger.read.reader import Reader

#: Results that are read and told at once.
PAGE = 500
#: Trials under way that a program is told of with each ask, at most.
MOST_PENDING = 1_000


def earlier_results(reader: Reader, spec: Spec) -> Iterator[bytes]:
    """The results of the experiments that warm the sampler up, as far as they fit; a page of lines at a time."""
    for number in spec.warm_start:
        try:
            if difference(spec, reader.get_experiment(number)):
                continue
        except NotFound:
            # Deleted since.
            continue
        told = Fitting().of(spec, first_trials(reader.list_trials, number, TRIALS_TOLD))
        lines: list[bytes] = []
        for trial, hparams in told:
            failed = trial.metric is None
            resource = trial.resource if failed else trial.metric_resource
            lines.append(encode(TrialResult(trial.trial_id, dict(hparams), resource, trial.metric, failed, number)))
            if len(lines) == PAGE:
                yield b"".join(lines)
                lines = []
        if lines:
            yield b"".join(lines)


class Feed:
    """What one process has been told of its experiment's results. Called from one thread at a time."""

    def __init__(self, reader: Reader, experiment_id: int) -> None:
        self._reader = reader
        self._experiment_id = experiment_id
        self._told = 0

    def news(self) -> bytes:
        """The next results that it was not told, as lines; nothing where there are none."""
        results = self._reader.results_after(self._experiment_id, self._told, PAGE)
        if results:
            self._told = results[-1].event_id
        return b"".join(map(_line, results))

    def pending(self) -> list[Pending]:
        """The trials under way, whose results are still to come."""
        found = self._reader.under_way(self._experiment_id, MOST_PENDING)
        return [Pending(dict(hparams), trial) for trial, hparams in found.items()]


def _line(result: SampledResult) -> bytes:
    return encode(TrialResult(result.trial_id, dict(result.hparams), result.resource, result.metric, result.failed))
