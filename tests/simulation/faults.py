"""What can go wrong. Each fault says whether there was something for it to befall."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rungmaster.shared.errors import FailedPrecondition

from .sim_master import LEASE_TTL, Command, SimMaster
from .sim_worker import SimWorker

if TYPE_CHECKING:
    from .world import World

Fault = Callable[["World"], bool]


def _connected(world: World) -> SimWorker | None:
    connected = [w for w in world.workers if w.alive and not w.hung and w.stream is not None and w.stream.whole]
    return world.clockwork.random.choice(connected) if connected else None


def _running_master(world: World) -> SimMaster | None:
    master = world.master
    return master if master is not None and master.alive and not master.stopped else None


def cut_stream(world: World) -> bool:
    """A stream breaks, and what is under way on it is lost."""
    worker = _connected(world)
    if worker is None or worker.stream is None:
        return False
    worker.stream.cut()
    return True


def half_open(world: World) -> bool:
    """A stream breaks, and the master does not notice."""
    worker = _connected(world)
    if worker is None or worker.stream is None:
        return False
    worker.stream.cut(master_notices=False)
    return True


def partition(world: World) -> bool:
    """A worker reaches no master, for less or more than its lease."""
    worker = _connected(world)
    if worker is None:
        return False
    world.cut_off(worker, world.clockwork.random.uniform(1.0, 3 * LEASE_TTL))
    return True


def kill_worker(world: World) -> bool:
    """kill -9 of a worker; another starts in its place."""
    worker = _connected(world)
    if worker is None:
        return False
    if world.at_barriers() & {training.assignment.lease.experiment_id for training in worker.trainings.values()}:
        world.clockwork.happened("a worker killed before a barrier")
    world.replace(worker)
    return True


def hang_worker(world: World) -> bool:
    """SIGSTOP for longer than the lease: it comes back as a zombie."""
    worker = _connected(world)
    if worker is None:
        return False
    worker.hang()
    world.clockwork.after(world.clockwork.random.uniform(0.5, 3.0) * LEASE_TTL, worker.wake)
    return True


def drain_worker(world: World) -> bool:
    """SIGTERM; another starts in its place."""
    worker = _connected(world)
    if worker is None or worker.outbox.draining:
        return False
    worker.drain()
    world.clockwork.after(20.0, lambda: world.replace(worker))
    return True


def _restart_later(world: World) -> None:
    world.clockwork.after(world.clockwork.random.uniform(0.1, 2.5 * LEASE_TTL), world.start_master)


def kill_master(world: World) -> bool:
    """kill -9 of the master, between any two steps."""
    master = _running_master(world)
    if master is None:
        return False
    if world.at_barriers():
        world.clockwork.happened("a master killed at a barrier")
    master.crash()
    _restart_later(world)
    return True


def _arm(fault: str) -> Fault:
    def arm(world: World) -> bool:
        master = _running_master(world)
        if master is None or master.next_fault:
            return False
        master.next_fault = fault
        if fault in ("applied", "committed"):
            world.clockwork.after(5.0, lambda: _restart_later(world))
        return True

    return arm


def slow_commit(world: World) -> bool:
    """The database takes longer than a lease."""
    master = _running_master(world)
    if master is None:
        return False
    master.next_commit_takes = world.clockwork.random.uniform(1.0, 2 * LEASE_TTL)
    return True


def stop_master(world: World) -> bool:
    """SIGSTOP of the master, for less or more than a lease."""
    master = _running_master(world)
    if master is None:
        return False
    master.stop()
    world.clockwork.after(world.clockwork.random.uniform(0.5, 3.0) * LEASE_TTL, master.resume)
    return True


def take_over(world: World) -> bool:
    """A standby takes over while the old master is stopped; then the old one wakes up."""
    master = _running_master(world)
    if master is None:
        return False
    master.stop()
    world.take_over()
    world.clockwork.after(world.clockwork.random.uniform(0.1, 2.0) * LEASE_TTL, master.resume)
    return True


def jump(world: World) -> bool:
    """The wall clock is set an hour forward or back."""
    world.jump(world.clockwork.random.choice((-3600.0, 3600.0)))
    return True


def silence_samplers(world: World) -> bool:
    """The samplers that are programs suggest nothing for a while; trials that wait for them are drawn at random."""
    if not world.sampler_answers:
        return False
    world.sampler_answers = False
    world.clockwork.after(world.clockwork.random.uniform(2.0, 20.0), lambda: setattr(world, "sampler_answers", True))
    return True


def steer(world: World) -> bool:
    """Somebody pauses, resumes or extends an experiment, or, rarely, cancels it."""
    random = world.clockwork.random
    what = random.choice(("pause", "resume", "pause", "resume", "cancel", "extend"))
    number = random.randint(1, 2)
    if what == "extend":
        return world.extend(number)
    if what == "cancel" and random.random() < 0.7:
        return False

    def told(result: object) -> None:
        if not isinstance(result, FailedPrecondition):
            world.clockwork.happened(f"person: {what}")

    world.execute(Command(lambda core, _: getattr(core, what)(number), told))
    return True


FAULTS: dict[str, Fault] = {
    "fault: cut stream": cut_stream,
    "fault: half open": half_open,
    "fault: partition": partition,
    "fault: kill worker": kill_worker,
    "fault: hang worker": hang_worker,
    "fault: drain worker": drain_worker,
    "fault: kill master": kill_master,
    "fault: crash once applied": _arm("applied"),
    "fault: crash once committed": _arm("committed"),
    "fault: commit fails before": _arm("before"),
    "fault: commit fails after": _arm("after"),
    "fault: slow commit": slow_commit,
    "fault: stop master": stop_master,
    "fault: take over": take_over,
    "fault: clock jump": jump,
    "fault: silent sampler": silence_samplers,
    "fault: steer": steer,
}
