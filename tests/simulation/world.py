"""A simulated cluster: what there is, what goes wrong, what must hold in the end. All of it follows from one seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any

from unit.barrier_oracle import has_barriers
from unit.master_harness import make_spec

from rungmaster.master.dispatcher.archive import Extension
from rungmaster.master.dispatcher.setup import setup_from_json
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.master.search.synchronous import searcher as synchronous
from rungmaster.master.services.extending import Reopened, taken_up
from rungmaster.shared.checkpoints.storage import address_in
from rungmaster.shared.errors import FailedPrecondition
from rungmaster.shared.space.space import DRAW_RULES
from rungmaster.shared.spec.searchers import SEARCHERS
from rungmaster.shared.spec.spec import Spec, spec_to_json, stored_spec
from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import Assignment, CheckpointSaved

from .clockwork import Clockwork
from .database import Database
from .faults import FAULTS
from .sim_master import Command, SimMaster
from .sim_worker import SimWorker

#: Seconds of virtual time with faults, and after them at most.
STORMY, CALM = 90.0, 5_000.0
#: Seconds between two faults, on average.
FAULT_INTERVAL = 3.0
EXPERIMENTS = 2
#: What is wrong with an experiment that is submitted beside them, in some of the runs: nobody can run it.
WRONG = ("", "", "cannot start", "raises")

#: The searchers of the experiments.
TRIED = ("asha", "adaptive_asha", "sha", "hyperband")

NATURES = ("plain",) * 8 + ("slow", "coarse", "diverges", "invalid", "fails", "flaky", "poison")


class World:
    """One run."""

    def __init__(self, seed: int, folder: Path, trace: Callable[[str], None] | None = None) -> None:
        self.seed = seed
        self.clockwork = Clockwork(seed, trace)
        self.database = Database(folder / f"{seed}.db")
        self._wall_offset = 1.8e9
        self._checkpoints: dict[str, int] = {}
        self._broken: set[str] = set()
        self._cut_off: dict[str, float] = {}
        self._incarnations = 0
        self.stormy = True
        #: Whether samplers that are programs suggest anything.
        self.sampler_answers = True
        #: Extensions that were asked for and are not answered.
        self._extending = 0
        #: Rows of an ended experiment that are done with in one batch, and trials at barriers decided with one event.
        self.portion = self.clockwork.random.choice((1, 3, 1000))
        self.master: SimMaster | None = SimMaster(self)
        self.specs = [self._spec() for _ in range(EXPERIMENTS)]
        self.wrong = self.clockwork.random.choice(WRONG)
        if self.wrong:
            self.specs.append(self._spec(fail_fast=3))
        self.workers = [self._new_worker(f"w{n}") for n in range(self.clockwork.random.randint(2, 5))]

    def _spec(self, **fields: Any) -> Spec:
        random = self.clockwork.random
        searcher: dict[str, Any] = {
            "name": random.choice(TRIED),
            "max_trials": random.randint(4, 14),
            "max_resource": random.choice((3, 9, 10)),
            "divisor": random.choice((2, 3, 2.5)),
            "max_concurrent_trials": random.choice((None, None, 3, 6)),
            "stop_once": random.random() < 0.25,
        }
        fields_of = SEARCHERS[searcher["name"]].model_fields
        searcher = {name: value for name, value in searcher.items() if name in fields_of}
        if random.random() < 0.3:
            searcher = {
                "name": "pbt",
                "population": random.randint(2, 6),
                "interval": random.choice((1, 2, 3)),
                "max_resource": random.choice((6, 9, 10)),
                "truncation": random.choice((0.25, 0.5)),
                "max_concurrent_trials": random.choice((None, None, 2, 3)),
            }
        return make_spec(
            searcher,
            hyperparameters={"x": {"type": "float", "low": 0.0, "high": 1.0}},
            metric={"name": "error", "goal": random.choice(("minimize", "maximize"))},
            resources={"slots_per_trial": random.choice((1, 1, 2))},
            checkpoints={"keep": random.choice(("all", "promotable", "best"))},
            max_restarts=random.randint(0, 3),
            seed=random.randint(0, 1000),
            sampler=random.choice(("random", "bohb")),
            **fields,
        )

    @property
    def wall(self) -> float:
        """The wall clock, which people and time servers set as they like."""
        return self._wall_offset + self.clockwork.now

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self._wall_offset += seconds

    def run(self) -> None:
        """Everything, with all checks. Raises AssertionError with the seed where something does not hold."""
        usual, synchronous.PORTION = synchronous.PORTION, self.portion
        try:
            for number, spec in enumerate(self.specs):
                self.clockwork.after(number % EXPERIMENTS * 30.0, lambda n=number, s=spec: self._submit(n, s))
            self._plan_fault()
            self.clockwork.run(STORMY)
            self._calm_down()
            self.clockwork.run(STORMY + CALM, enough=self.ended)
            assert self.ended(), f"no end after {CALM} s without faults: {self._left()}"
            self._go_on_after_the_end()
            self.database.oracle.check_all_acknowledged()
            self.database.check_tables()
            self._check_wrong()
        except Exception as error:
            error.add_note(f"replay it: python -P tests/simulation/replay.py {self.seed}")
            raise
        finally:
            synchronous.PORTION = usual
            if self.master is not None:
                self.master.crash()
        for event in self.database.model.events:
            self.clockwork.counters[f"journal: {event.kind}"] += 1
        for trial in self.database.model.trials.values():
            self.clockwork.counters["started from another's checkpoint"] += trial.start_resource > 0
        for lease in self.database.model.leases.values():
            self.clockwork.counters[f"lease {lease.outcome}"] += 1

    def _go_on_after_the_end(self) -> None:
        """In some of the runs, what has completed is extended, and ends again."""
        if self.clockwork.random.random() < 0.5:
            return
        for number in range(1, EXPERIMENTS + 1):
            self.extend(number)
        self.clockwork.run(self.clockwork.now + CALM, enough=lambda: not self._extending and self.ended())
        assert self.ended(), f"no end after {CALM} s without faults: {self._left()}"

    def extend(self, number: int) -> bool:
        """Somebody gives an experiment more trials, as the service does it; whether there is one."""
        brackets = [row for key, row in self.database.model.brackets.items() if key[0] == number]
        if not brackets or self.is_wrong(number):
            return False
        max_trials = sum(row.max_trials for row in brackets) + self.clockwork.random.randint(1, 6)
        self._extending += 1

        def asked(result: object) -> None:
            found = self._taken_up(number, max_trials) if isinstance(result, Extension) else None
            if isinstance(result, Extension) and found is not None:
                self.execute(Command(lambda core, _: core.reopen(result, *found), answered))
            else:
                answered(result)

        def answered(result: object) -> None:
            self._extending -= 1

        self.execute(Command(lambda core, _: core.extend(number, max_trials), asked))
        return True

    def _taken_up(self, number: int, max_trials: int) -> Reopened | None:
        with closing(Reader(str(self.database.path))) as reader, suppress(FailedPrecondition):
            return taken_up(reader.stored(number), max_trials)

    def is_wrong(self, experiment_id: int) -> bool:
        """Whether this is the experiment that nobody can run. Numbers are given in the order of arrival."""
        row = self.database.model.experiments[experiment_id]
        return bool(self.wrong) and row.request_id == f"request {EXPERIMENTS}"

    def _check_wrong(self) -> None:
        """What nobody can run has failed, after a few attempts, and no worker is quarantined for it."""
        for row in self.database.model.experiments.values():
            if not self.is_wrong(row.experiment_id) or row.state == "cancelled":
                continue
            assert row.state == "failed", f"nobody can run experiment {row.experiment_id}, and it is {row.state}"
            self.clockwork.happened(f"failed fast: {self.wrong}")

    def _submit(self, number: int, spec: Spec) -> None:
        """A client that asks until it is answered; it may have been heard long before."""

        def answered(result: object) -> None:
            if not isinstance(result, int):
                self.clockwork.after(1.0, lambda: self._submit(number, spec))

        plan = setup_from_json(spec_to_json(spec), DRAW_RULES)
        self.execute(Command(lambda core, _: core.create(plan, f"request {number}"), answered))

    def execute(self, command: Command) -> None:
        """Has the master apply a command; tells at once where there is none, and tries again where one crashed."""
        master = self.master
        if master is None or not master.alive:
            command.done(None)
            return
        answers: list[object] = []

        def done(result: object) -> None:
            if not answers:
                answers.append(result)
                command.done(result)

        master.when_running(lambda: master.execute(Command(command.apply, done)))
        self.clockwork.after(20.0, lambda: done(None))

    def ended(self) -> bool:
        """Whether every experiment was created and has ended, with all that it left behind."""
        rows = self.database.model.experiments
        over = len(rows) == len(self.specs) and all(row.end_time is not None for row in rows.values())
        return over and not self.database.model.endings

    def _left(self) -> list[Any]:
        rows = self.database.model.trials.values()
        return [row for row in rows if row.end_time is None] or list(self.database.model.experiments.values())

    def at_barriers(self) -> set[int]:
        """The experiments in which trials wait at a barrier."""
        waiting = {row.experiment_id for row in self.database.model.trials.values() if row.state == "paused"}
        rows = (self.database.model.experiments[number] for number in waiting)
        return {row.experiment_id for row in rows if has_barriers(stored_spec(row.spec))}

    def _plan_fault(self) -> None:
        self.clockwork.after(self.clockwork.random.expovariate(1 / FAULT_INTERVAL), self._fault)

    def _fault(self) -> None:
        if self.stormy:
            names = list(FAULTS)
            name = self.clockwork.random.choice(names)
            if FAULTS[name](self):
                self.clockwork.happened(name)
            self._plan_fault()

    def _calm_down(self) -> None:
        """Faults stop, everything that was stopped goes on, and somebody resumes what people paused."""
        self.stormy = False
        self.sampler_answers = True
        self.clockwork.tell("calm")
        self._cut_off.clear()
        if self.master is None or not self.master.alive:
            self.start_master()
        assert self.master is not None
        self.master.next_fault = ""
        self.master.resume()
        for worker in self.workers:
            worker.wake()
            if worker.faulty or worker.lacking or not worker.alive or worker.outbox.draining:
                self.replace(worker)
        for row in list(self.database.model.experiments.values()):
            self._resume(row.experiment_id)

    def _resume(self, experiment_id: int) -> None:
        def answered(result: object) -> None:
            if self.database.model.experiments[experiment_id].state == "paused":
                self.clockwork.after(5.0, lambda: self._resume(experiment_id))

        self.execute(Command(lambda core, _: core.resume(experiment_id), answered))

    def start_master(self) -> None:
        """A new master on the database, unless one runs."""
        if self.master is None or not self.master.alive:
            self.master = SimMaster(self)

    def take_over(self) -> None:
        """A standby starts although the old master is not dead, only stopped."""
        self.master = SimMaster(self)

    def _new_worker(self, name: str) -> SimWorker:
        self._incarnations += 1
        slots = self.clockwork.random.randint(2, 4)
        faulty = self.stormy and self.clockwork.reseeding(0.05)
        lacking = self.stormy and self.clockwork.reseeding(0.1)
        return SimWorker(self, name, self._incarnations, slots, faulty=faulty, lacking=lacking)

    def replace(self, worker: SimWorker) -> None:
        """A worker is killed where it is not gone yet, and another starts in its place a little later."""
        worker.kill()
        self.clockwork.after(self.clockwork.random.uniform(0, 5), lambda: self._start_in_place_of(worker))

    def _start_in_place_of(self, worker: SimWorker) -> None:
        if worker in self.workers:
            self.workers[self.workers.index(worker)] = self._new_worker(worker.name)

    def may_die(self, worker: SimWorker) -> bool:
        """Poison takes workers down in stormy times only, so that the search can end."""
        return self.stormy and worker in self.workers

    def cut_off(self, worker: SimWorker, seconds: float) -> None:
        """No stream of this worker holds, and none can be opened."""
        self._cut_off[worker.name] = self.clockwork.now + seconds
        if worker.stream is not None:
            worker.stream.cut(master_notices=False)

    def is_cut_off(self, worker: SimWorker) -> bool:
        """Whether the worker cannot reach any master now."""
        return self._cut_off.get(worker.name, 0.0) > self.clockwork.now

    def nature_of(self, assignment: Assignment) -> str:
        """How a trial behaves: a matter of its hyperparameters, so the same wherever it trains."""
        lease = assignment.lease
        if self.is_wrong(lease.experiment_id):
            return self.wrong
        return Random(f"{self.seed} {lease.experiment_id} {lease.trial_id}").choice(NATURES)

    def curve(self, assignment: Assignment, resource: int) -> float:
        """What a trial reports: the same again when its training is repeated."""
        return round(assignment.hparams["x"] + math.exp(-resource / 3), 2)

    def check_assignment(self, worker: SimWorker, assignment: Assignment) -> None:
        """A trial has the same hyperparameters wherever and whenever it is trained, and fits its worker."""
        lease = assignment.lease
        stored = self.database.model.trials[lease.experiment_id, lease.trial_id]
        assert assignment.hparams == stored.hparams, "hyperparameters changed"
        used = sum(training.assignment.slots for training in worker.trainings.values())
        assert used + assignment.slots <= worker.slots, "more slots were given away than there are"

    def save_checkpoint(self, assignment: Assignment, resource: int) -> CheckpointSaved:
        """Puts a checkpoint into the store."""
        lease = assignment.lease
        number = len(self._checkpoints)
        path = f"{lease.experiment_id}/{lease.trial_id}/{lease.token}-{resource}-{number}"
        self._checkpoints[address_in(assignment.checkpoint_storage, path)] = resource
        return CheckpointSaved(path, resource, 1, "sum")

    def load_checkpoint(self, assignment: Assignment) -> tuple[int, list[str], str]:
        """The resource to go on from, which checkpoints were found broken, and the one that was not.

        What the master names first must be there as long as the lease is held, unless it turned out to be broken.
        """
        broken: list[str] = []
        for place, ref in enumerate(assignment.checkpoints):
            if place == 0 and self._is_held(assignment.lease) and ref.uri not in self._broken:
                assert ref.uri in self._checkpoints, f"{ref.uri} was deleted, but is needed"
            if self.stormy and self.clockwork.random.random() < 0.05:
                self._broken.add(ref.uri)
            if ref.uri in self._checkpoints and ref.uri not in self._broken:
                return ref.resource, broken, ref.uri
            self.clockwork.happened("broken checkpoint")
            broken.append(ref.uri)
        return 0, broken, ""

    def _is_held(self, lease: LeaseRef) -> bool:
        row = self.database.model.leases[lease.experiment_id, lease.trial_id, lease.token]
        return row.end_time is None

    def delete_checkpoint(self, uri: str) -> None:
        """Removes a checkpoint from the store; one that is gone already is no matter."""
        needed = [row for row in self.database.model.checkpoints.values() if row.uri == uri and not row.delete_time]
        assert not needed, f"a deletion was asked of what is needed: {needed}"
        if self._checkpoints.pop(uri, None) is not None:
            self.clockwork.happened("checkpoint deleted")
