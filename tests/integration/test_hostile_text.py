"""Nothing that anybody writes acts on the terminal of whoever looks: names are refused, all else is escaped."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from e2e.cluster import Cluster, Process, toy_spec

from rungmaster.client import Client
from rungmaster.client.cli.main import execute
from rungmaster.proto.v1 import cluster_pb2, experiment_pb2
from rungmaster.proto.v1 import worker_pb2 as pb
from rungmaster.proto.v1.experiment_pb2_grpc import ExperimentServiceStub
from rungmaster.shared.errors import InvalidInput, InvalidSpec
from rungmaster.shared.net.channel import open_channel
from rungmaster.shared.net.credentials import NO_CREDENTIALS
from rungmaster.shared.wire import convert, model
from rungmaster.shared.wire.model import ExperimentState

from .raw_session import RawSession, raw_session
from .small_master import NOW, SmallMaster, event, experiment, trial

#: Colours, moves the cursor, erases, rings, changes the title; C1's CSI; a forged line; what turns text around.
HOSTILE = (
    "a\x1b[31mred\x1b[2J\x1b]0;title\x07\x9b1mC1\rover\nError: forged\x7f\x85\u2028next\u202egnp.exe\u2066\u200e\u061c"
)
FOR_TERMINALS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
EACH = ["\x1b[31m", "\r", "\n", "\x07", "\x7f", "\x9b", "\x85", "\u202e", "\u2066", "\u200f", "\u061c", "\u2028", "\0"]


def check(printed: str, shows: str = "") -> None:
    """Nothing in it acts on a terminal, and no line is one that its author made up."""
    assert not FOR_TERMINALS.search(printed)
    assert not [line for line in printed.splitlines() if line.startswith("Error: forged")]
    assert shows in printed


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Process]]:
    folder = tmp_path_factory.mktemp("hostile")
    cluster = Cluster(folder, f"sqlite:///{folder / 'ledger.db'}", lease_ttl_s=60.0)
    yield cluster, cluster.master()
    cluster.close()


def refused(cluster: Cluster, message: pb.SessionRequest, *, working: bool = False) -> str:
    """How the master refuses a message of a worker."""

    async def story() -> str:
        async with raw_session(cluster.address, "hostile") as session:
            if working:
                await session.hello()
                await session.take_work()
                for happened in message.events:
                    happened.lease.CopyFrom(session.lease)
            await session.write(message)
            refusal = await session.refusal()
            assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
            check(refusal.details)
            return refusal.details

    return asyncio.run(story())


@pytest.mark.parametrize("character", EACH, ids=lambda each: f"U+{ord(each[0]):04X}")
def test_no_name_of_a_worker_has_such_a_character(running: tuple[Cluster, Process], character: str) -> None:
    name = f"a{character}b"
    changes: dict[str, dict[str, Any]] = {
        "hello.session_id": {"session_id": name},
        "hello.worker": {"worker": name},
        "hello.host": {"host": name},
        "hello.version": {"version": name},
        "hello.labels": {"labels": {name: "a100"}},
        "hello.labels.gpu": {"labels": {"gpu": name}},
        "hello.gpus[0].model": {"gpus": [pb.Gpu(model=name)]},
        "hello.gpus[0].uuid": {"gpus": [pb.Gpu(uuid=name)]},
    }
    for path, fields in changes.items():
        hello = pb.Hello(**({"session_id": "hostile", "slots": 1} | fields))
        assert refused(running[0], pb.SessionRequest(hello=hello)).startswith(f"{path}: ")


def test_no_name_of_a_metric_or_a_request_has_one(running: tuple[Cluster, Process]) -> None:
    cluster = running[0]
    with Client(cluster.address) as client:
        number = client.submit(toy_spec(cluster.folder)).experiment_id
    measured = pb.Measurement(resource=1, metrics={"error": 0.5, HOSTILE: 1.0})
    bundle = pb.SessionRequest(events=[pb.LeaseEvent(sequence=1, measurement=measured)])
    assert refused(cluster, bundle, working=True).startswith("events[0].measurement.metrics: a name ")
    asked = pb.SessionRequest(work_request=pb.WorkRequest(request_id=HOSTILE, free_slots=1))
    assert refused(cluster, asked, working=True).startswith("work_request.request_id: ")
    with Client(cluster.address) as client:
        client.cancel(number)


@pytest.mark.parametrize("character", EACH[:-1], ids=lambda each: f"U+{ord(each[0]):04X}")
def test_no_name_in_a_spec_has_one(running: tuple[Cluster, Process], character: str) -> None:
    cluster, name = running[0], f"a{character}b"
    changes: dict[str, dict[str, Any]] = {
        "name": {"name": name},
        "unit": {"unit": name},
        "metric.name": {"metric": {"name": name, "goal": "minimize"}},
        f"hyperparameters.{name}": {"hyperparameters": {name: {"type": "float", "low": 0.0, "high": 1.0}}},
        "resources.labels.gpu": {"resources": {"labels": {"gpu": name}}},
        f"resources.labels.{name}": {"resources": {"labels": {name: "a100"}}},
        "checkpoints.storage": {"checkpoints": {"storage": f"/tmp/{name}"}},
    }
    with Client(cluster.address) as client:
        for path, fields in changes.items():
            with pytest.raises(InvalidSpec) as caught:
                client.submit(toy_spec(cluster.folder, **fields))
            check(str(caught.value))
            (problem,) = caught.value.problems
            assert problem.path == convert_path(path)
        with pytest.raises(InvalidInput, match=r"^request_id: "):
            client.submit(toy_spec(cluster.folder), request_id=name)


def convert_path(path: str) -> str:
    """As it is told."""
    return path.encode("unicode_escape").decode() if FOR_TERMINALS.search(path.replace("\n", "\r")) else path


def test_no_owner_and_no_path_of_code_has_one(running: tuple[Cluster, Process]) -> None:
    cluster = running[0]
    with open_channel(cluster.address, NO_CREDENTIALS) as channel:
        spec = toy_spec(cluster.folder)
        for path, request in (
            ("owner: ", experiment_pb2.CreateExperimentRequest(spec=spec, owner=HOSTILE)),
            ("code: a path ", experiment_pb2.CreateExperimentRequest(spec=spec, code={HOSTILE: "a"})),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                ExperimentServiceStub(channel).CreateExperiment(request, timeout=60)
            assert isinstance(caught.value, grpc.Call)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert (caught.value.details() or "").startswith(path)
            check(caught.value.details() or "")


async def _trouble(session: RawSession) -> None:
    """A worker that says whatever it can about a trial, and goes."""
    await session.hello(labels={"pool": "a"})
    await session.take_work()
    report = session.measurements(1)
    report[0].broken_checkpoints = HOSTILE
    report[0].broken_uris.append(f"file:///{HOSTILE}")
    exit_ = pb.Exit(outcome=pb.EXIT_OUTCOME_FAILED, error=f"{HOSTILE}\nTraceback\n{HOSTILE}")
    await session.send([*report, pb.LeaseEvent(lease=session.lease, sequence=2, exit=exit_)])
    await session.acknowledged(2)
    failed = pb.FailedDeletion(uri=f"file:///{HOSTILE}", error=HOSTILE)
    await session.write(pb.SessionRequest(waiting=HOSTILE, failed_deletions=[failed]))
    session.name += "-again"


WITH_JSON = ("status", "trial", "watch", "workers", "list", "best", "trials", "metrics")
LOOKS: list[tuple[str, ...]] = [
    ("status", "{id}"),
    ("list",),
    ("best", "{id}"),
    ("best", "{id}", "--top", "2"),
    *((("best", "{id}", "--format", form)) for form in ("yaml", "json", "env", "args")),
    ("trials", "{id}"),
    *(("trials", "{id}", "--format", form) for form in ("csv", "jsonl")),
    ("trials", "{id}", "--columns", "reason,prompt"),
    ("trial", "{id}", "0"),
    ("metrics", "{id}", "0"),
    ("workers",),
    ("pause", "{id}"),
    ("resume", "{id}"),
    ("set", "{id}", "--priority", "2"),
    ("drain", "talks"),
    ("cancel", "{id}"),
    ("watch", "{id}"),
    ("watch", "{id}", "--events"),
    ("thin", "{id}"),
    ("delete", "{id}"),
]


def test_whatever_a_worker_and_a_spec_say_every_command_shows_it_and_none_lets_it_act(
    running: tuple[Cluster, Process], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster, master = running
    choices = {"type": "categorical", "choices": [HOSTILE, "b" + HOSTILE]}
    spec = toy_spec(
        tmp_path,
        entrypoint=["train", HOSTILE.replace("\0", "")],
        hyperparameters={"quality": {"type": "float", "low": 0.0, "high": 1.0}, "prompt": choices, "fixed": HOSTILE},
        max_restarts=0,
    )
    (tmp_path / "spec.yaml").write_text(spec)
    first = shown(capsys, cluster, "submit", str(tmp_path / "spec.yaml"))
    number = re.search(r"experiment (\d+)", first)
    assert number is not None

    async def story() -> None:
        async with raw_session(cluster.address, "talks") as session:
            await _trouble(session)
            await asyncio.to_thread(everything, cluster, capsys, number[1])

    asyncio.run(story())
    # What others send besides: tokens, names of methods, ids, pages.
    with open_channel(cluster.address, NO_CREDENTIALS) as channel:
        call: Any = channel.unary_unary("/rungmaster.v1.ClusterService/DrainWorker")
        for name in ("nobody", HOSTILE):
            with pytest.raises(grpc.RpcError) as caught:
                call(cluster_pb2.DrainWorkerRequest(worker=name).SerializeToString(), timeout=60)
            assert isinstance(caught.value, grpc.Call)
            check(caught.value.details() or "")
    log = "\n".join(master.lines)
    check(log)


TRAINING = f"""
def train(trial):
    try:
        trial.report(1, **{{{HOSTILE!r}: 1.0, "error": 0.5}})
    except Exception as error:
        assert {HOSTILE!r} not in str(error)
        raise ValueError({HOSTILE!r}) from error
