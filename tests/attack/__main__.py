"""`make attack`: floods a master of its own over loopback, and prints what everybody else felt meanwhile.

Each attack gets a new master with TLS and tokens, an honest worker that reports every 50 ms, and a prober of a read and
of `Health/Check`: on one connection, on a new one each time, and at the health's own address. All take five minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from .attackers import ATTACKS
from .scene import Outcome, Scene

KINDS = ("report", "read", "check", "new check", "probe")
#: Nobody may wait longer, in seconds.
STALL = 0.25


def main() -> int:
    """The exit code: 0 where the aims were met."""
    parser = argparse.ArgumentParser(prog="python -m attack", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(ATTACKS)}; none: all")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long those go on that do not end")
    parser.add_argument("--source", default="127.0.0.9", help="address of attackers; 127.0.0.1: of the honest ones")
    options = parser.parse_args()
    if unknown := set(options.names) - set(ATTACKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(ATTACKS)}")
    missed = []
    for name in options.names or ATTACKS:
        with tempfile.TemporaryDirectory(prefix="rungmaster-attack-") as folder:
            scene = Scene(Path(folder))
            try:
                scene.start(journal=50_000 if name == "long-journal" else 0)
                outcome = scene.suffer(name, options.seconds, options.source)
                missed += show(outcome, scene.alive)
            finally:
                scene.close()
    print("all aims met" if not missed else "missed: " + "; ".join(missed))
    return 1 if missed else 0


def show(outcome: Outcome, alive: bool) -> list[str]:
    """Prints one outcome; gives the aims that were missed."""
    doc = (ATTACKS[outcome.attack].__doc__ or "").strip()
    print(f"\n== {outcome.attack}: {doc} ({outcome.ended - outcome.began:.1f} s)", flush=True)
    missed = [] if alive else [f"{outcome.attack}: the master ended"]
    for kind in KINDS:
        samples = outcome.during(kind)
        peace = [s.seconds for s in outcome.samples if s.kind == kind and s.at + s.seconds < outcome.began]
        errors = [s.error for s in samples if s.error]
        times = [s.seconds for s in samples] or [float("inf")]
        print(
            f"  {kind:10} {len(samples):4} times: p50 {_ms(times, 0.5)}, p99 {_ms(times, 0.99)}, max {_ms(times, 1)}"
            f" (in peace {_ms(peace, 0.5)}, {_ms(peace, 0.99)}, {_ms(peace, 1)}); {len(errors)} failed"
            + (f", such as {errors[0]}" if errors else "")
        )
        if max(times) > STALL:
            missed.append(f"{outcome.attack}: {kind} took {max(times) * 1e3:,.0f} ms")
        if errors:
            missed.append(f"{outcome.attack}: {len(errors)} {kind} failed")
    stall = max((s.seconds for s in outcome.during("check") + outcome.during("report")), default=float("inf"))
    back = "not back" if outcome.back_after is None else f"back after {outcome.back_after:.1f} s"
    print(
        f"  worst stall {stall * 1e3:,.0f} ms; memory {_mb(outcome.before)}, at peak {_mb(outcome.peak)}, "
        f"after {_mb(outcome.after)} MB, {back}"
    )
    if outcome.back_after is None:
        missed.append(f"{outcome.attack}: memory is not back")
    for line in outcome.told[:12]:
        print(f"  attacker: {line[:150]}")
    for line in outcome.log[:6]:
        print(f"  log: {line[:180]}")
    if not outcome.log:
        print("  log: nothing")
    return missed


def _ms(times: list[float], share: float) -> str:
    ordered = sorted(times)
    return f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3:,.0f} ms" if ordered else "-"


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f}"


if __name__ == "__main__":
    sys.exit(main())
