"""The commands in the pods of deploy/kubernetes: the real command line takes them, and they run with secrets as its
page makes them, mounted as the chart mounts them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.cluster import Cluster, free_port, wait_for

from rungmaster.client import Client
from rungmaster.client.cli.main import execute
from rungmaster.master.cli.master import command as master_command
from rungmaster.shared.net.credentials import Credentials
from rungmaster.worker.cli import command as worker_command

from .chart import EXAMPLES, Object, container, mounts, pod, rendered, values_of

COMMANDS = {"master": master_command, "worker": worker_command}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets' files by their keys, made as deploy/kubernetes/README.md has it."""
    folder = tmp_path_factory.mktemp("secrets")
    assert execute(["certs", "make", "--host", "rm-master", "--out", str(folder)]) == 0
    for name, role in (("worker", "worker"), ("alice", "admin")):
        made = ["token", "create", name, "--role", role, "--tokens", str(folder / "tokens.yaml")]
        assert execute([*made, "--out", str(folder / f"{name}.token")]) == 0
    keys = {"tls.crt": "rm-master.pem", "tls.key": "rm-master.key", "ca.crt": "ca.pem", "token": "worker.token"}
    for key, file in keys.items():
        shutil.copy(folder / file, folder / key)
    return folder


def mounted(objects: list[Object], component: str, root: Path, secrets: Path) -> None:
    """What the kubelet does: each key of a secret becomes a file, by a link that a change moves; other volumes are
    empty."""
    for path, volume in mounts(pod(objects, component)).items():
        folder = root / path.strip("/")
        folder.mkdir(parents=True, exist_ok=True)
        for item in volume.get("secret", {}).get("items", ()):
            data = folder / "..data"
            data.mkdir(exist_ok=True)
            shutil.copy(secrets / item["key"], data / item["path"])
            (data / item["path"]).chmod(volume["secret"]["defaultMode"])
            (folder / item["path"]).symlink_to(Path("..data") / item["path"])


def command_of(objects: list[Object], component: str, root: Path) -> list[str]:
    """The arguments of `rungmaster`, with the files of the pod below `root`."""
    found = container(objects, component)
    assert found["command"] == ["rungmaster"]
    filled = [
        arg.replace("$(RUNGMASTER_DB)", "postgresql://u@db/n").replace("$(POD_NAME)", "pod-1") for arg in found["args"]
    ]
    assert not [arg for arg in filled if "$(" in arg]
    return [re.sub(r"=(/(etc|var|srv))\b", rf"={root}\1", arg) for arg in filled]


def environment_of(objects: list[Object], component: str, root: Path) -> dict[str, str]:
    given = {env["name"]: env["value"] for env in container(objects, component)["env"] if "value" in env}
    return {name: re.sub(r"^/(etc|tmp)", rf"{root}/\1", value) for name, value in given.items()}


@pytest.mark.parametrize("component", COMMANDS)
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_command_line_takes_every_option(
    example: str, component: str, tmp_path: Path, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = rendered(values_of(example))
    mounted(objects, component, tmp_path, secrets)
    (tmp_path / "srv/rungmaster").mkdir(parents=True)
    variables = environment_of(objects, component, tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    name, *arguments = command_of(objects, component, tmp_path)
    assert name == component
    with COMMANDS[component].make_context(name, arguments) as context:
        read = [param.envvar for param in context.command.params]
    assert {name for name in variables if name.startswith("RUNGMASTER_")} <= set(filter(None, map(str, read)))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    running = Cluster(tmp_path, str(tmp_path / "unused.db"))
    yield running
    running.close()


def test_master_and_worker_of_the_pods_find_each_other(cluster: Cluster, tmp_path: Path, secrets: Path) -> None:
    """Under TLS, with tokens, on SQLite in the volume; only the addresses are others, since there is no cluster."""
    objects, port = rendered(values_of("one-master")), free_port()
    for component in COMMANDS:
        mounted(objects, component, tmp_path / component, secrets)
    (tmp_path / "worker/srv/rungmaster").mkdir(parents=True)
    given = command_of(objects, "master", tmp_path / "master")
    listens = iter((port, free_port(), free_port()))
    given = [re.sub(r"=0\.0\.0\.0:\d+", lambda _: f"=0.0.0.0:{next(listens)}", arg) for arg in given]
    master = cluster.start("master", *given)
    master.wait_for_line("ready on")
    assert (tmp_path / "master" / "var/lib/rungmaster/rungmaster.db").exists()
    cluster.environment |= environment_of(objects, "worker", tmp_path / "worker")
    given = command_of(objects, "worker", tmp_path / "worker")
    given = [arg.replace("=rm-master:50051", f"=localhost:{port}") for arg in given]
    worker = cluster.start("worker", *given)
    worker.wait_for_line("connected to a master")
    credentials = Credentials(tls_ca=secrets / "ca.pem", token_file=secrets / "alice.token")
    with Client(f"localhost:{port}", credentials=credentials) as client:
        (found,) = wait_for("the worker", lambda: client.workers())
    assert (found.worker, found.identity, found.slots) == ("pod-1", "worker", 2)
    assert worker.terminate() == master.terminate() == 0
