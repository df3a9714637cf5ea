"""What is written as YAML reads as itself, by the reader of specs (version 1.2) and by PyYAML (1.1)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.shared.spec.document.reading import parse_document
from rungmaster.shared.spec.document.yaml_writing import yaml_text

#: Texts that one version or both would take for something else, and what is close to them.
_NUMBERS = [
    "1e-3",
    "1e3",
    "1.0e-3",
    ".5",
    "5.",
    "0x1F",
    "0o17",
    "017",
    "1_000",
    "1:30",
    "-.inf",
    ".NaN",
    "+.inf",
    "2024-01-01",
    "1,5",
]
_WORDS = ["yes", "No", "off", "true", "null", "~", "=", "<<", "-", "?", "'", '"', "#", "&a", "*a", "!!int", "%a", "@a"]
_SPACED = ["", " ", " a", "a: b", "a #b", "- a", "a\nb", "a\n\n b\n"]
_LONG = ["1" * 1001, "0x" + "f" * 1001, "a " * 100]
TEXTS = (
    st.sampled_from([*_NUMBERS, *_WORDS, *_SPACED, *_LONG])
    | st.from_regex(r"[-+]?[0-9oxXa-f_.:]{1,6}(e[-+]?[0-9]{1,3})?", fullmatch=True)
    | st.text(st.characters(codec="utf-8"), max_size=12)
)
#: The reader of specs refuses merging, however it is written.
NAMES = TEXTS.filter(lambda name: name != "<<")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), st.booleans())
def test_both_readers_read_what_was_written(values: dict[str, Any], short: bool) -> None:
    written = yaml_text([values], short=short)
    assert json.dumps(yaml.safe_load(written)) == json.dumps(values)
    assert json.dumps(parse_document(written)) == json.dumps(values)


@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=3))
def test_documents_are_read_as_so_many(documents: list[dict[str, Any]]) -> None:
    assert json.dumps([*yaml.safe_load_all(yaml_text(documents))]) == json.dumps(documents)


@pytest.mark.parametrize("text", ["1e-3", "0o17", "1" * 60, "yes", "1_000"])
def test_a_text_like_a_number_is_written_in_quotes(text: str) -> None:
    assert yaml_text([{"rate": text, "solver": "adam"}]) == f"rate: '{text}'\nsolver: adam\n"
