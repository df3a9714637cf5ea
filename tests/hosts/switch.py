"""The network between the hosts, a process of its own: frames are read from one and written to another, or lost.

    python switch.py HOLDER…

makes a network device in the namespace of each process HOLDER, which is host 1, 2, 3, … by its place, and carries
frames between them until its standard input ends; the devices end with it. Each line of its input is a JSON object that
says how it is from then on from one host to another, and each is answered by a line.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import itertools
import json
import os
import selectors
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from random import Random

#: What `ioctl` takes to make a device that gives and takes whole Ethernet frames (linux/if_tun.h).
_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
_FRAME = 2048
#: Frames that are read from one device before the others have their turn.
_TURN = 32
_IPV4 = b"\x08\x00"
_PREFIX = "10.77.0."


@dataclass(frozen=True)
class Way:
    """How it is on the way from one host to another. `loss` is a share of the packets; delays are in seconds.

    With `cut` no packet arrives. Whoever looks for a host's hardware address finds it all the same, as through a router
    that loses what it should carry; where that is lost too (`unplugged`), the sender's kernel soon says that there is
    no such host.
    """

    cut: bool = False
    unplugged: bool = False
    loss: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0


def address(host: int) -> str:
    """The IP address of host 1, 2, 3, …"""
    return f"{_PREFIX}{host}"


class Switch:
    """The devices, and what is on its way between them."""

    def __init__(self, holders: list[int]) -> None:
        self._ways: dict[tuple[int, int], Way] = {}
        self._random = Random(1)
        self._numbers = itertools.count()
        self._late: list[tuple[float, int, int, bytes]] = []
        self._devices = {number: _device(number, holder) for number, holder in enumerate(holders, 1)}

    def run(self) -> None:
        """Carries frames until the end of standard input."""
        with selectors.DefaultSelector() as selector:
            os.set_blocking(sys.stdin.fileno(), False)
            selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
            for number, device in self._devices.items():
                selector.register(device, selectors.EVENT_READ, number)
            orders = b""
            while True:
                for key, _ in selector.select(self._carry_late()):
                    if key.data is not None:
                        self._carry_from(key.data)
                        continue
                    read = os.read(sys.stdin.fileno(), 65536)
                    if not read:
                        return
                    *lines, orders = (orders + read).split(b"\n")
                    for line in lines:
                        self._obey(json.loads(line))

    def _obey(self, order: dict[str, int | float]) -> None:
        pair = int(order.pop("source")), int(order.pop("target"))
        self._ways[pair] = Way(**order)  # pyright: ignore[reportArgumentType]
        print("done", flush=True)

    def _carry_from(self, source: int) -> None:
        for _ in range(_TURN):
            try:
                frame = os.read(self._devices[source], _FRAME)
            except BlockingIOError:
                return
            # The last byte of a hardware address is the number of its host; what is for everybody has another one.
            for target in [frame[5]] if frame[5] in self._devices else self._devices.keys() - {source}:
                self._send(self._ways.get((source, target), Way()), target, frame)

    def _send(self, way: Way, target: int, frame: bytes) -> None:
        lost = way.unplugged or (frame[12:14] == _IPV4 and (way.cut or self._random.random() < way.loss))
        if lost:
            return
        delay_s = way.delay_s + way.jitter_s * self._random.random()
        if delay_s:
            heapq.heappush(self._late, (time.monotonic() + delay_s, next(self._numbers), target, frame))
        else:
            self._deliver(target, frame)

    def _carry_late(self) -> float | None:
        """Delivers what is due; seconds until the next is."""
        while self._late:
            left_s = self._late[0][0] - time.monotonic()
            if left_s > 0:
                return left_s
            _, _, target, frame = heapq.heappop(self._late)
            self._deliver(target, frame)
        return None

    def _deliver(self, target: int, frame: bytes) -> None:
        # A full queue loses a frame, as in any switch.
        with contextlib.suppress(BlockingIOError):
            os.write(self._devices[target], frame)


def _device(number: int, holder: int) -> int:
    """Makes the network device of a host; it is there as long as the file that is returned is open."""
    name = f"rm{os.getpid()}n{number}"
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI))
    _ip("link", "set", name, "netns", str(holder), "name", "eth0")
    for command in (
        ("link", "set", "lo", "up"),
        ("link", "set", "eth0", "address", f"02:00:00:00:00:{number:02x}", "up"),
        ("addr", "add", f"{address(number)}/24", "dev", "eth0"),
    ):
        _ip(*command, inside=holder)
    return device


def _ip(*arguments: str, inside: int | None = None) -> None:
    entering = [] if inside is None else ["nsenter", f"--net=/proc/{inside}/ns/net"]
    subprocess.run([*entering, "ip", *arguments], check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    switch = Switch([int(holder) for holder in sys.argv[1:]])
    print("ready", flush=True)
    switch.run()
