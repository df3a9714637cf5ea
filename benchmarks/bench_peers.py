"""Rungmaster beside what a user would otherwise pick, in one run on one disk.

Optuna shares a study between hosts by its gRPC storage proxy, here over SQLite with HyperbandPruner (1 to 27 steps,
reduction 3) and a thousand trials in the study: how many durable reports with a decision it takes in a second, from one
client and from four (the better of both). Rungmaster: the same through its real service into SQLite with a thousand
trials in the experiment (ASHA, rungs at 1, 3, 9 and 27, stopping for good as pruning does), from 4 workers and from 64.
Both report at the rungs only, where there is something to decide. Of both only the time from a report to its decision
is counted, and all clients are at it at once; Rungmaster's exits and assignments in between are durable too and cost it
CPU at that time.
Ray Tune's and Syne Tune's ASHA classes keep nothing and talk to nobody: their cost of one decision is compared with
that of Rungmaster's searcher alone, at 100,000 results in the rung, in CPU time.

How it could mislead: Optuna's sampler here is random, its best case; its proxy is marked experimental.
Between the rungs both are faster: Optuna's pruner returns at once there. Ray's and Syne's classes decide on
stopping, ours on promotion too, and it finds the next trial. Their rungs are filled by hand, since filling them through
the classes would take hours. The peers live in `build/peers-venv`, made by `make bench-peers`; what is not installed
there is left out, and a note says so.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bench_search
import load
import processes
from figures import Figure, Result
from steps import Times, Trainer

PEERS = processes.HERE / "peers"
PYTHON = processes.HERE.parent / "build" / "peers-venv" / "bin" / "python"
OPTUNA_AIM = 300
#: Steps a second that no worker reaches.
FLAT_OUT = 1e9


@dataclass(frozen=True, slots=True)
class Size:
    trials: int = 1_000
    results: int = 100_000
    seconds: float = 8.0
    decisions: int = 40
    workers: tuple[int, ...] = (4, 64)
    optuna_clients: tuple[int, ...] = (1, 4)


def _ask(result: Result, script: str, *arguments: object) -> dict[str, Any] | None:
    """What a peer says; None, and a note, where it cannot be asked."""
    command = [str(PYTHON), str(PEERS / script), *map(str, arguments)]
    name = script if script.startswith("optuna") else f"{script} {arguments[0]}"
    if not PYTHON.exists():
        result.notes.append(f"{name}: left out, `make bench-peers` makes its environment")
        return None
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        last = done.stderr.strip().rsplit("\n", 1)[-1]
        result.notes.append(f"{name}: left out, it failed with: {last}")
        return None
    answer = json.loads(done.stdout.strip().rsplit("\n", 1)[-1])
    result.notes.append(f"{name}: version {answer['version']}")
    return answer


def _optuna(result: Result, size: Size) -> float | None:
    clients = ",".join(map(str, size.optuna_clients))
    with tempfile.TemporaryDirectory(prefix="rungmaster-bench-") as folder:
        answer = _ask(result, "optuna_peer.py", folder, size.trials, clients, size.seconds)
    if answer is None:
        return None
    told = ", ".join(f"{rate:.2f} from {count}" for count, rate in answer["rates"].items())
    result.notes.append(f"Optuna's reports with decisions a second, by the number of clients: {told}")
    return max(answer["rates"].values())


async def _decisions(address: str, size: Size, workers: int) -> float:
    """Durable reports with decisions a second, flat out, once the experiment has enough trials."""
    await load.create_experiment(address, load.spec(max_trials=10**6, max_resource=27, divisor=3, stop_once=True))
    async with load.sessions(address, workers) as sessions:
        trainers = [Trainer(session, FLAT_OUT, random.Random(i), to_target=True) for i, session in enumerate(sessions)]
        await asyncio.gather(*(trainer.begin() for trainer in trainers))
        while max(session.lease.trial_id for session in sessions) < size.trials:
            await _all(trainers, time.monotonic() + 0.2)
        deadline = time.monotonic() + size.seconds / 2
        taken = [s for times in await _all(trainers, deadline) for s in times.decided]
        return workers * len(taken) / sum(taken)


async def _all(trainers: Sequence[Trainer], deadline: float) -> list[Times]:
    return await asyncio.gather(*(trainer.train(deadline) for trainer in trainers))


def _ours(size: Size, workers: int) -> float:
    with processes.sqlite() as database, processes.master(database) as master:
        return asyncio.run(_decisions(master.address, size, workers))


def measure(size: Size) -> Result:
    result = Result("peers", __doc__ or "")
    peer = _optuna(result, size)
    for workers in size.workers:
        rate = _ours(size, workers)
        result.figures.append(
            Figure(
                f"durable report and decision, {size.trials:,} trials, {workers} workers",
                rate,
                "a second",
                peer=peer,
                peer_name="Optuna, gRPC proxy, SQLite",
                aim=f"{OPTUNA_AIM}× Optuna" if workers == max(size.workers) else "",
                met=rate / peer >= OPTUNA_AIM if peer and workers == max(size.workers) else None,
            )
        )
    ours = bench_search.cost(bench_search.asha, size.results, size.decisions, 1).decision_us
    for peer_name, script in (("Ray Tune", "ray"), ("Syne Tune", "syne")):
        answer = _ask(result, "asha_peers.py", script, size.results, size.decisions)
        theirs = answer["seconds"] * 1e6 if answer else None
        result.figures.append(
            Figure(
                f"one decision, {size.results:,} results in the rung, beside {peer_name}",
                ours,
                "µs",
                higher_is_better=False,
                peer=theirs,
                peer_name=f"{peer_name}'s ASHA class",
                aim=f"ahead of {peer_name}",
                met=ours < theirs if theirs else None,
            )
        )
    return result


FULL = Size()
QUICK = Size(trials=10, results=100, seconds=0.5, decisions=5, workers=(2,), optuna_clients=(1,))
