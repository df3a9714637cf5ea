"""What lies in the checkpoint store in the end, held against what the ledger has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rungmaster.master.maintenance.sweep import Where, sweep_database
from rungmaster.shared.checkpoints.manifest import MANIFEST

from .breakage import Breakage
from .verdict import Evidence

Name = tuple[str, str, str]


def undeleted(evidence: Evidence) -> list[str]:
    """Checkpoints that nothing needs any more and that no worker has deleted yet."""
    return [row.uri for row in evidence.rows["checkpoints"] if row.delete_time is not None and not row.deleted]


def differences(url: str, folder: Path, storage: Path, evidence: Evidence, breakage: Breakage) -> Iterator[str]:
    """Once all leases have ended and orphans are swept: what is in the store or in the ledger, and not in both.

    What a fault has removed may be needed all the same, since nobody has looked. What one has taken the manifest from
    stays for people: nothing tells it from what is somebody else's.
    """
    for failure in sweep_database(url, Where(folder, folder / "logs"), 0.0, dry_run=False).failures:
        yield f"sweeping: {failure}"
    needed = {_name(row.uri) for row in evidence.rows["checkpoints"] if row.delete_time is None}
    folders = [path for path in storage.glob("*/*/*/*") if path.is_dir()]
    there = {_name(str(path)) for path in folders}
    bare = {_name(str(path)) for path in folders if not (path / MANIFEST).exists()} & {*map(_name, breakage.broken)}
    missing = sorted(needed - there - {*map(_name, breakage.gone)})
    needless = sorted(there - needed - bare)
    yield from (f"checkpoint {'/'.join(name)} is in the store, and nobody needs it" for name in needless)
    yield from (f"checkpoint {'/'.join(name)} is needed, and not in the store" for name in missing)


def _name(uri: str) -> Name:
    """Experiment, trial and the checkpoint's own name."""
    experiment, trial, name = uri.rsplit("/", 3)[1:]
    return experiment, trial, name
