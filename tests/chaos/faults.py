"""The faults: what each does, to whom, and how it is undone."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

import psutil

from .databases import LONG_LOCK, Postgresql, Sqlite, forbid_growth
from .processes import Unit
from .proxy import Direction
from .specs import HASTY, UNDRAWABLE, UNREADABLE, WAYS_TO_BE_DAMAGED, WAYS_TO_BE_WRONG, damageable, wrong
from .world import LEASE_TTL, World

#: What nobody else may harm meanwhile; "worker" stands for any one of them.
Target = Literal["master", "worker", "database", "storage"]
#: Harms the world (the worker of that name), undoes it, and returns; False where there was nothing to harm.
Act = Callable[[World, Random, str], bool | None]
WAYS: tuple[tuple[Direction, ...], ...] = (("up",), ("down",), ("up", "down"))
#: The one fault that is a failure of the training code, as far as anyone can tell.
KILLED_TRAINING = "training process: kill -9"


@dataclass(frozen=True)
class Fault:
    """One kind of fault."""

    name: str
    act: Act
    targets: tuple[Target, ...] = ()
    #: How much more seldom it strikes than others: what keeps a worker away for long, or from the searches that count.
    seldom: int = 1

    def named(self, worker: str) -> tuple[str, ...]:
        """The targets, with this worker for any."""
        return tuple(worker if target == "worker" else target for target in self.targets)


def _kill_master(world: World, random: Random, worker: str) -> None:
    world.master.signal(signal.SIGKILL)


def _end_master(world: World, random: Random, worker: str) -> None:
    world.master.signal(signal.SIGTERM)


def _stop_master(world: World, random: Random, worker: str) -> None:
    _stop(world.master, random)


def _stop(unit: Unit, random: Random) -> None:
    unit.signal(signal.SIGSTOP)
    time.sleep(LEASE_TTL * random.uniform(1.2, 2.5))
    unit.signal(signal.SIGCONT)


def _replace_master(world: World, random: Random, worker: str) -> None:
    world.replace_master(random)


def _kill_worker(world: World, random: Random, worker: str) -> None:
    world.workers[worker].signal(signal.SIGKILL)


def _drain_worker(world: World, random: Random, worker: str) -> None:
    world.workers[worker].signal(signal.SIGTERM)


def _stop_worker(world: World, random: Random, worker: str) -> None:
    _stop(world.workers[worker], random)


def _kill_training(world: World, random: Random, worker: str) -> bool:
    unit = world.workers[worker]
    return _kill_one_of([*unit.trainings(), *unit.supervisors()], random)


def _kill_reaper(world: World, random: Random, worker: str) -> bool:
    return _kill_one_of(world.workers[worker].reapers(), random)


def _start_and_cancel(world: World, random: Random, worker: str) -> None:
    """Searches come and go faster than their trials begin, and a worker leaves meanwhile."""
    for number in range(random.randint(2, 5)):
        search = world.submit_in_haste(number)
        time.sleep(random.uniform(0, 0.5))
        if number == 1:
            world.workers[worker].signal(signal.SIGTERM)
        world.cancel(search)


def _kill_fork_server(world: World, random: Random, worker: str) -> bool:
    return _kill_one_of(world.workers[worker].fork_servers(), random)


def _kill_one_of(processes: list[psutil.Process], random: Random) -> bool:
    if processes:
        _kill(random.choice(processes))
    return bool(processes)


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.Error):
        process.kill()


def _kill_everything(world: World, random: Random, worker: str) -> None:
    processes = [process for unit in world.workers.values() for process in (*unit.trainings(), *unit.fork_servers())]
    for unit in world.units:
        unit.signal(signal.SIGKILL)
    for process in processes:
        _kill(process)


def _cut(world: World, random: Random, worker: str) -> None:
    world.proxies[worker].cut()


def _flap(world: World, random: Random, worker: str) -> None:
    for _ in range(random.randint(3, 8)):
        world.proxies[worker].cut()
        time.sleep(random.uniform(0.05, 0.4))


def _refuse(world: World, random: Random, worker: str) -> None:
    proxy = world.proxies[worker]
    proxy.refusing = True
    proxy.cut()
    time.sleep(random.uniform(0.5, 3))
    proxy.refusing = False


def _delay(world: World, random: Random, worker: str) -> None:
    world.proxies[worker].delay = random.uniform(0.1, 0.7)
    time.sleep(random.uniform(1, 4))
    world.proxies[worker].delay = 0.0


def _partition(world: World, random: Random, worker: str) -> None:
    proxy = world.proxies[worker]
    proxy.silence(*random.choice(WAYS))
    time.sleep(LEASE_TTL * random.uniform(0.5, 2))
    proxy.speak()


def _half_open(world: World, random: Random, worker: str) -> None:
    world.proxies[worker].lose(*random.choice(WAYS))


def _lock(world: World, random: Random, worker: str) -> None:
    world.database.lock(random.choice((0.5, 2.0, LONG_LOCK)))


def _fill(world: World, random: Random, worker: str) -> None:
    assert isinstance(world.database, Sqlite)
    world.database.fill(random.uniform(0.5, 3))


def _fail_writes(world: World, random: Random, worker: str) -> None:
    forbid_growth(world.master.pid, random.uniform(0.5, 3))


def _forbid_writing(world: World, random: Random, worker: str) -> bool:
    assert isinstance(world.database, Sqlite)
    world.master.signal(signal.SIGKILL)
    return world.database.forbid_writing(random.uniform(1, 3))


def _move_away(world: World, random: Random, worker: str) -> None:
    assert isinstance(world.database, Sqlite)
    world.master.signal(signal.SIGKILL)
    world.database.move_away(random.uniform(1, 3))


def _terminate_sessions(world: World, random: Random, worker: str) -> None:
    assert isinstance(world.database, Postgresql)
    for _ in range(random.randint(1, 5)):
        world.database.terminate_sessions()
        time.sleep(random.uniform(0, 0.2))


def _restart_server(world: World, random: Random, worker: str) -> None:
    assert isinstance(world.database, Postgresql)
    world.database.restart(random.uniform(0, 2))


def _crash_server(world: World, random: Random, worker: str) -> None:
    assert isinstance(world.database, Postgresql)
    world.database.crash()


def _take_storage_away(world: World, random: Random, worker: str) -> bool:
    trains = _within(10, world.trains)
    world.take_storage_away(random.uniform(0.5, 4))
    return trains


def _within(seconds: float, happens: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not (happened := happens()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return happened


def _need_storage_away(world: World, random: Random, worker: str) -> bool:
    """While it is away checkpoints are to be deleted, since a search was cancelled, and loaded, since a worker died."""
    search = world.submit_in_haste(random.randrange(1000))

    def saved() -> bool:
        return len({row.trial_id for row in world.checkpoints(HASTY) if row.experiment_id == search}) > 1

    ready = _within(10, saved)
    away = threading.Thread(target=world.take_storage_away, args=(random.uniform(5, 7),))
    away.start()
    world.cancel(search)
    world.workers[worker].signal(signal.SIGKILL)
    away.join()
    return ready


def _submit_wrong(world: World, random: Random, worker: str) -> None:
    world.submit(wrong(world.storage, random.choice(list(WAYS_TO_BE_WRONG))))


def _damage_a_spec(name: str, world: World, random: Random) -> None:
    """Half of the time what was damaged before is cancelled first, and in the end all the rest."""
    if random.random() < 0.5:
        world.be_rid_of_damaged()
    number = world.submit(damageable(world.storage, name))
    time.sleep(random.uniform(0, 3))
    world.damage_spec(number, random.choice(WAYS_TO_BE_DAMAGED[name]))


def _make_unreadable(world: World, random: Random, worker: str) -> None:
    _damage_a_spec(UNREADABLE, world, random)


def _fail_draws(world: World, random: Random, worker: str) -> None:
    _damage_a_spec(UNDRAWABLE, world, random)


def _break_checkpoints(world: World, random: Random, worker: str) -> bool:
    """What was broken shows when it is loaded: a worker dies, and others take its trials."""
    broken = world.break_checkpoints(random)
    world.workers[worker].signal(signal.SIGKILL)
    return bool(broken)


_EVERYWHERE = (
    Fault("master: kill -9", _kill_master, ("master",)),
    Fault("master: SIGTERM", _end_master, ("master",)),
    Fault("master: SIGSTOP past the lease, SIGCONT", _stop_master, ("master",)),
    Fault("master: SIGSTOP, replaced by another, SIGCONT", _replace_master, ("master", "database")),
    Fault("worker: kill -9", _kill_worker, ("worker",)),
    Fault("worker: SIGTERM (drain)", _drain_worker, ("worker",)),
    Fault("worker: SIGSTOP past the lease, SIGCONT", _stop_worker, ("worker",)),
    Fault(KILLED_TRAINING, _kill_training, ("worker",)),
    Fault("fork server of trials: kill -9", _kill_fork_server, ("worker",)),
    Fault("reaper of a worker: kill -9", _kill_reaper, ("worker",)),
    Fault("searches submitted and cancelled, and a drain", _start_and_cancel, ("worker",)),
    Fault("everything: kill -9", _kill_everything, ("master",)),
    Fault("network: connections reset", _cut, ("worker",)),
    Fault("network: flapping", _flap, ("worker",)),
    Fault("network: connections refused", _refuse, ("worker",)),
    Fault("network: slow", _delay, ("worker",)),
    Fault("network: partition, one way or both, heals", _partition, ("worker",)),
    Fault("network: half-open for good", _half_open, ("worker",), seldom=4),
    Fault("database: locked by another program", _lock, ("database",)),
    Fault("checkpoint store: out of reach", _take_storage_away, ("storage",)),
    Fault(
        "checkpoint store: out of reach, a search cancelled, a worker killed", _need_storage_away, ("storage", "worker")
    ),
    Fault("checkpoints broken beside whole ones, a worker killed", _break_checkpoints, ("storage", "worker")),
    Fault("somebody submits what nobody can run", _submit_wrong, seldom=2),
    Fault("a stored spec cannot be read any more, master restarted", _make_unreadable, ("master", "database")),
    Fault("a draw fails: nothing is left of a space, master restarted", _fail_draws, ("master", "database")),
)
_SQLITE = (
    Fault("database: every write fails (EFBIG)", _fail_writes, ("database", "master")),
    Fault("database: folder read-only, master restarted", _forbid_writing, ("database", "master")),
    Fault("database: folder gone, master restarted", _move_away, ("database", "master")),
)
_SMALL_DISK = (Fault("database: disk full (ENOSPC)", _fill, ("database",)),)
_POSTGRESQL = (
    Fault("database: sessions terminated", _terminate_sessions, ("database",)),
    Fault("database: server restarted", _restart_server, ("database",)),
    Fault("database: server process kill -9", _crash_server, ("database",)),
)


def faults_for(database: Sqlite | Postgresql) -> tuple[Fault, ...]:
    """The kinds of fault that this database, and this user's rights, allow."""
    if isinstance(database, Postgresql):
        return _EVERYWHERE + _POSTGRESQL
    possible = tuple(f for f in _SQLITE if f.act is not _forbid_writing or database.can_forbid_writing)
    return _EVERYWHERE + possible + (_SMALL_DISK if database.mounted else ())
