"""Who reads for people rests the longer, the more the master has to do otherwise."""

from __future__ import annotations

import threading
import time

import pytest

from rungmaster.master.services.rests import REST, Look, rest_after


@pytest.mark.parametrize(
    ("others_s", "rest_s"), [(0.0, 0.0), (0.2, 0.0), (0.35, REST / 2), (0.5, REST), (1.0, REST), (3.0, REST)]
)
def test_a_rest_is_as_long_as_the_master_is_busy(others_s: float, rest_s: float) -> None:
    assert rest_after(1.0, others_s) == pytest.approx(rest_s)
    assert rest_after(0.01, others_s / 100) == pytest.approx(rest_s / 100)
    assert rest_after(0.0, 0.0) == 0.0


def burn(cpu_s: float) -> None:
    began = time.thread_time()
    while time.thread_time() - began < cpu_s:
        pass


def test_a_look_counts_what_others_use_and_not_what_it_uses_itself() -> None:
    alone = Look()
    alone.run(lambda: burn(0.05))
    assert alone.rest_s == 0.0
    beside = Look()
    others = threading.Thread(target=burn, args=(0.1,))

    def query() -> str:
        others.start()
        others.join()
        return "found"

    assert beside.run(query) == "found"
    assert beside.rest_s > 0.0


def test_whoever_asks_is_told_of_the_error_of_a_look() -> None:
    look = Look()
    with pytest.raises(ZeroDivisionError):
        look.run(lambda: 1 / 0)
