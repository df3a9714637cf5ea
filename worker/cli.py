"""The command `rungmaster worker`."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..shared.limits import MAX_WORKER_TEXT
from ..shared.net.addresses import parse_addresses
from ..shared.options import credential_options, log_format_option
from ..shared.text.logs import set_up_logs
from ..shared.text.visible import hidden_problem
from .allowed import Allowed

if TYPE_CHECKING:
    from ..shared.net.credentials import Credentials
    from .agent import Agent
    from .settings import WorkerSettings
    from .slots.gpus import Device


def _allow_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say what may be run, and calls `function` with `allowed`."""

    @click.option(
        "--allow",
        "functions",
        metavar="MODULE[:FUNCTION]",
        multiple=True,
        help="Run only functions of modules that match, such as 'examples.*'; repeatable.  [default: run anything]",
    )
    @click.option(
        "--allow-command",
        "programs",
        metavar="PATH",
        multiple=True,
        help="Run only commands whose program, links followed, matches, such as '/srv/train/*'; may be repeated.",
    )
    @functools.wraps(function)
    def command(*args: Any, functions: tuple[str, ...], programs: tuple[str, ...], **kwargs: Any) -> Any:
        return function(*args, allowed=Allowed(functions, programs), **kwargs)

    return command


@click.command()
@click.option(
    "--master",
    "masters",
    metavar="HOST:PORT[,HOST:PORT]",
    default="localhost:50051",
    show_default=True,
    envvar="RUNGMASTER_MASTER",
    show_envvar=True,
    help="Where the master listens; several, where standbys may take over. file:PATH: as the file of its --announce "
    "says, which is read again for each attempt.",
)
@credential_options
@click.option("--slots", type=click.IntRange(1, 10_000), help="Trials at once.  [default: the number of GPUs, or 1]")
@click.option("--name", help="What people call this worker.  [default: <host>-<pid>]")
@click.option("--label", "labels", metavar="KEY=VALUE", multiple=True, help="For `resources.labels` in a spec.")
@click.option(
    "--experiment",
    "experiments",
    metavar="ID",
    type=click.IntRange(1, 2**31 - 1),
    multiple=True,
    help="Work for this experiment only; may be repeated.  [default: for any]",
)
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="Where the training code is, and where relative checkpoint paths begin.  [default: here]",
)
@click.option(
    "--logs",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the output of the training goes.  [default: .rungmaster/logs in the directory]",
)
@click.option(
    "--keep-logs",
    "keep_logs_days",
    metavar="DAYS",
    type=click.FloatRange(0),
    help="Delete logs that have not changed for so long; by default they stay until their experiment is deleted.",
)
@click.option(
    "--log-limit",
    "log_limit_mib",
    metavar="MIB",
    type=click.IntRange(1, 1024),
    default=10,
    show_default=True,
    help="What is kept of the output of one assignment: its beginning and its end.",
)
@_allow_options
@click.option(
    "--hide-variable",
    "hidden",
    metavar="NAME",
    multiple=True,
    help="Keep matching environment variables, such as 'AWS_*', from the training; may be repeated.",
)
@click.option(
    "--grace",
    "grace_s",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long trials may take to save after SIGTERM or SIGINT.",
)
@click.option(
    "--connect-timeout",
    "connect_timeout_s",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to look for a master at the start; later the worker looks for ever.",
)
@click.option(
    "--fresh-processes",
    is_flag=True,
    help="Let each trial import its libraries anew, instead of forking a process that has imported them already.",
)
@click.option(
    "--acknowledged",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="RUNGMASTER_ACKNOWLEDGED",
    hidden=True,
    help="Write down every event that the master has acknowledged (for tests).",
)
@click.option(
    "--allow-storage",
    "allowed_storages",
    metavar="URL",
    multiple=True,
    help="Use this storage for checkpoints, with all below it, and no other; may be repeated.  [default: any]",
)
@click.option(
    "--exit-when-idle",
    "exit_when_idle_s",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Leave, with exit code 0, after this long with no trial here: none that trains, is loaded or is saved. It "
    "counts from the first master that was found.",
)
@click.option("--exit-with-parent", is_flag=True, help="Drain and leave when standard input closes.")
@click.option("--verbose", is_flag=True, help="Say more on standard error.")
@log_format_option
def command(
    masters: str,
    credentials: Credentials,
    slots: int | None,
    name: str | None,
    labels: tuple[str, ...],
    experiments: tuple[int, ...],
    directory: Path,
    logs: Path | None,
    keep_logs_days: float | None,
    log_limit_mib: int,
    allowed: Allowed,
    hidden: tuple[str, ...],
    grace_s: float,
    connect_timeout_s: float,
    fresh_processes: bool,
    acknowledged: Path | None,
    allowed_storages: tuple[str, ...],
    exit_when_idle_s: float | None,
    exit_with_parent: bool,
    verbose: bool,
    log_format: str,
) -> None:
    """Train trials for a master, on this host.

    Each trial runs in a process of its own, and takes one slot or more. SIGTERM, SIGINT or SIGHUP drains: the trials
    are saved and given back, and the exit code is 0. A second signal stops at once.
    """
    from .settings import WorkerSettings, default_name
    from .slots.gpus import find_gpus

    _check_name("--name", name or "")
    worker = name or default_name()
    layout = "%(asctime)s %(levelname)s %(message)s"
    set_up_logs(layout, verbose=verbose, log_format=log_format, worker=worker)
    directory = directory.resolve()
    devices = find_gpus()
    settings = WorkerSettings(
        name=worker,
        addresses=parse_addresses(masters),
        credentials=credentials,
        directory=directory,
        allowed_storages=allowed_storages,
        logs=(logs or directory / ".rungmaster" / "logs").resolve(),
        keep_logs_s=None if keep_logs_days is None else keep_logs_days * 86_400,
        log_limit=log_limit_mib << 20,
        slots=slots or len(devices) or 1,
        devices=_behind(devices, slots),
        labels=dict(_label(text) for text in labels),
        experiment_ids=frozenset(experiments),
        allowed=allowed,
        hidden_variables=hidden,
        exit_when_idle_s=exit_when_idle_s,
        grace_s=grace_s,
        connect_timeout_s=connect_timeout_s,
        fresh_processes=fresh_processes,
        acknowledged=acknowledged,
    )
    click.get_current_context().exit(asyncio.run(_work(settings, exit_with_parent)))