"""


def test_training_code_is_told_of_a_metrics_name_where_it_reports_and_the_workers_log_is_safe(
    running: tuple[Cluster, Process], capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = running[0]
    (cluster.folder / "names.py").write_text(TRAINING)
    with Client(cluster.address) as client:
        number = client.submit(toy_spec(cluster.folder, entrypoint="names:train", max_restarts=0)).experiment_id
        worker = cluster.worker("honest")
        assert client.wait(number).state is ExperimentState.FAILED
        error = client.trial(number, 0).leases[0].error
    assert "ValueError: " in error
    assert "metrics: a name must not have control or hidden characters" in error
    worker.terminate()
    check("\n".join(worker.lines), "ValueError: a")
    check(shown(capsys, cluster, "trial", str(number), "0"), "ValueError: a")
    check(shown(capsys, cluster, "status", str(number)), "ValueError: a")


RISING = f"""
def train(trial):
    trial.report(1, error=trial.hparams["quality"])
    if trial.trial_id % 2:
        raise ValueError({HOSTILE!r})
    print({HOSTILE!r})
"""


def test_run_and_what_needs_no_master_let_nothing_act(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder, file = HOSTILE.replace("/", "").replace("\0", ""), f"{HOSTILE}.yaml"
    space = {"quality": {"type": "float", "low": 0.0, "high": 1.0}, "prompt": HOSTILE}
    searcher = {"name": "asha", "max_trials": 4, "max_resource": 1}
    spec = {"hyperparameters": space, "searcher": searcher, "max_restarts": 0, "entrypoint": "rising:train"}
    Path(file).write_text(toy_spec(Path("checkpoints"), **spec))
    Path("rising.py").write_text(RISING)
    shows = {
        ("run", file, "--workers", "1"): "prompt",
        ("run", file, "--json"): "\\u001b",
        ("status",): "\\x1b",
        ("best", "--format", "yaml"): "\\e[31mred",
        ("best", "--format", "json"): "\\u001b",
        ("best", "--format", "env"): "\\x1b",
        ("best", "--format", "args"): "\\x1b",
        ("trial", "1", "1", "--json"): "\\u001b",
        ("trials",): "\\u001b",
        ("watch", "--events"): "\\x1b",
        ("watch", "--json"): "\\u001b",
        ("checkpoint", "1", "0", "--to", folder): "",
        ("db", "check"): "whole",
        ("db", "check", "--json"): "violations",
        ("db", "sweep", "--dry-run"): "would be deleted",
        ("db", "backup", f"{folder}.db"): "\\x1b",
        ("export", "1", "--out", f"{folder}.parquet"): "\\x1b",
        ("export", "1", "--format", "csv"): "\\x1b",
        ("export", "1", "--format", "jsonl"): "\\u001b",
        ("db", "check", "--db", f"{folder}-gone.db"): "\\x1b",
        ("init", folder): "\\x1b",
        ("plan", file): "\\x1b",
        ("plan", file, "--json"): "\\u001b",
        ("plan", f"{file}-gone"): "\\x1b",
        ("simulate", file, "--workers", "2"): "\\x1b",
        ("simulate", file, "--workers", "2", "--json"): "\\u001b",
        ("drive", f"{file}-gone"): "\\x1b",
    }
    for command, words in shows.items():
        execute(list(command))
        captured = capfd.readouterr()
        check(captured.out + captured.err, words)
    check(Path("rungmaster.log").read_text(), "\\x1b")


def everything(cluster: Cluster, capsys: pytest.CaptureFixture[str], number: str) -> None:
    seen = {}
    for command in LOOKS:
        arguments = [part.format(id=number) for part in command]
        if command[0] in WITH_JSON and not {"--format", "--columns"} & set(command):
            check_json(capsys, cluster, arguments)
        seen[command] = shown(capsys, cluster, *arguments)
    assert r"prompt=\"" in seen["trials", "{id}"] or r"\u001b[31mred" in seen["trials", "{id}"]
    assert r"\x1b[31mred\x1b[2J" in seen["workers",]
    assert "next" in seen["watch", "{id}", "--events"]
    assert r"\x9b1mC1" in seen["trial", "{id}", "0"]


def shown(capsys: pytest.CaptureFixture[str], cluster: Cluster, *arguments: str) -> str:
    """What a command prints, on both outputs."""
    execute([*arguments, "--master", cluster.address, "--timeout", "60"])
    captured = capsys.readouterr()
    check(captured.out)
    check(captured.err)
    return captured.out + captured.err


def check_json(capsys: pytest.CaptureFixture[str], cluster: Cluster, arguments: Sequence[str]) -> None:
    """It can be shown, and says the same to a program."""
    execute([*arguments, "--json", "--master", cluster.address, "--timeout", "60"])
    printed = capsys.readouterr().out
    check(printed)
    texts: list[str] = []
    decoder, rest = json.JSONDecoder(), printed.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        gather(value, texts)
        rest = rest[end:].strip()
    if arguments[0] in ("trials", "best", "trial", "workers", "watch", "status"):
        assert any(HOSTILE in text for text in texts), arguments


def gather(value: Any, texts: list[str]) -> None:
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            gather(each, texts)


class HostileMaster(SmallMaster):
    """One whose records have such characters everywhere, also where no master of today lets them in."""

    def ListWorkers(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = super().ListWorkers(request, context)
        worker = convert.from_message(answer.workers[0], model.Worker)
        gpus = (model.Gpu(HOSTILE, HOSTILE, 80),)
        labels = {HOSTILE: HOSTILE}
        changed = replace(
            worker, worker=HOSTILE, host=HOSTILE, version=HOSTILE, gpus=gpus, labels=labels, waiting_reason=HOSTILE
        )
        return cluster_pb2.ListWorkersResponse(workers=[convert.to_message(changed)])

    def GetMasterInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        del request, context
        return convert.to_message(model.MasterInfo(HOSTILE, 3, NOW, HOSTILE, 1, 1, 2, 1, HOSTILE))

    def ListMetrics(self, request: Any, context: Any) -> Any:  # noqa: N802
        del request, context
        reports = [model.Report(1, {"validation_error": 0.5, HOSTILE: 1.0}, 1, 1, NOW, 0, 1)]
        return experiment_pb2.ListMetricsResponse(reports=map(convert.to_message, reports))

    def GetTrial(self, request: Any, context: Any) -> Any:  # noqa: N802
        del context
        lease = model.Lease(1, HOSTILE, 0, 1, NOW, NOW, HOSTILE, HOSTILE)
        checkpoint = model.Checkpoint(f"file:///{HOSTILE}", 1, 100, HOSTILE, 1, NOW, None)
        return experiment_pb2.GetTrialResponse(
            trial=convert.to_message(self.trials[request.trial_id]),
            leases=[convert.to_message(lease)],
            checkpoints=[convert.to_message(checkpoint)],
        )


@pytest.fixture
def hostile_master(monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileMaster]:
    master = HostileMaster()
    values = {HOSTILE: HOSTILE, "list": [HOSTILE, {HOSTILE: 1}]}
    master.trials = [
        replace(trial(1, number), hparams=values, worker=HOSTILE, state_reason=HOSTILE) for number in range(3)
    ]
    named = {"name": HOSTILE, "owner": HOSTILE, "metric": HOSTILE, "unit": HOSTILE, "state_reason": HOSTILE}
    best = {"best_trial": master.trials[1], "leading_trial": master.trials[1], "spec": {HOSTILE: HOSTILE}}
    for number, state in ((1, ExperimentState.ACTIVE), (2, ExperimentState.FAILED), (3, ExperimentState.PAUSED)):
        master.experiments[number] = replace(experiment(number, state), **named, **best)
    data = {"outcome": "failed", "worker": HOSTILE, "error": HOSTILE, HOSTILE: HOSTILE}
    master.events = [replace(event(n + 1, kind), data=data) for n, kind in enumerate(("lease_ended", HOSTILE))]
    master.start()
    monkeypatch.setenv("RUNGMASTER_MASTER", master.address)
    yield master
    master.stop()


@pytest.mark.parametrize(
    "command",
    [
        *(("status", number) for number in "123"),
        *(("list",), ("best", "1"), ("best", "1", "--top", "2"), ("trials", "1")),
        *(("trials", "1", "--format", form) for form in ("csv", "jsonl")),
        *(("trials", "1", option, HOSTILE) for option in ("--columns", "--where")),
        *(("best", "1", "--format", form) for form in ("yaml", "json", "env", "args")),
        *(("trial", "1", "1"), ("metrics", "1", "1"), ("workers",), ("watch", "2"), ("watch", "2", "--events")),
        *(("pause", "1"), ("resume", "3"), ("cancel", "1"), ("delete", "2"), ("status",)),
        *(("drain", HOSTILE), ("status", HOSTILE), (HOSTILE,), ("submit", HOSTILE), ("status", "--db", HOSTILE)),
        *(("worker", "--name", HOSTILE), ("worker", "--label", HOSTILE), ("worker", "--label", f"a={HOSTILE}")),
        *(("worker", "--directory", HOSTILE), ("plan", HOSTILE), ("master", "--listen", HOSTILE)),
    ],
    ids=lambda command: " ".join(part if part != HOSTILE else "HOSTILE" for part in command),
)
def test_whatever_a_master_says_no_command_lets_it_act(
    hostile_master: HostileMaster, capfd: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    execute(list(command))
    captured = capfd.readouterr()
    check(captured.out)
    check(captured.err)
    assert "red" in captured.out + captured.err or command[0] in ("delete", "drain")
    if command[0] in ("status", "list", "best", "trials", "trial", "metrics", "workers", "watch", "pause", "cancel"):
        execute([*command, "--json"])
        captured = capfd.readouterr()
        check(captured.out)
        check(captured.err)
