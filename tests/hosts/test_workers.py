"""Workers whose host is cut off, each way by itself, or lost; packets that are late or lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from chaos.verdict import Verdict
from e2e.cluster import wait_for
from hosts.site import DIRECTIONS, HEAD, PATIENCE_S, SPARE, WORKERS, Site
from hosts.switch import Way

pytestmark = [pytest.mark.storm, pytest.mark.timeout(600)]

MakeSite = Callable[..., Site]


def outcomes(site: Site, trial: int) -> list[tuple[str, str]]:
    """Who had the leases of a trial, and how each ended."""
    return [(lease.worker, lease.outcome or "held") for lease in site.leases(trial)]


def check_what_expired(verdict: Verdict) -> None:
    """One worker's leases, and no others: of what it trained, and of what it was to train next."""
    assert set(verdict.leases) == {"released", "expired"}
    assert verdict.leases["expired"] <= 2


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_worker_that_is_cut_off_for_less_than_its_lease_loses_nothing(make_site: MakeSite, direction: str) -> None:
    site = make_site(lease_ttl_s=60.0)
    site.submit(max_trials=12, seconds_per_epoch=0.7)
    site.trial_of(WORKERS[0])
    site.cut([WORKERS[0]], [HEAD, SPARE], direction)
    # For long enough that the connection has to be made anew: nothing tells either side that it is dead.
    site[WORKERS[0]].wait_for_line("no session with the master", PATIENCE_S)
    site.heal()
    verdict = site.ends_well()
    assert set(verdict.leases) == {"released"}
    assert verdict.trained_again == 0


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_trial_of_a_worker_that_is_cut_off_for_longer_goes_on_elsewhere_and_what_it_says_later_is_refused(
    make_site: MakeSite, direction: str
) -> None:
    site = make_site(lease_ttl_s=4.0)
    site.submit(max_trials=12, seconds_per_epoch=0.7)
    trial = site.trial_of(WORKERS[0])
    site.cut([WORKERS[0]], [HEAD, SPARE], direction)
    wait_for("the end of its lease", lambda: (WORKERS[0], "expired") in outcomes(site, trial), PATIENCE_S)
    wait_for("another worker that takes it", lambda: outcomes(site, trial)[-1][0] in WORKERS[1:], PATIENCE_S)
    site.heal()
    site[WORKERS[0]].wait_for_line("is given up", PATIENCE_S)
    verdict = site.ends_well()
    check_what_expired(verdict)


def test_the_trial_of_a_worker_whose_host_is_lost_goes_on_elsewhere(make_site: MakeSite) -> None:
    site = make_site(lease_ttl_s=4.0)
    site.submit(max_trials=12, seconds_per_epoch=0.7)
    trial = site.trial_of(WORKERS[0])
    site.lan.lose(WORKERS[0])
    wait_for("the end of its lease", lambda: (WORKERS[0], "expired") in outcomes(site, trial), PATIENCE_S)
    verdict = site.ends_well()
    check_what_expired(verdict)
    assert {trial.worker for trial in site.trials()} <= {"", *WORKERS}


def test_packets_that_are_lost_and_late_cost_nothing(make_site: MakeSite) -> None:
    site = make_site()
    site.lan.everywhere(Way(loss=0.02, delay_s=0.001, jitter_s=0.002))
    far = Way(loss=0.05, delay_s=0.02, jitter_s=0.04)
    site.lan.ways(WORKERS, [HEAD, SPARE], far)
    site.lan.ways([HEAD, SPARE], WORKERS, far)
    site.submit(max_trials=20, seconds_per_epoch=0.1)
    verdict = site.ends_well()
    assert set(verdict.leases) == {"released"}
    assert verdict.trained_again == 0


def test_workers_that_all_lose_their_master_wait_for_it_and_its_standby_stays_one(make_site: MakeSite) -> None:
    site = make_site(lease_ttl_s=4.0, takeover_after_s=4.0)
    site.submit(max_trials=12, seconds_per_epoch=0.7)
    for name in WORKERS:
        site.trial_of(name)
    site.cut(WORKERS, [HEAD, SPARE])
    wait_for("the end of all leases", lambda: site.held() == [], PATIENCE_S)
    for name in WORKERS:
        site[name].wait_for_line("no session with the master", PATIENCE_S)
    site.heal()
    site.ends_well()
    assert not any("ready on" in line for line in site[SPARE].lines)
    for name in WORKERS:
        assert not any("term 2" in line for line in site[name].lines)
        # Each reason is told once, after the time of day, however long it lasts.
        told = [line.partition("WARNING")[2] for line in site[name].lines if "no session with the master" in line]
        assert len(told) == len({*told})
