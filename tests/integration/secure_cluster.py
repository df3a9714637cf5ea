"""A real master that serves with TLS and asks for tokens, and what callers need to reach it."""

from __future__ import annotations

from pathlib import Path

import yaml
from e2e.cluster import Cluster, Process

from rungmaster.shared.net.credentials import Credentials

from .certificates import Authority

#: Made up for the tests; each is a name, a role and a token.
ADMIN, WORKER, VIEWER = ("alice", "admin", "a" * 32), ("gpu-7", "worker", "w" * 32), ("wall", "viewer", "v" * 32)
SUBMITTER, OTHER_SUBMITTER = ("carol", "submitter", "c" * 32), ("dave", "submitter", "d" * 32)
EXPIRED = ("old", "admin", "x" * 32)
ALL = (ADMIN, WORKER, VIEWER, SUBMITTER, OTHER_SUBMITTER)


class SecureCluster(Cluster):
    """Everything in one folder: authority, certificate and tokens of the master, and a token file for each caller."""

    def __init__(self, folder: Path, lease_ttl_s: float = 5.0) -> None:
        super().__init__(folder, f"sqlite:///{folder / 'ledger.db'}", lease_ttl_s)
        self.authority = Authority(folder, "authority")
        self.pair = self.authority.issue("head")
        self.tokens = folder / "tokens.yaml"
        self.allow(*ALL)
        for name, _, token in (*ALL, EXPIRED):
            (folder / f"{name}.token").write_text(token)

    def allow(self, *callers: tuple[str, str, str]) -> None:
        """Writes the file of tokens anew."""
        entries = [{"name": name, "role": role, "token": token} for name, role, token in callers]
        expired = dict(zip(("name", "role", "token"), EXPIRED, strict=True)) | {"expires": "2020-01-01"}
        new = self.folder / "new.yaml"
        new.write_text(yaml.safe_dump([*entries, expired]))
        new.chmod(0o600)
        new.replace(self.tokens)

    def secure_master(self, *options: str) -> Process:
        """Starts the master and waits until it serves."""
        process = self.start(
            "master",
            *("master", "--listen", self.address, "--db", self.database, "--lease-ttl", str(self.lease_ttl_s)),
            *("--tls-cert", str(self.pair.certificate), "--tls-key", str(self.pair.key)),
            *("--tokens", str(self.tokens), *options),
        )
        process.wait_for_line("ready on")
        return process

    def options(self, caller: tuple[str, str, str]) -> tuple[str, ...]:
        """What a command of this caller is told."""
        token = self.folder / f"{caller[0]}.token"
        return "--master", self.address, "--tls-ca", str(self.authority.path), "--token-file", str(token)

    def credentials(self, caller: tuple[str, str, str] | None = None) -> Credentials:
        """The same in Python; without a token where no caller is given."""
        return Credentials(tls_ca=self.authority.path, token=caller[2] if caller else "")
