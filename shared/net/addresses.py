"""Where masters are: `host:port[,host:port]`, or `file:PATH` for the address in a file."""

from __future__ import annotations

from ipaddress import ip_address

from ..errors import InvalidInput

DEFAULT_PORT = 50051
DEFAULT_ADDRESS = f"127.0.0.1:{DEFAULT_PORT}"
#: What stands before the path of a file in which a master tells its address.
ANNOUNCED = "file:"


def parse_addresses(text: str, *, listening: bool = False) -> tuple[str, ...]:
    """The addresses in `text`, each once and as `host:port`, in the order given.

    A missing port is 50051; an IPv6 host stands in brackets (`[::1]:50051`). Port 0 (any free one) is only for
    `listening`, and `file:PATH`, which stays as it is (see announcement.py), only for others. Raises InvalidInput where
    one is not an address, or none is given.
    """
    parts = [part.strip() for part in text.split(",")]
    addresses = tuple(dict.fromkeys(_address(part, listening) for part in parts if part))
    if not addresses:
        raise InvalidInput("no address of a master given; write host:port, or several separated by commas")
    return addresses


def is_announced(address: str) -> bool:
    """Whether `address`, as parse_addresses gives it, names a file with the address, and is none itself."""
    return address.startswith(ANNOUNCED) and not address.removeprefix(ANNOUNCED).isdecimal()


def is_loopback(address: str) -> bool:
    """Whether `address`, as parse_addresses gives it, can only be reached from this machine."""
    host = address.rpartition(":")[0]
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"  # any other name may lead anywhere, 127.0.0.1.example.com too


def _address(text: str, listening: bool) -> str:
    if is_announced(text) and not listening:
        if text == ANNOUNCED:
            raise _wrong(text, f"the path of the file is missing, such as {ANNOUNCED}/shared/master.address")
        return text
    host, port = _split(text)
    lowest_port = 0 if listening else 1
    if not host or any(character.isspace() or character in "/@" for character in host):
        raise _wrong(text, "the host is missing or has characters that no host name has")
    if not (port.isascii() and port.isdecimal() and lowest_port <= int(port) < 65536):
        raise _wrong(text, f"the port must be a number from {lowest_port} to 65535, got {port!r}")
    return f"{host}:{int(port)}"


def _split(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise _wrong(text, "an IPv6 address stands in brackets, then :port")
        return f"{host}]", rest[1:] if rest else str(DEFAULT_PORT)
    if text.count(":") > 1:
        raise _wrong(text, "an IPv6 address stands in brackets, such as [::1]:50051")
    host, colon, port = text.partition(":")
    return host, port if colon else str(DEFAULT_PORT)


def _wrong(text: str, reason: str) -> InvalidInput:
    return InvalidInput(f"{text!r} is not an address of a master: {reason}")
