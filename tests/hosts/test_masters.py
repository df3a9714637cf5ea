"""Masters whose host is cut off from the database, from the workers, from all, or lost; and the database's host."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from e2e.cluster import wait_for
from hosts.site import DATABASE, DIRECTIONS, HEAD, PATIENCE_S, SPARE, WORKERS, Site

pytestmark = [pytest.mark.storm, pytest.mark.timeout(600)]

MakeSite = Callable[..., Site]


def wait_until_all_train_at_the_standby(site: Site) -> None:
    site[SPARE].wait_for_line("ready on", PATIENCE_S)
    for name in WORKERS:
        site[name].wait_for_line("connected to a master of term 2", PATIENCE_S)


def check_that_the_old_master_leaves(site: Site) -> None:
    assert site[HEAD].popen.wait(PATIENCE_S) == 1, site[HEAD].lines
    site[HEAD].wait_for_line("this master's term 1 is over", PATIENCE_S)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_master_that_is_cut_off_from_its_database_is_replaced_and_commits_nothing_more(
    make_site: MakeSite, direction: str
) -> None:
    site = make_site()
    site.submit(max_trials=12, seconds_per_epoch=0.7)
    site.trial_of(WORKERS[0])
    site.cut([HEAD], [DATABASE], direction)
    wait_until_all_train_at_the_standby(site)
    assert site[HEAD].popen.poll() is None
    site.heal()
    # That its commits are none after the other's first is among what the verdict looks at.
    check_that_the_old_master_leaves(site)
    verdict = site.ends_well()
    assert set(verdict.leases) == {"released"}
    assert verdict.trained_again == 0


def test_a_master_that_is_cut_off_from_all_is_replaced_and_leaves_when_it_is_back(make_site: MakeSite) -> None:
    site = make_site()
    site.submit(max_trials=12, seconds_per_epoch=0.7)
    site.trial_of(WORKERS[0])
    site.cut([HEAD], site.lan.others(HEAD))
    wait_until_all_train_at_the_standby(site)
    site.heal()
    check_that_the_old_master_leaves(site)
    verdict = site.ends_well()
    assert set(verdict.leases) == {"released"}
    assert verdict.trained_again == 0


def test_the_standby_of_a_master_whose_host_is_lost_takes_over_and_no_lease_ends(make_site: MakeSite) -> None:
    site = make_site()
    site.submit(max_trials=12, seconds_per_epoch=0.7)
    site.trial_of(WORKERS[0])
    site.lan.lose(HEAD)
    wait_until_all_train_at_the_standby(site)
    # The first of the addresses is that of the lost host, which says nothing at all.
    asked = site.command(WORKERS[0], "status", "1", "--master", site.masters)
    assert asked.returncode == 0, asked.stderr
    verdict = site.ends_well()
    assert set(verdict.leases) == {"released"}
    assert verdict.trained_again == 0
    wait_for("the end of its sessions", lambda: not site.postgresql.sessions_of(site.lan[HEAD].address), PATIENCE_S)


def test_a_database_that_nobody_reaches_for_a_while_costs_nothing(make_site: MakeSite) -> None:
    site = make_site(lease_ttl_s=6.0)
    site.submit(max_trials=12, seconds_per_epoch=0.7)
    site.trial_of(WORKERS[0])
    site.cut([DATABASE], [HEAD, SPARE])
    site[HEAD].wait_for_line("the database did not take a batch", PATIENCE_S)
    site[HEAD].wait_for_line("the database is still out of reach", PATIENCE_S)
    time.sleep(10)
    site.heal()
    verdict = site.ends_well()
    assert set(verdict.leases) == {"released"}
    assert verdict.trained_again == 0
