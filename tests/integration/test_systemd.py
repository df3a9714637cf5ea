"""The units of deploy/systemd: systemd takes them as they are, they are hardened, and their commands run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path

import pytest
from e2e.cluster import Cluster, wait_for

from rungmaster.client import Client
from rungmaster.client.cli.main import execute
from rungmaster.shared.net.credentials import Credentials

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
INSTALLED = "/usr/local/lib/rungmaster/bin/rungmaster"
#: The instance by which each is tried, and how exposed `systemd-analyze security` may find it (0 to 10): a worker runs
#: what people submit, on GPUs, and so keeps devices and all calls of the system.
MASTER, WORKER = "rungmaster-master@head.service", "rungmaster-worker@digits.service"
EXPOSED = {MASTER: 1.5, WORKER: 5.0}

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (Debian: package systemd)"
)


def template_of(unit: str) -> Path:
    return UNITS / re.sub(r"@\w+", "@", unit)


def entries(unit: str) -> dict[str, list[str]]:
    """What stands in [Service], by key, with continued lines joined."""
    found: dict[str, list[str]] = {}
    text = template_of(unit).read_text().replace("\\\n", " ")
    for line in text.partition("[Service]")[2].partition("[Install]")[0].splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units in a folder, as if this environment were where they look for the program."""
    program = tmp_path / "rungmaster"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for template in UNITS.glob("*.service"):
        text = template.read_text()
        assert f"ExecStart={INSTALLED} " in text
        (tmp_path / template.name).write_text(text.replace(INSTALLED, str(program)))
    return tmp_path


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "--no-pager", *arguments]
    environment = {"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


@needs_systemd
@pytest.mark.parametrize("unit", EXPOSED)
def test_systemd_takes_a_unit_without_a_word(installed: Path, unit: str) -> None:
    done = analyze(installed, "verify", "--man=no", unit)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "rungmaster" in line]
    assert (done.returncode, ours) == (0, [])


@needs_systemd
@pytest.mark.parametrize("unit", EXPOSED)
def test_a_unit_is_hardened(installed: Path, unit: str) -> None:
    done = analyze(installed, "security", "--offline=yes", str(installed / template_of(unit).name))
    level = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    if level is None:
        pytest.skip(f"this systemd-analyze cannot look at a file alone: {done.stderr.strip()}")
    assert float(level[1]) <= EXPOSED[unit]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    running = Cluster(tmp_path, str(tmp_path / "ledger.db"))
    yield running
    running.close()


def variables(example: str, **changed: str) -> dict[str, str]:
    """An environment file as it is shipped, with what is different here."""
    parser = RawConfigParser()
    parser.optionxform = str  # pyright: ignore[reportAttributeAccessIssue] - as its documentation says
    parser.read_string(f"[all]\n{(UNITS / example).read_text()}")
    assert changed.keys() <= dict(parser["all"]).keys()
    return dict(parser["all"]) | changed


def command_of(unit: str, environment: dict[str, str], credentials: Path, etc: Path) -> list[str]:
    """The command as systemd would run it: `$NAME` is split at blanks, `${NAME}` is not."""
    (line,) = entries(unit)["ExecStart"]
    words: list[str] = []
    for word in shlex.split(line)[1:]:
        if split := re.fullmatch(r"\$(\w+)", word):
            words += environment[split[1]].split()
        else:
            words.append(re.sub(r"\$\{(\w+)\}", lambda name: environment[name[1]], word))
    return [word.replace("%d", str(credentials)).replace("/etc/rungmaster", str(etc)) for word in words]


def loaded(unit: str, etc: Path, credentials: Path) -> None:
    """What LoadCredential does."""
    credentials.mkdir()
    for entry in entries(unit)["LoadCredential"]:
        name, _, source = entry.partition(":")
        instance = re.search(r"@(\w+)", unit)
        assert instance is not None
        path = Path(source.replace("/etc/rungmaster", str(etc)).replace("%i", instance[1]))
        shutil.copyfile(path, credentials / name)


def test_the_commands_of_the_units_run_as_the_page_has_it(cluster: Cluster, tmp_path: Path) -> None:
    """Certificates, tokens and environment files in one folder, as deploy/systemd/README.md has it. A worker reaches
    the master by them."""
    etc, port = tmp_path / "etc", cluster.address.rpartition(":")[2]
    assert execute(["certs", "make", "--host", "head", "--out", str(etc)]) == 0
    for name, role in (("worker", "worker"), ("alice", "admin")):
        made = ["token", "create", name, "--role", role, "--tokens", str(etc / "tokens.yaml")]
        assert execute([*made, "--out", str(etc / f"{name}.token")]) == 0
    options = {"RUNGMASTER_LISTEN": f"0.0.0.0:{port}", "RUNGMASTER_METRICS": "127.0.0.1:0"}
    loaded(MASTER, etc, tmp_path / "of-master")
    given = command_of(MASTER, variables("master.env", **options), tmp_path / "of-master", etc)
    master = cluster.start("master", *given)
    master.wait_for_line("ready on")
    loaded(WORKER, etc, tmp_path / "of-worker")
    for entry in entries(WORKER)["Environment"]:
        if entry.startswith("RUNGMASTER_"):
            pairs = (pair.partition("=") for pair in entry.split())
            cluster.environment |= {name: value.replace("%d", str(tmp_path / "of-worker")) for name, _, value in pairs}
    environment = variables("worker.env", RUNGMASTER_MASTER=f"localhost:{port}")
    cluster.environment |= environment
    worker = cluster.start("worker", *command_of(WORKER, environment, tmp_path / "of-worker", etc))
    worker.wait_for_line("connected to a master")
    credentials = Credentials(tls_ca=etc / "ca.pem", token_file=etc / "alice.token")
    with Client(f"localhost:{port}", credentials=credentials) as client:
        wait_for("the worker", lambda: [each.identity for each in client.workers()] == ["worker"])
    assert worker.terminate() == master.terminate() == 0
    # The environment files ask for logs in JSON; what is no entry of the log is what a master says to people.
    entries_of = [json.loads(line) for line in worker.lines]
    assert {entry["worker"] for entry in entries_of} == {f"{socket.gethostname()}-{worker.popen.pid}"}
    assert all({"time", "level", "logger", "message"} <= entry.keys() for entry in entries_of)
    assert [line for line in master.lines if not line.startswith(("{", "rungmaster master ready on"))] == []
