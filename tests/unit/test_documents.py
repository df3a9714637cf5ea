"""Reading YAML and JSON that anyone may have written."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.shared.errors import InvalidInput, InvalidSpec
from rungmaster.shared.spec.document.reading import MAX_BYTES, parse_document, read_document
from rungmaster.shared.spec.document.yaml_values import MAX_DEPTH, plain_scalar

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("-2.5e+3", -2500.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-7", -7),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("1e", "1e"),
        ("-.inf", -math.inf),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    assert plain_scalar(text) == value
    assert type(plain_scalar(text)) is type(value)
    if text:
        assert parse_document(f"[{text}, '{text}', !!str {text}]") == [value, text, text]


def test_what_is_not_finite_survives_so_that_a_later_check_can_name_its_place() -> None:
    values = parse_document("[.nan, .inf, -.INF, 1e999]")

    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf, math.inf]
    assert math.isnan(parse_document('{"a": NaN}')["a"])


@given(JSON_VALUES)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    for text in (json.dumps({"value": value}), json.dumps({"value": value}, indent=2, ensure_ascii=False)):
        assert parse_document(text) == {"value": value}


@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=60) | st.text("[]{}:,-&*!|>#'\"%@`? \n\tab1", max_size=60)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InvalidSpec):
        parse_document(text)


def test_anchors_are_followed() -> None:
    assert parse_document("a: &x {p: 1}\nb: *x\nc: &y 7\nd: *y") == {"a": {"p": 1}, "b": {"p": 1}, "c": 7, "d": 7}


def laughs(levels: int) -> str:
    """Each level has the one before nine times."""
    lines = ["a0: &a0 [x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels))]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: [1,\nb: 2",
            "while parsing a flow sequence that began at line 1, column 4",
        ),
        ("a: 'x", "document: line 1, column 6: does not parse: found unexpected end of stream"),
        ("a: 1\nb: 2\na: 3", 'document: line 3, column 1: "a" is there already'),
        ('{"a": 1,\n "a": 2}', 'document: line 2, column 2: "a" is there already'),
        ("a: {b: 1, b: 2}", 'document: line 1, column 11: "b" is there already'),
        ("", "document: is empty"),
        ("# nothing\n", "document: is empty"),
        ("a: 1\n---\nb: 2", "document: line 2, column 1: a second document begins here; only one is wanted"),
        ("a: *b", "document: line 1, column 4: there is no finished anchor &b before this"),
        ("a: &a [*a]", "document: line 1, column 8: there is no finished anchor &a before this"),
        ("a: !!python/object:os.system ls", "document: line 1, column 4: the tag !!python/object:os.system"),
        ("a: !x {}", "document: line 1, column 4: the tag !x is not supported"),
        ("a: !!int x", "document: line 1, column 4: this is not what its tag !!int says"),
        ("<<: {a: 1}", "document: line 1, column 1: merging (<<) is not supported; write the fields out"),
        ("? [a]\n: 1", "document: line 1, column 3: the name of a field must be plain text"),
        ("a: " + "9" * 5000, "document: line 1, column 4: a whole number must have at most 1000 digits, got 5000"),
        ("- " * 40 + "x", f"document: line 1, column 61: is nested more than {MAX_DEPTH} deep"),
        ("[" * 40 + "]" * 40, f"document: line 1, column 31: is nested more than {MAX_DEPTH} deep"),
        ("[" * 100_000, "document: line 1, column 1001: does not parse: exceeded maximum nesting depth"),
        (laughs(9), "document: line 6, column 40: the document has more than 100000 values"),
        ("a: &a [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\nb: [[[[[[[[[[[[*a]]]]]]]]]]]]", "nested more than 30 deep"),
        ("a: \x00", "document: has a character at position 3 that no text may have"),
        ("a: \ud800", "document: has half a character (a lone surrogate)"),
        ("x" * (MAX_BYTES + 1), "document: is larger than 1 MiB, the most that a document may have"),
        ("é" * (MAX_BYTES // 2 + 1), "document: is larger than 1 MiB"),
    ],
)
def test_a_bad_text_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse_document(text)
    assert message in str(caught.value)


def test_brackets_inside_json_text_do_not_count_as_nesting() -> None:
    text = json.dumps({"a": "[{" * 100})
    assert parse_document(text) == {"a": "[{" * 100}


def test_a_file_is_read_whatever_its_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: \xc3\xa9")
    assert read_document(path) == "name: é"


def test_a_file_of_50_mb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    with pytest.raises(InvalidInput, match=r"huge\.yaml: is larger than 1 MiB, the most that a document may have"):
        read_document(path)


def test_a_stream_without_a_size_is_read_up_to_the_limit() -> None:
    with pytest.raises(InvalidInput, match="larger than 1 MiB"):
        read_document(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xfe", r"is not UTF-8 text \(byte 0\)"), (None, "cannot be read: No such file or directory")],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "spec.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match=message):
        read_document(path)


def test_a_folder_or_an_impossible_name_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read: Is a directory"):
        read_document(tmp_path)
    with pytest.raises(InvalidInput, match="is not the name of a file"):
        read_document(Path("a\0b"))
