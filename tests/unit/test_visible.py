"""Whatever a text says, showing it does nothing to a terminal, and JSON of it says the same."""

from __future__ import annotations

import json
import logging
import unicodedata

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.client.cli import text
from rungmaster.client.hparam_forms import as_yaml
from rungmaster.shared.text.failure_text import failure_text, summary
from rungmaster.shared.text.logs import JsonFormatter, VisibleFormatter, about
from rungmaster.shared.text.visible import HIDDEN, hidden_problem, json_text, visible, visible_block

#: Told here once more, by name and number: what terminals obey, and what turns or breaks the text around it.
FORBIDDEN = [
    *map(chr, (*range(0x20), *range(0x7F, 0xA0))),
    *"\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    *"\ufeff\u200b\ud800\udfff\U000e0001",
]
hostile = st.text(st.one_of(st.sampled_from(FORBIDDEN), st.characters(codec=None), st.sampled_from("[31m;\\x")))


def harmless(shown: str) -> bool:
    return not any(character in shown for character in FORBIDDEN) and not HIDDEN.search(shown)


@pytest.mark.parametrize("character", FORBIDDEN, ids=lambda character: f"U+{ord(character):04X}")
def test_each_is_shown_by_its_number_and_refused_in_a_name(character: str) -> None:
    shown = visible(f"a{character}b")
    assert shown.isascii()
    assert shown.isprintable()
    assert eval(f'"{shown}"') == f"a{character}b", "as Python would write it"
    assert hidden_problem(f"a{character}b")
    assert harmless(hidden_problem(f"a{character}b") or "")


@pytest.mark.parametrize("name", ["", "loss", "été", "中文", "a b", "👩\u200d🔬", "می\u200cخواهم", "\u00a0", "a\\x1b"])
def test_what_people_write_stays_as_it_is(name: str) -> None:
    assert visible(name) == name
    assert hidden_problem(name) is None
    assert json.loads(json_text(name)) == name


@given(hostile)
def test_nothing_hidden_is_left_in_a_line(written: str) -> None:
    assert harmless(visible(written))
    assert visible(visible(written)) == visible(written)
    assert (hidden_problem(written) is None) == (visible(written) == written)


@given(hostile)
def test_a_block_keeps_its_line_breaks_and_tabs_alone(written: str) -> None:
    shown = visible_block(written)
    assert harmless(shown.replace("\n", "").replace("\t", ""))
    assert shown.count("\n") == written.count("\n")


@given(st.recursive(hostile, lambda inner: st.lists(inner) | st.dictionaries(hostile, inner), max_leaves=5))
def test_json_of_anything_can_be_shown_and_says_the_same(value: object) -> None:
    assert harmless(json_text(value))
    assert harmless(json_text(value, indent=2).replace("\n", ""))
    assert json.loads(json_text(value)) == value == json.loads(json_text(value, indent=2))


@given(hostile, hostile)
def test_tables_lists_and_errors_show_nothing_hidden_and_stay_aligned(one: str, other: str) -> None:
    lines = list(text.table((one, "x"), [(other, "1")], left=frozenset({0})))
    assert harmless("".join(lines))
    assert len({len(line) for line in lines}) == 1
    assert harmless("".join(text.listing({one: other, other: [one]})))
    assert harmless(summary(failure_text(one, other, one)))


@given(
    st.dictionaries(hostile.filter(lambda name: name.isprintable()), st.text(st.sampled_from([*FORBIDDEN[:160], "a"])))
)
def test_hyperparameters_as_yaml_show_nothing_hidden_and_say_the_same(values: dict[str, str]) -> None:
    written = as_yaml(values)
    assert harmless(written.replace("\n", ""))
    if not any(unicodedata.category(character) == "Cs" for value in values.values() for character in value):
        assert list(yaml.safe_load_all(written)) == [values]


@given(hostile)
def test_an_entry_of_the_log_is_one_line_and_its_traceback_is_indented(written: str) -> None:
    try:
        raise ValueError(written)
    except ValueError as error:
        record = logging.LogRecord("x", logging.INFO, "", 0, "said %s", (written,), (ValueError, error, None))
    entry, *following = VisibleFormatter("%(levelname)s %(message)s").format(record).split("\n")
    assert entry == f"INFO said {visible(written)}"
    assert harmless("".join(following).replace("\t", ""))
    assert all(line.startswith("  ") for line in following[1:])


def entry(written: str) -> logging.LogRecord:
    record = logging.LogRecord("x", logging.INFO, "", 0, "said %s", (written,), None)
    record.__dict__.update(about(1, 0, written))
    return record


@given(hostile.filter(bool))
def test_an_entry_of_the_log_says_what_it_is_about(written: str) -> None:
    shown = visible(written)
    assert (
        VisibleFormatter("%(message)s").format(entry(written)) == f"said {shown} [experiment=1 trial=0 worker={shown}]"
    )
    line = JsonFormatter().format(entry(written))
    assert harmless(line)
    found = json.loads(line)
    assert [found[name] for name in ("message", "experiment", "trial", "worker")] == [f"said {written}", 1, 0, written]


def test_the_log_of_a_worker_names_it_in_each_entry() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "connected", (), None)
    assert VisibleFormatter("%(message)s", "gpu-3").format(record) == "connected [worker=gpu-3]"
    assert json.loads(JsonFormatter("gpu-3").format(record))["worker"] == "gpu-3"
