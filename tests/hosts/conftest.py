from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hosts.lan import missing
from hosts.site import Site


@pytest.fixture(scope="session", autouse=True)
def hosts() -> None:
    """Where there can be no hosts of one's own, all tests of this folder are skipped."""
    if reason := missing():
        pytest.skip(reason)


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes sites that are gone when the test is over."""
    sites: list[Site] = []
    # The path of a Unix socket is limited to about 100 characters: pytest's own folders may be too deep.
    with tempfile.TemporaryDirectory(prefix="rungmaster-hosts-", ignore_cleanup_errors=True) as short:

        def make(**options: float) -> Site:
            sites.append(Site(tmp_path, Path(short), **options))
            return sites[-1]

        yield make
        for site in sites:
            site.close()
