"""HTTP/2 by hand, as far as floods need it: frames that no client library would send."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_END_HEADERS, _ACK = 4, 1
#: Seconds in which the other side takes something.
_PATIENCE = 20
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def request_headers(path: str, authority: str) -> bytes:
    """The header block of a gRPC call, without compression."""
    fields = {":method": "POST", ":scheme": "https", ":path": path, ":authority": authority}
    fields |= {"te": "trailers", "content-type": "application/grpc"}
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields.items())


def _text(text: str) -> bytes:
    assert len(text) < 127
    return bytes((len(text),)) + text.encode()


class RawConnection:
    """A TLS connection to a master that speaks HTTP/2; what comes back is read and counted by a thread of its own."""

    def __init__(self, address: str, authority: Path, source: str = "") -> None:
        host, _, port = address.rpartition(":")
        context = ssl.create_default_context(cafile=str(authority))
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection((host, int(port)), timeout=20, source_address=(source, 0) if source else None)
        self._socket = context.wrap_socket(plain, server_hostname="localhost")
        self._socket.setblocking(False)
        self._authority = address
        self._next = 1
        #: OpenSSL bears one call at a time for a connection, and what it has begun to write must be written on.
        self._lock, self._sending = threading.Lock(), threading.Lock()
        self.ended = threading.Event()
        #: Answers by frame: calls that the master ended, and what it said when it closed the connection.
        self.answered = self.reset = 0
        self.goodbye = ""
        self._send(_PREFACE + frame(_SETTINGS, 0, 0))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def open_calls(self, path: str, count: int) -> None:
        """Begins calls, and never says what they are about."""
        block = request_headers(path, self._authority)
        self._send(b"".join(frame(_HEADERS, _END_HEADERS, number, block) for number in self._numbers(count)))

    def open_and_reset_calls(self, path: str, count: int) -> None:
        """Begins calls, and takes each back at once."""
        block = request_headers(path, self._authority)
        cancel = struct.pack(">I", 8)
        self._send(
            b"".join(
                frame(_HEADERS, _END_HEADERS, number, block) + frame(_RST_STREAM, 0, number, cancel)
                for number in self._numbers(count)
            )
        )

    def close(self) -> None:
        """Ends the connection."""
        self.ended.set()
        self._socket.close()

    def _numbers(self, count: int) -> range:
        first, self._next = self._next, self._next + 2 * count
        return range(first, self._next, 2)

    def _send(self, data: bytes) -> None:
        """Raises OSError where the master has closed the connection."""
        with self._sending:
            while data:
                sent = self._tried(lambda rest=data: self._socket.send(rest)) or 0
                data = data[sent:]
                if not sent and not select.select([], [self._socket], [], _PATIENCE)[1]:
                    raise TimeoutError(f"nothing could be sent for {_PATIENCE} s")

    def _read(self) -> None:
        pending = b""
        with contextlib.suppress(OSError, ValueError):
            while not self.ended.is_set():
                data = self._tried(lambda: self._socket.recv(1 << 16))
                if data is None:
                    select.select([self._socket], [], [], 1.0)
                elif data:
                    pending = self._taken(pending + data)
                else:
                    break
        self.ended.set()

    def _tried(self, call: Callable[[], T]) -> T | None:
        """What a call to OpenSSL gives; None where it has to wait for the network."""
        with self._lock:
            try:
                return call()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return None

    def _taken(self, data: bytes) -> bytes:
        """Looks at whole frames; gives what is left."""
        at = 0
        while len(data) - at >= 9 and len(data) - at >= 9 + (length := int.from_bytes(data[at : at + 3], "big")):
            self._look(data[at + 3], data[at + 4], data[at + 9 : at + 9 + length])
            at += 9 + length
        return data[at:]

    def _look(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == _HEADERS:
            self.answered += 1
        elif kind == _RST_STREAM:
            self.reset += 1
        elif kind == _GOAWAY:
            self.goodbye = payload[8:].decode(errors="replace") or f"code {int.from_bytes(payload[4:8], 'big')}"
        elif kind in (_SETTINGS, _PING) and not flags & _ACK:
            try:
                self._send(frame(kind, _ACK, 0, payload if kind == _PING else b""))
            except OSError:
                self.ended.set()
