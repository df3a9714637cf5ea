"""How good the samplers are: what they reach after some trials on searches whose best result is known, beside random
draws with the same seeds.

`python benchmarks/samplers.py [--samplers bohb,cqr] [--seeds 20]` runs each sampler program that is installed as a
master does, one suggestion after the other, every trial trained in full. The regret of a run is the best loss of its
trials less the least that there is. What was measured is kept in docs/benchmarks/samplers.json, so that samplers can be
measured one after the other; the table of all of them is printed (with `--samplers ""` nothing else happens).
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rungmaster.shared.errors import CannotStart
from rungmaster.shared.sampling.programs import PROGRAMS, command_of
from rungmaster.shared.sampling.protocol import Ask, Failure, Message, Result, Start, Suggestion, decode, encode
from rungmaster.shared.sampling.spaces import accepted, neutral_space
from rungmaster.shared.space.quasi_random import QuasiRandom
from rungmaster.shared.space.space import Space
from rungmaster.shared.spec.spec import Spec, spec_from_json
from sampling.problems import Problem, problems

KEPT = Path(__file__).parents[1] / "docs" / "benchmarks" / "samplers.json"
RESOURCE = 9
Suggest = Callable[[int], Mapping[str, Any]]


def spec_of(problem: Problem) -> Spec:
    """The spec of a search, as far as a sampler sees it."""
    return spec_from_json(
        {
            "name": problem.name,
            "entrypoint": "training:train",
            "metric": {"name": "loss", "goal": "minimize"},
            "hyperparameters": problem.hyperparameters,
            "searcher": {"name": "random", "max_trials": 1000, "max_resource": RESOURCE},
        }
    )


def regret(problem: Problem, trials: int, suggest: Suggest, told: Callable[[Result], None]) -> float:
    """How far the best of so many trials is from the best that there is."""
    best = math.inf
    for trial in range(trials):
        hparams = dict(suggest(trial))
        loss = problem.loss(hparams)
        told(Result(trial, hparams, RESOURCE, loss))
        best = min(best, loss)
    return best - problem.best


def drawn(problem: Problem, sampler: str, seed: int, trials: int) -> float:
    """A run with the draws of the master itself."""
    spec = spec_of(problem)
    space = Space(spec.hyperparameters, spec.forbidden)
    source = space if sampler == "random" else QuasiRandom(spec.hyperparameters, spec.forbidden, space)

    def suggest(trial: int) -> Mapping[str, Any]:
        return next(found for found in source.search(seed, trial) if found is not None)

    return regret(problem, trials, suggest, _tell_nobody)


def _tell_nobody(result: Result) -> None:
    del result


class Program:
    """A sampler program that runs."""

    def __init__(self, sampler: str, options: Mapping[str, Any], spec: Spec, seed: int) -> None:
        command = command_of(sampler)
        pipe = subprocess.PIPE
        self._spec = spec
        self._process = subprocess.Popen(
            command.arguments, env=command.environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
        )
        space = neutral_space(spec.hyperparameters, spec.forbidden)
        self.tell(Start(1, seed, "loss", "minimize", space, (1, 3, RESOURCE), dict(options)))
        self._hear()

    def tell(self, message: Message) -> None:
        """Writes a message to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(encode(message))
        self._process.stdin.flush()

    def _hear(self) -> Message:
        assert self._process.stdout is not None
        return decode(self._process.stdout.readline())

    def suggest(self, trial: int) -> Mapping[str, Any]:
        """Asks for the hyperparameters of a trial, and checks them as a master does."""
        self.tell(Ask(trial, 1))
        answer = self._hear()
        if isinstance(answer, Failure):
            raise RuntimeError(answer.error)
        assert isinstance(answer, Suggestion), answer
        return accepted(self._spec.hyperparameters, self._spec.forbidden, answer.hyperparameters)

    def end(self) -> None:
        """Closes its input, and waits for its end."""
        self._process.communicate()


def suggested(problem: Problem, sampler: str, seed: int, trials: int) -> float:
    """A run with a sampler program; `optuna` is its TPESampler."""
    program = Program(sampler, {"sampler": "TPESampler"} if sampler == "optuna" else {}, spec_of(problem), seed)
    try:
        return regret(problem, trials, program.suggest, program.tell)
    finally:
        program.end()


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and half of its interval of 95 % by Student's t."""
    from scipy.stats import t

    error = statistics.stdev(values) / math.sqrt(len(values))
    return statistics.mean(values), float(t.ppf(0.975, len(values) - 1)) * error


def table(measured: Mapping[str, Mapping[str, Sequence[float]]], trials: int, seeds: slice = slice(None)) -> str:
    """All that was measured with some seeds, as it stands in docs/search.md."""
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


def measure(problem: Problem, sampler: str, seeds: int, trials: int, jobs: int) -> list[float]:
    """The regrets of so many runs, by seed."""
    run = drawn if sampler in ("random", "quasi_random") else suggested
    with ThreadPoolExecutor(jobs) as pool:
        return [*pool.map(lambda seed: run(problem, sampler, seed, trials), range(seeds))]


def main() -> None:
    """Measures, keeps and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samplers", default=",".join(["random", "quasi_random", *PROGRAMS]))
    parser.add_argument("--searches", default=",".join(each.name for each in problems()))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--skip", type=int, default=0, help="seeds that the table leaves out, from the first on")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    asked = parser.parse_args()
    kept: dict[str, Any] = {}
    for sampler in filter(None, asked.samplers.split(",")):
        for problem in (each for each in problems() if each.name in asked.searches.split(",")):
            began = time.monotonic()
            try:
                regrets = measure(problem, sampler, asked.seeds, asked.trials, asked.jobs)
            except CannotStart as error:
                print(f"{sampler}: left out: {error}", flush=True)
                break
            kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
            kept.setdefault(problem.name, {})[sampler] = [round(each, 6) for each in regrets]
            mean, half = interval(regrets)
            seconds = time.monotonic() - began
            print(f"{problem.name} {sampler}: {mean:.4f} ± {half:.4f} ({seconds:.0f} s)", flush=True)
            KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    print(table(json.loads(KEPT.read_text()), asked.trials, slice(asked.skip, asked.seeds)))


if __name__ == "__main__":
    main()
