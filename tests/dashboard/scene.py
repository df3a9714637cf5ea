"""One real master with tokens, one worker and one dashboard for all tests of the page, and what they look at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml
from e2e.cluster import Cluster, toy_spec, wait_for

from rungmaster.client import Client
from rungmaster.shared.net.credentials import Credentials

ADMIN, VIEWER, WORKER = ("alice", "admin", "a" * 32), ("wall", "viewer", "v" * 32), ("gpu-7", "worker", "w" * 32)
#: What a browser would run, if a page let it.
HOSTILE = "<img src=x onerror=document.title='run'>"
_CSRF = re.compile(r'name="csrf" content="([^"]+)"')


class Scene(Cluster):
    """Experiment 1 has completed; 2 has hostile names, and trials that failed; 3 is paused and waits."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, str(folder / "search.db"))
        self.environment["TALK"] = str(folder)
        self.go(0)
        tokens = folder / "tokens.yaml"
        callers = (ADMIN, VIEWER, WORKER)
        tokens.write_text(yaml.safe_dump([dict(zip(("name", "role", "token"), each, strict=True)) for each in callers]))
        tokens.chmod(0o600)
        (folder / "worker.token").write_text(WORKER[2])
        master = ("master", "--listen", "127.0.0.1:0", "--db", self.database, "--tokens", str(tokens))
        self.address = self.start("master", *master).wait_for_line("ready on").split()[4]
        dashboard = self.start("dashboard", "dashboard", "--master", self.address, "--listen", "127.0.0.1:0")
        self.client = Client(self.address, credentials=Credentials(token=ADMIN[2]))
        self.completed = self.submit(name="trained", seed=4)
        self.hostile = self.submit(
            name=HOSTILE,
            entrypoint="toy:fail",
            hyperparameters={"quality": {"type": "float", "low": 0.0, "high": 1.0}, HOSTILE: "</script><b>bold</b>"},
            max_restarts=0,
        )
        self.paused = self.submit(name="waits")
        self.client.pause(self.paused)
        self.url = dashboard.wait_for_line("ready on").split()[-1].rstrip("/")
        worker = ("worker", "--master", self.address, "--token-file", "worker.token", "--name", "gpu-host")
        self.start("worker", *worker, "--slots", "2")
        for number in (self.completed, self.hostile):
            wait_for(f"the end of {number}", lambda number=number: self.client.get(number).over)

    def submit(self, **changes: object) -> int:
        """A search over the toy program."""
        return self.client.submit(toy_spec(self.folder / "checkpoints", **changes)).experiment_id

    def go(self, epoch: int) -> None:
        """Lets what prints go on to this epoch."""
        (self.folder / "going").write_text(str(epoch))
        (self.folder / "going").rename(self.folder / "go")

    def talk(self, function: str) -> int:
        """A search of one trial, which prints, and waits for `go` after each of its four epochs."""
        searcher = {"name": "asha", "max_trials": 1, "max_resource": 4, "max_rungs": 1}
        number = self.submit(
            name="talks", entrypoint=f"talking:{function}", searcher=searcher, hyperparameters={"x": 1}
        )
        wait_for("its trial", lambda: list(self.client.trials(number)))
        return number

    @contextmanager
    def browser_of(self, caller: tuple[str, str, str] | None, host: str = "127.0.0.1") -> Iterator[httpx.Client]:
        """What a browser without JavaScript is, signed in as a caller; `host` is where it seems to be."""
        headers = {"accept": "text/html", "origin": self.url}
        transport = httpx.HTTPTransport(local_address=host)
        with httpx.Client(base_url=self.url, headers=headers, timeout=30, transport=transport) as client:
            if caller is not None:
                assert client.post("/sign-in", data={"token": caller[2]}).status_code == 303
            yield client

    def close(self) -> None:
        """Ends everything."""
        self.client.close()
        super().close()


def csrf_of(client: httpx.Client) -> str:
    """What the forms of its session bring along."""
    found = _CSRF.search(client.get("/").text)
    assert found is not None
    return found[1]
