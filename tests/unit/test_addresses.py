"""Addresses of masters, as people write them."""

from __future__ import annotations

import pytest

from rungmaster.shared.errors import InvalidInput
from rungmaster.shared.net.addresses import is_announced, is_loopback, parse_addresses
from rungmaster.shared.net.dashboards import with_its_value


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("head:50051", ("head:50051",)),
        ("head", ("head:50051",)),
        ("a:1, b:2", ("a:1", "b:2")),
        ("a:1,b,", ("a:1", "b:50051")),
        ("a:1,a:1", ("a:1",)),
        ("10.0.0.7:7000", ("10.0.0.7:7000",)),
        ("[::1]", ("[::1]:50051",)),
        ("[fe80::2]:9", ("[fe80::2]:9",)),
        ("file:run/master.address", ("file:run/master.address",)),
        ("file:/a b/c:d, head", ("file:/a b/c:d", "head:50051")),
        ("file:7000", ("file:7000",)),
    ],
)
def test_addresses_are_read_as_people_write_them(text: str, addresses: tuple[str, ...]) -> None:
    assert parse_addresses(text) == addresses


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no address"),
        (" , ", "no address"),
        (":50051", "host is missing"),
        ("head:", "port must be a number"),
        ("head:0", "port must be a number"),
        ("head:65536", "port must be a number"),
        ("head:http", "port must be a number"),
        ("http://head:1", "brackets"),
        ("http://head", "host is missing|port must be"),
        ("::1", "brackets"),
        ("[::1", "brackets"),
        ("[::1]5", "brackets"),
        ("file:", "path of the file is missing"),
        ("my head:1", "characters that no host name has"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        parse_addresses(text)


def test_only_this_machine_is_loopback() -> None:
    assert all(map(is_loopback, ["127.0.0.1:1", "localhost:1", "[::1]:1", "127.8.0.1:1"]))
    assert not any(map(is_loopback, ["head:1", "10.0.0.1:1", "0.0.0.0:1", "[::]:1", "127.0.0.1.example.com:1"]))


def test_nobody_listens_at_what_a_file_says() -> None:
    with pytest.raises(InvalidInput, match=r"no host name has|port must be"):
        parse_addresses("file:/run/address", listening=True)


def test_a_file_with_the_address_is_told_from_a_host_of_that_name() -> None:
    assert is_announced("file:/run/address")
    assert not any(map(is_announced, ["file:7000", "head:1", "files:/x"]))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--dashboard spec.yaml", "--dashboard=auto spec.yaml"),
        ("--dashboard -", "--dashboard=auto -"),
        ("spec.yaml --dashboard", "spec.yaml --dashboard=auto"),
        ("--dashboard --workers 2 spec.yaml", "--dashboard=auto --workers 2 spec.yaml"),
        ("--dashboard a/b:c.yaml", "--dashboard=auto a/b:c.yaml"),
        ("--dashboard 0.0.0.0:80 spec.yaml", "--dashboard 0.0.0.0:80 spec.yaml"),
        ("--dashboard [::1]:80 spec.yaml", "--dashboard [::1]:80 spec.yaml"),
        ("--dashboard host:many spec.yaml", "--dashboard host:many spec.yaml"),
        ("--dashboard=host spec.yaml", "--dashboard=host spec.yaml"),
        ("-- --dashboard spec.yaml", "-- --dashboard spec.yaml"),
    ],
)
def test_the_page_of_a_run_takes_an_address_and_leaves_the_spec(typed: str, meant: str) -> None:
    assert with_its_value(typed.split()) == meant.split()
