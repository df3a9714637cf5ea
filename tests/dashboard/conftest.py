from __future__ import annotations

from collections.abc import Iterator

import pytest
from dashboard.scene import Scene


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The master, its worker and its dashboard, for all tests of this process."""
    scene = Scene(tmp_path_factory.mktemp("dashboard"))
    yield scene
    scene.close()
