"""What the images of deploy/docker run: the wheel that they build, in an environment of its own, by the very
ENTRYPOINT, CMD and HEALTHCHECK lines, as their user, who can write to their volumes alone. A search ends there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from e2e.cluster import TRAINING, Cluster, Process, free_port, toy_spec

from rungmaster.client import Client
from rungmaster.client.cli.main import execute
from rungmaster.shared.net.credentials import Credentials

from .dockerfile import ROOT, Stage, context, stages

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="to become the images' user takes root and setpriv"
)


class Container:
    """What a stage leaves on a host: its files below a folder, and the processes of its user."""

    def __init__(self, root: Path, stage: Stage, environment: Path) -> None:
        self.root, self.stage, self.environment = root, stage, environment
        self.uid, _, self.gid = stage.value("USER").partition(":")
        self.variables: dict[str, str] = {"TMPDIR": str(self.folder("/tmp")), "HOME": str(root / "tmp")}
        for path in stage.value("VOLUME").split():
            self.folder(path)

    def folder(self, path: str) -> Path:
        """One that the user may write to: a volume."""
        made = self.root / path.strip("/")
        made.mkdir(parents=True, exist_ok=True)
        os.chown(made, int(self.uid), int(self.gid))
        return made

    def here(self, words: Sequence[str], ports: dict[int, int]) -> list[str]:
        """A command of the image, with its files below the folder and other ports."""
        placed = [re.sub(r"=(/(?:etc|var|srv))\b", rf"={self.root}\1", word) for word in words]
        for port, other in ports.items():
            placed = [re.sub(rf":{port}\b", f":{other}", word) for word in placed]
        return placed

    def program(self, words: Sequence[str]) -> list[str]:
        """The command line for it, as the user, in the image's environment."""
        become = ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--no-new-privs"]
        given = [f"{name}={value}" for name, value in self.variables.items()]
        path = f"PATH={self.environment}/bin:/usr/bin:/bin"
        return [*become, "--inh-caps=-all", "--bounding-set=-all", "env", "-i", path, *given, *words]


def interpreter() -> str:
    """A Python of the tests' own version that the images' user may run: not one in the home of root."""
    become = ["setpriv", "--reuid=10001", "--clear-groups", "--bounding-set=-all", "env"]
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for found in (os.path.realpath(sys.executable), f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        if subprocess.run([*become, found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    pytest.skip(f"there is no {name} that another user than root may run")


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """An environment with the wheel that the first stage builds from the files that it is given. What the wheel needs
    comes from the environment of the tests: to fetch it is not what is tested."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for file in context():
            copy = folder / "src" / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        (build,) = [words for name, words in stages()["wheel"].instructions if name == "RUN"]
        assert '"pip", "wheel"' in build
        make = "import sys, setuptools.build_meta as backend; backend.build_wheel(sys.argv[1])"
        done = subprocess.run(
            [sys.executable, "-c", make, "../wheels"], cwd=folder / "src", capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        shutil.rmtree(folder / "src")
        environment = folder / "venv"
        subprocess.run([interpreter(), "-m", "venv", "--without-pip", environment], check=True)
        (wheel,) = (folder / "wheels").glob("*.whl")
        pip = [sys.executable, "-m", "pip", "--python", environment, "install", "--quiet", "--no-deps", "--no-index"]
        subprocess.run([*pip, "--no-compile", "--disable-pip-version-check", wheel], check=True, capture_output=True)
        (packages,) = (environment / "lib").glob("*/site-packages")
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        yield environment


@pytest.fixture
def hosts(installed: Path) -> Iterator[dict[str, Container]]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield {target: Container(Path(name) / target, stages()[target], installed) for target in ("master", "worker")}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    running = Cluster(tmp_path, str(tmp_path / "unused.db"))
    yield running
    running.close()


def run(cluster: Cluster, host: Container, ports: dict[int, int]) -> Process:
    """As Docker starts a container without a command of its own."""
    entry, command = host.stage.words("ENTRYPOINT"), host.stage.words("CMD")
    words = host.program([*entry, *host.here(command, ports)])
    (host.root / "cwd").mkdir()
    become = ("-c", "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])")
    process = Process(command[0], words, host.root / "cwd", {}, become)
    cluster.processes.append(process)
    return process


def healthy(host: Container, ports: dict[int, int]) -> bool:
    words = host.program(host.here(host.stage.health_command, ports))
    return subprocess.run(words, capture_output=True, timeout=60, check=False).returncode == 0


def secrets(host: Container, other: Container) -> Path:
    """As deploy/docker/README.md has it: for the master below /etc/rungmaster, for the worker in files of its own."""
    made = host.root / "made"
    assert execute(["certs", "make", "--host", "master", "--out", str(made)]) == 0
    for name, role in (("worker", "worker"), ("alice", "admin")):
        create = ["token", "create", name, "--role", role, "--tokens", str(made / "tokens.yaml")]
        assert execute([*create, "--out", str(made / f"{name}.token")]) == 0
    etc = host.root / "etc/rungmaster"
    for source, target in (
        (made / "master.pem", etc / "tls/tls.crt"),
        (made / "master.key", etc / "tls/tls.key"),
        (made / "tokens.yaml", etc / "tokens/tokens.yaml"),
        (made / "ca.pem", other.root / "etc/ca.pem"),
        (made / "worker.token", other.root / "etc/worker.token"),
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o440)
        os.chown(target, 0, int(host.gid))
    return made


def test_a_search_ends_in_what_the_images_run(cluster: Cluster, hosts: dict[str, Container]) -> None:
    master, worker = hosts["master"], hosts["worker"]
    made = secrets(master, worker)
    ports = {50051: free_port(), 9151: free_port()}
    assert not healthy(master, ports)
    serving = run(cluster, master, ports)
    serving.wait_for_line("ready on")
    assert healthy(master, ports)
    shutil.copytree(TRAINING, worker.root / "srv/rungmaster")
    storage = worker.folder("/checkpoints")
    worker.variables |= {
        "RUNGMASTER_MASTER": f"localhost:{ports[50051]}",
        "RUNGMASTER_TLS_CA": str(worker.root / "etc/ca.pem"),
        "RUNGMASTER_TOKEN_FILE": str(worker.root / "etc/worker.token"),
    }
    training = run(cluster, worker, ports)
    credentials = Credentials(tls_ca=made / "ca.pem", token_file=made / "alice.token")
    with Client(f"localhost:{ports[50051]}", credentials=credentials, timeout=60) as client:
        small = {"name": "asha", "max_trials": 4, "max_resource": 3, "divisor": 3}
        number = client.submit(toy_spec(storage, searcher=small)).experiment_id
        assert client.wait(number).state == "completed"
        assert [each.identity for each in client.workers()] == ["worker"]
    assert training.terminate() == serving.terminate() == 0
    written = {path.relative_to(worker.root.parent).as_posix() for path in owned(worker.root.parent, worker.uid)}
    places = {
        re.match(r"(master/var/lib/rungmaster|worker/(var/lib/rungmaster|checkpoints|tmp)|master/tmp)", path)
        for path in written
    }
    assert None not in places, written
    assert any(path.startswith("worker/var/lib/rungmaster/logs/") for path in written)


def owned(folder: Path, uid: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.lstat().st_uid == int(uid)]
