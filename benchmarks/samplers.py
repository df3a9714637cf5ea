"""How good the samplers are: what they reach after some trials on searches whose best result is known, beside random
draws with the same seeds.

`python benchmarks/samplers.py [--samplers bohb,cqr] [--seeds 20]` runs each sampler program that is installed as a
master does, one suggestion after the other, every trial trained in full; or with `--asha` by ASHA, with 8 workers. The
regret of a run is the best loss of its trials less the least that there is. What was measured is kept in
docs/benchmarks/samplers.json after each run, and a seed that is there is not run again, so that a measurement can be
broken off and go on; the table of all of them is printed (with `--samplers ""` nothing else happens).
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from rungmaster.master.dispatcher.setup import set_up
from rungmaster.master.experiment.next_trial import patiently
from rungmaster.master.search.interface import planned_resources
from rungmaster.master.search.registry import searcher_of
from rungmaster.shared.errors import CannotStart
from rungmaster.shared.sampling.conversation import ProgramConversation
from rungmaster.shared.sampling.programs import PROGRAMS, command_of
from rungmaster.shared.sampling.protocol import Pending, TrialResult
from rungmaster.shared.sampling.spaces import accepted
from rungmaster.shared.sampling.start import start_of
from rungmaster.shared.spec.spec import Spec, spec_from_json
from sampling import asha
from sampling.problems import Problem, problems

KEPT = Path(__file__).parents[1] / "docs" / "benchmarks" / "samplers.json"
RESOURCE = 9
IN_FULL: Mapping[str, Any] = {"name": "random", "max_trials": 1000, "max_resource": RESOURCE}
#: What the name of a search ends with where it was by ASHA.
ASHA = " by ASHA"
MEMORY_GIB, PATIENCE_S = 8.0, 600.0
Suggest = Callable[[int], Mapping[str, Any]]


def spec_of(problem: Problem, seed: int, sampler: str, searcher: Mapping[str, Any] = IN_FULL) -> Spec:
    """The spec of a search, as far as a sampler sees it."""
    return spec_from_json(
        {
            "name": problem.name,
            "entrypoint": "training:train",
            "metric": {"name": "loss", "goal": "minimize"},
            "hyperparameters": problem.hyperparameters,
            "searcher": dict(searcher),
            "sampler": sampler,
            "seed": seed,
        }
    )


def regret(problem: Problem, trials: int, suggest: Suggest, told: Callable[[TrialResult], None]) -> float:
    """How far the best of so many trials is from the best that there is."""
    best = math.inf
    for trial in range(trials):
        hparams = dict(suggest(trial))
        loss = problem.loss(hparams)
        told(TrialResult(trial, hparams, RESOURCE, loss))
        best = min(best, loss)
    return best - problem.best


def drawn(problem: Problem, sampler: str, seed: int, trials: int) -> float:
    """A run with the draws of the master itself."""
    return regret(problem, trials, draws_of(spec_of(problem, seed, sampler)), _tell_nobody)


def draws_of(spec: Spec) -> Callable[[int], Mapping[str, Any]]:
    """What the master draws itself for each trial."""
    draw = patiently(set_up(spec).draw)
    return lambda trial: draw(trial) or {}


def _tell_nobody(result: TrialResult) -> None:
    del result


def started(sampler: str, spec: Spec, resources: Sequence[int]) -> ProgramConversation:
    """A sampler program that runs; `optuna` is its TPESampler."""
    options = {"sampler": "TPESampler"} if sampler == "optuna" else {}
    program = ProgramConversation(command_of(sampler), MEMORY_GIB)
    program.start(start_of(spec, 1, resources, options))
    return program


def suggestion(program: ProgramConversation, spec: Spec, pending: Sequence[Pending] = ()) -> Mapping[str, Any]:
    """The hyperparameters of a trial, checked as a master does it."""
    (suggested,) = program.ask(1, pending, PATIENCE_S)
    return accepted(spec.hyperparameters, spec.forbidden, suggested.hyperparameters)


def suggested(problem: Problem, sampler: str, seed: int, trials: int) -> float:
    """A run with a sampler program."""
    spec = spec_of(problem, seed, sampler)
    with started(sampler, spec, (1, 3, RESOURCE)) as program:
        return regret(problem, trials, lambda _: suggestion(program, spec), program.tell)


def under_asha(problem: Problem, sampler: str, seed: int, trials: int) -> float:
    """A run by ASHA, with a sampler program or with draws."""
    searcher = {"name": "asha", "max_trials": trials, "max_resource": 27, "divisor": 3}
    spec = spec_of(problem, seed, sampler, searcher)
    search = searcher_of(spec)
    if sampler not in PROGRAMS:
        draw = draws_of(spec)
        return asha.regret(problem, search, seed, lambda trial, _: draw(trial), _tell_nobody)
    with started(sampler, spec, planned_resources(search.plan)) as program:
        suggest = partial(suggestion, program, spec)
        return asha.regret(problem, search, seed, lambda _, pending: suggest(pending), program.tell)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and half of its interval of 95 % by Student's t."""
    from scipy.stats import t

    error = statistics.stdev(values) / math.sqrt(len(values))
    return statistics.mean(values), float(t.ppf(0.975, len(values) - 1)) * error


