"""A search of a hundred trials on several hosts, one of which is lost, and one cut off and back."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from e2e.cluster import wait_for
from hosts.site import HEAD, SPARE, WORKERS, Site
from hosts.switch import Way

pytestmark = [pytest.mark.storm, pytest.mark.timeout(600)]


def spent(site: Site) -> int:
    found = site.experiment()
    return 0 if found is None else found.resource_spent


def test_a_search_of_a_hundred_trials_loses_nothing_with_a_host_lost_and_a_partition_healed(
    make_site: Callable[..., Site],
) -> None:
    site = make_site(lease_ttl_s=5.0)
    site.lan.everywhere(Way(loss=0.01, delay_s=0.002, jitter_s=0.004))
    began = time.monotonic()
    site.submit(max_trials=100, seconds_per_epoch=0.2)
    wait_for("a quarter of it", lambda: spent(site) > 90)
    site.trial_of(WORKERS[0])
    site.cut([WORKERS[0]], [HEAD, SPARE])
    wait_for("a lease that expired", lambda: any(trial.workers_lost for trial in site.trials()))
    site.heal()
    wait_for("half of it", lambda: spent(site) > 180)
    site.trial_of(WORKERS[1])
    site.lan.lose(WORKERS[1])
    verdict = site.ends_well()
    took_s = time.monotonic() - began
    trials = site.trials()
    assert len(trials) == 100
    # Of the two workers, what each trained and what it was to train next.
    assert 2 <= verdict.leases["expired"] <= 4
    print(
        f"{len(trials)} trials, {verdict.reports} reports, {verdict.acknowledged} events acknowledged, "
        f"{verdict.trained} epochs trained, {verdict.trained_again} of them again, leases {dict(verdict.leases)}, "
        f"{took_s:.0f} s"
    )