def _behind(devices: tuple[Device, ...], slots: int | None) -> tuple[Device, ...]:
    """The GPUs that are used: all, or the first ones where there are fewer slots."""
    return devices if slots is None else devices[:slots]


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.UsageError(f"--label: write KEY=VALUE, such as --label gpu=h100, not {text!r}")
    _check_name("--label", key)
    _check_name("--label", value)
    return key, value


def _check_name(option: str, text: str) -> None:
    """Says it where it was typed: a master would refuse such a worker."""
    if len(text) > MAX_WORKER_TEXT:
        raise click.UsageError(f"{option}: must have at most {MAX_WORKER_TEXT} characters, got {len(text)}")
    if problem := hidden_problem(text):
        raise click.UsageError(f"{option}: {problem}")


async def _work(settings: WorkerSettings, exit_with_parent: bool) -> int:
    from .agent import Agent
    from .process.signals import FOR_THE_WORKER

    agent = Agent(settings)
    loop = asyncio.get_running_loop()
    for number in FOR_THE_WORKER:
        # A terminal that closes says SIGHUP, which nohup lets nobody hear.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, agent.drain)
    if exit_with_parent:
        threading.Thread(target=_drain_at_end_of_input, args=(loop, agent), daemon=True).start()
    return await agent.run()


def _drain_at_end_of_input(loop: asyncio.AbstractEventLoop, agent: Agent) -> None:
    """Waits in a thread of its own. Reads past Python's buffers, whose locks would get in the way of leaving."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(agent.drain)