def table(measured: Mapping[str, Mapping[str, Sequence[float]]], trials: int, seeds: slice = slice(None)) -> str:
    """All that was measured with some seeds, as it stands in docs/samplers.md."""
    lines = [
        f"| search | sampler | seeds | mean regret after {trials} trials | difference to `random` | better |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for problem, by_sampler in measured.items():
        for sampler, by_seed in by_sampler.items():
            regrets = by_seed[seeds]
            if len(regrets) < 2:
                continue
            mean, half = interval(regrets)
            told, better = "", ""
            if sampler != "random":
                pairs = zip(regrets, by_sampler["random"][seeds], strict=False)
                difference, width = interval([own - other for own, other in pairs])
                told = f"{difference:.4f} ± {width:.4f}"
                better = "yes" if difference + width < 0 else "worse" if difference - width > 0 else "not shown"
            lines.append(f"| {problem} | `{sampler}` | {len(regrets)} | {mean:.4f} ± {half:.4f} | {told} | {better} |")
    return "\n".join(lines)


def measure(
    problem: Problem, sampler: str, seeds: Iterable[int], trials: int, jobs: int, *, asha: bool
) -> Iterator[float]:
    """The regret of a run with each seed, in order, as soon as it is there."""
    run = under_asha if asha else suggested if sampler in PROGRAMS else drawn
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda seed: run(problem, sampler, seed, trials), seeds)


def kept() -> dict[str, dict[str, list[float]]]:
    """All that was measured so far: the regrets by search, sampler and seed."""
    return json.loads(KEPT.read_text()) if KEPT.exists() else {}


def keep(search: str, sampler: str, regrets: Sequence[float]) -> None:
    """Whoever measures at the same time keeps what he has measured, too."""
    measured = kept()
    measured.setdefault(search, {})[sampler] = [*regrets]
    KEPT.write_text(json.dumps(measured, indent=1) + "\n")


def main() -> None:
    """Measures, keeps and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samplers", default=",".join(["random", "quasi_random", *PROGRAMS]))
    parser.add_argument("--searches", default=",".join(each.name for each in problems()))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--skip", type=int, default=0, help="seeds that the table leaves out, from the first on")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--asha", action="store_true", help="by ASHA, and not every trial in full")
    parser.add_argument("--again", action="store_true", help="also the seeds that are measured already")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    asked = parser.parse_args()
    for sampler in filter(None, asked.samplers.split(",")):
        for problem in (each for each in problems() if each.name in asked.searches.split(",")):
            search = problem.name + ASHA * asked.asha
            regrets = [] if asked.again else kept().get(search, {}).get(sampler, [])
            missing = range(len(regrets), asked.seeds)
            began = time.monotonic()
            try:
                for one in measure(problem, sampler, missing, asked.trials, asked.jobs, asha=asked.asha):
                    regrets.append(round(one, 6))
                    keep(search, sampler, regrets)
            except CannotStart as error:
                print(f"{sampler}: left out: {error}", flush=True)
                break
            mean, half = interval(regrets)
            print(f"{search} {sampler}: {mean:.4f} ± {half:.4f} ({time.monotonic() - began:.0f} s)", flush=True)
    measured = kept()
    shown = {name: found for name, found in measured.items() if name.endswith(ASHA) is asked.asha}
    print(table(shown, asked.trials, slice(asked.skip, asked.seeds)))


if __name__ == "__main__":
    main()
