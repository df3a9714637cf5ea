"""What a sampler program was asked, and how long trials wait for it."""

from __future__ import annotations

import pytest

from rungmaster.master.sampling.asks import Asks
from rungmaster.master.sampling.patience import Patience
from rungmaster.master.sampling.process import ProgramBroken


def test_it_owes_as_many_suggestions_as_it_was_asked_for() -> None:
    asks = Asks()
    first, second = asks.ask(2, now=1.0), asks.ask(1, now=2.0)
    assert (asks.under_way, asks.waiting_since) == (3, 1.0)
    asks.suggested(second, now=3.0)
    asks.suggested(first, now=4.0)
    assert asks.waiting_since == 4.0, "the next one is waited for from here on"
    asks.suggested(first, now=5.0)
    assert asks.waiting_since is None


def test_what_has_come_is_under_way_until_it_is_taken() -> None:
    asks = Asks()
    asks.suggested(asks.ask(1, now=1.0), now=2.0)
    assert asks.under_way == 1
    asks.taken()
    assert asks.under_way == 0


def test_after_a_failure_it_owes_nothing_more_for_that_ask() -> None:
    asks = Asks()
    ask = asks.ask(3, now=1.0)
    asks.suggested(ask, now=2.0)
    asks.taken()
    asks.failed(ask, now=3.0)
    assert (asks.under_way, asks.waiting_since) == (0, None)


def test_an_answer_to_nothing_that_was_asked_breaks_the_conversation() -> None:
    asks = Asks()
    ask = asks.ask(1, now=1.0)
    with pytest.raises(ProgramBroken, match="the ask 7, for which no suggestion is owed"):
        asks.suggested(7, now=2.0)
    asks.suggested(ask, now=2.0)
    with pytest.raises(ProgramBroken):
        asks.suggested(ask, now=3.0)
    with pytest.raises(ProgramBroken):
        asks.failed(ask, now=3.0)


def test_a_trial_waits_from_when_it_was_first_seen() -> None:
    patience = Patience(10.0)
    patience.waits_for([0], now=100.0)
    patience.waits_for([0, 1], now=105.0)
    assert (patience.overdue(109.9), patience.next_end()) == ([], 110.0)
    assert patience.overdue(110.0) == [0]
    assert patience.overdue(120.0) == patience.waiting == [0, 1]


def test_who_waits_no_more_is_not_waited_for() -> None:
    patience = Patience(10.0)
    patience.waits_for([0, 1, 2], now=100.0)
    patience.served(0)
    patience.waits_for([1], now=101.0)
    assert patience.waiting == [1]
    patience.served(1)
    assert patience.next_end() is None
