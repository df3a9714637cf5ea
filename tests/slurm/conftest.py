from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm.private_slurm import PrivateSlurm, missing


@pytest.fixture(scope="module")
def slurm() -> Iterator[PrivateSlurm]:
    """A Slurm of this module's own; without one here its tests are skipped."""
    if reason := missing():
        pytest.skip(reason)
    # The path of munge's socket is limited to about 100 characters: pytest's own folders may be too deep.
    with (
        tempfile.TemporaryDirectory(prefix="rungmaster-slurm-", ignore_cleanup_errors=True) as folder,
        PrivateSlurm(Path(folder)) as started,
    ):
        yield started
