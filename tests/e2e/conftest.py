from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e.cluster import Cluster


@pytest.fixture
def make_cluster(tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    """Makes clusters that are gone when the test is over."""
    clusters: list[Cluster] = []

    def make(database: str | None = None, **options: float) -> Cluster:
        clusters.append(Cluster(tmp_path, database or str(tmp_path / "search.db"), **options))
        return clusters[-1]

    yield make
    for cluster in clusters:
        cluster.close()
