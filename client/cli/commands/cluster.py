"""The commands `workers` and `drain`."""

from __future__ import annotations

import click

from ....proto.v1 import cluster_pb2
from ....shared.text.printing import say, say_lines
from ....shared.wire.convert import from_message, from_messages
from ....shared.wire.model import Worker, WorkerState
from ...client import Client
from .. import text
from ..options import json_option, steering_options
from ..output import print_document

_HEADER = ("worker", "state", "slots", "gpus", "host", "labels", "trains", "waits for")


@click.command("workers")
@steering_options
@json_option
def workers(client: Client, as_json: bool) -> None:
    """List the workers of a master: slots, what they train, and what they wait for.

    Behind a worker's name, which it gives itself, stands that of its token or certificate.
    """
    answer = client.connection.call(cluster_pb2.ListWorkersRequest())
    if as_json:
        print_document(answer)
        return
    info = client.master_info()
    values = list(from_messages(answer.workers, Worker))
    say(f"master {info.version} on {info.database}, term {info.term}; {text.workers_line(values)}")
    say_lines(text.table(_HEADER, map(_row, values), left=frozenset({0, 1, 4, 5, 6, 7})))


@click.command("drain")
@click.argument("worker")
@click.option("--wait", is_flag=True, help="Return only when it has left.")
@steering_options
@json_option
def drain(worker: str, wait: bool, client: Client, as_json: bool) -> None:
    """Have WORKER (its name, or its session id) leave: it saves and gives back what it trains, and exits with 0.

    There is no way back but to start it again.
    """
    answer = client.connection.call(cluster_pb2.DrainWorkerRequest(worker=worker))
    value = from_message(answer.worker, Worker)
    if not as_json:
        say(_drained(value))
    if wait:
        client.wait_until_left(value)
    if as_json:
        print_document(answer)
    elif wait:
        say(f"worker {value.worker} has left")


def _drained(worker: Worker) -> str:
    if worker.state is WorkerState.DISCONNECTED:
        return f"worker {worker.worker} is not connected: it is told to leave as soon as it is back"
    number = len(worker.leases)
    return f"worker {worker.worker} saves and gives back {number} trial{'' if number == 1 else 's'}, and leaves"


def _row(worker: Worker) -> tuple[str, ...]:
    labels = " ".join(f"{name}={value}" for name, value in sorted(worker.labels.items()))
    return (
        f"{worker.worker} ({worker.identity})" if worker.identity else worker.worker,
        worker.state.value,
        f"{worker.slots_used}/{worker.slots}",
        str(len(worker.gpus)),
        worker.host,
        labels or "-",
        " ".join(f"{lease.experiment_id}/{lease.trial_id}" for lease in worker.leases) or "-",
        worker.waiting_reason or "-",
    )
