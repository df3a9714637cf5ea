"""Optuna as several hosts share it: its gRPC storage proxy over SQLite, HyperbandPruner, durable report and decision.

    python optuna_peer.py FOLDER TRIALS CLIENTS[,CLIENTS] SECONDS      prints one JSON object

The study holds TRIALS finished trials with three reports each. Then each client asks for trials, reports at the steps
at which the pruner decides, and asks `should_prune` after each report; what is timed is these two calls.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import random
import socket
import sys
import time
from pathlib import Path
from typing import Any

import optuna  # pyright: ignore[reportMissingImports] - in an environment of its own

RUNGS = (1, 3, 9, 27)
MAX_RESOURCE = RUNGS[-1]
NAME = "benchmark"


def pruner() -> Any:
    return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=MAX_RESOURCE, reduction_factor=3)


def fill(url: str, trials: int) -> None:
    study = optuna.create_study(storage=url, study_name=NAME, pruner=pruner())
    rng = random.Random(1)
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        "learning_rate": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True)
    }
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={"learning_rate": rng.uniform(0.001, 1.0)},
                distributions=distributions,
                value=rng.random(),
                intermediate_values={rung: rng.random() for rung in RUNGS[:-1]},
            )
            for _ in range(trials)
        ]
    )


def serve(url: str, port: int) -> None:
    optuna.storages.run_grpc_proxy_server(optuna.storages.RDBStorage(url), host="127.0.0.1", port=port)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def work(port: int, seconds: float, seed: int, done: Any) -> None:
    storage = optuna.storages.GrpcStorageProxy(host="127.0.0.1", port=port)
    storage.wait_server_ready(timeout=60)
    study = optuna.load_study(
        study_name=NAME, storage=storage, pruner=pruner(), sampler=optuna.samplers.RandomSampler()
    )
    rng, reports, taken = random.Random(seed), 0, 0.0
    one_trial(study, rng)  # fills the client's cache of trials
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        count, spent = one_trial(study, rng)
        reports, taken = reports + count, taken + spent
    done.put((reports, taken))


def one_trial(study: Any, rng: random.Random) -> tuple[int, float]:
    """A trial from its first report until it is pruned or at its end: its reports, and the seconds that they took."""
    trial = study.ask()
    trial.suggest_float("learning_rate", 1e-4, 1.0, log=True)
    spent = 0.0
    for count, step in enumerate(RUNGS, 1):
        start = time.monotonic()
        trial.report(rng.random(), step)
        pruned = trial.should_prune()
        spent += time.monotonic() - start
        if pruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return count, spent
    study.tell(trial, rng.random())
    return len(RUNGS), spent


def rate(port: int, clients: int, seconds: float) -> float:
    """Reports with decisions in a second of the time that all clients spend on them."""
    done: Any = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=work, args=(port, seconds, i, done)) for i in range(clients)]
    for worker in workers:
        worker.start()
    results = [done.get(timeout=seconds + 300) for _ in workers]
    for worker in workers:
        worker.join()
    return clients * sum(count for count, _ in results) / sum(spent for _, spent in results)


def main() -> None:
    folder, trials, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[4])
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.disable(logging.WARNING)
    url, port = f"sqlite:///{folder / 'optuna.db'}", free_port()
    fill(url, trials)
    server = multiprocessing.Process(target=serve, args=(url, port), daemon=True)
    server.start()
    rates = {clients: rate(port, int(clients), seconds) for clients in sys.argv[3].split(",")}
    server.terminate()
    print(json.dumps({"version": optuna.__version__, "rates": rates}))


if __name__ == "__main__":
    main()
