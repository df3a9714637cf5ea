"""The folder that all jobs of one search share, and what is in it.

spec.yaml, request-id         the search; the id makes submitting it again harmless
jobs.json                     the jobs that were submitted last
env                           variables for the shell of whoever looks
master.address, ended         written by master.sbatch: where the master is, and how the search ended
certs, tokens.yaml, *.token   made by master.sbatch
rungmaster.db, *.out          the database, and what the jobs print
"""

from __future__ import annotations

import json
import os
import shlex
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...shared.errors import InvalidInput, NotFound


@dataclass(frozen=True, slots=True)
class Jobs:
    """The ids of the jobs of a search: the master's, and the workers' arrays."""

    master: str
    workers: tuple[str, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """All of them, the workers' first: as long as they save, they need the master."""
        return (*self.workers, self.master)


class SearchFolder:
    """One search's folder, by its absolute path."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.address = self.path / "master.address"
        self._spec, self._request = self.path / "spec.yaml", self.path / "request-id"
        self._jobs = self.path / "jobs.json"

    def prepare(self, spec: str, *, insecure: bool, has_master: bool = False) -> bool:
        """Makes the folder and puts the search into it; whether it is new, and not one that goes on.

        Unless it has a master now, what an earlier one told is taken out.

        Raises InvalidInput where it cannot be written, has another search, or other ideas of security.
        """
        # A comma would end the address of its file among several, and Slurm takes % for a number of its own.
        if wrong := {",", "%"} & set(str(self.path)):
            raise InvalidInput(f"--folder {self.path}: must have no {' and no '.join(sorted(wrong))} in its path")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._not_writable(error.strerror) from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise self._not_writable("it is not yours to write")
        if insecure and (self.path / "certs").exists():
            raise InvalidInput(
                f"--insecure: {self.path} has certificates already; leave it out, or give another --folder"
            )
        try:
            new = self._put(spec, insecure)
            for told in () if has_master else ("master.address", "ended"):
                (self.path / told).unlink(missing_ok=True)
        except OSError as error:
            raise self._not_writable(error.strerror) from error
        return new

    def _put(self, spec: str, insecure: bool) -> bool:
        new = not self._request.exists()
        if not new and self._spec.read_text(encoding="utf-8") != spec:
            raise InvalidInput(
                f"{self.path} has another search ({self._spec.name} there differs): give another --folder for this one"
            )
        self._spec.write_text(spec, encoding="utf-8")
        if new:
            self._request.write_text(uuid.uuid4().hex, encoding="utf-8")
        lines = [f"export {name}={shlex.quote(value)}" for name, value in self._variables(insecure)]
        (self.path / "env").write_text("\n".join([*lines, ""]), encoding="utf-8")
        return new

    def _variables(self, insecure: bool) -> Sequence[tuple[str, str]]:
        address = ("RUNGMASTER_MASTER", f"file:{self.address}")
        if insecure:
            return [address]
        return [
            address,
            ("RUNGMASTER_TLS_CA", str(self.path / "certs" / "ca.pem")),
            ("RUNGMASTER_TOKEN_FILE", str(self.path / "admin.token")),
        ]

    def _not_writable(self, why: str | None) -> InvalidInput:
        return InvalidInput(
            f"--folder {self.path}: cannot be written: {why}; give one that you may write, on all hosts"
        )

    def record(self, jobs: Jobs) -> None:
        """Notes which jobs were submitted."""
        document = {"master": jobs.master, "workers": list(jobs.workers)}
        self._jobs.write_text(json.dumps(document) + "\n", encoding="utf-8")

    def jobs(self) -> Jobs | None:
        """The jobs that were submitted last; None where there were none. Raises InvalidInput for a file of others."""
        try:
            document = json.loads(self._jobs.read_text(encoding="utf-8"))
            return Jobs(document["master"], tuple(document["workers"]))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidInput(f"{self._jobs}: is not what `rungmaster slurm up` writes ({error})") from error

    def known_jobs(self) -> Jobs:
        """The same. Raises NotFound where there were none."""
        jobs = self.jobs()
        if jobs is None:
            raise NotFound(f"{self.path} has no jobs of `rungmaster slurm up`; name the folder by --folder")
        return jobs
