"""Runs the benchmarks, prints one table, and writes docs/benchmarks/ (JSON, a page, plots).

    python benchmarks/run.py                          all of them, in less than ten minutes
    python benchmarks/run.py throughput latency       some; the others' results stay as they were
    python benchmarks/run.py --quick                  tiny sizes, to see that all of it runs; writes nothing

Run it without Python's -P: the modules here import each other as siblings.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import time
from pathlib import Path

import page
from figures import Result, result_from_json

#: In the order in which they run and are shown; each is a module bench_<name> with FULL, QUICK and measure(size).
BENCHMARKS = (
    "throughput",
    "latency",
    "peers",
    "growth",
    "turnaround",
    "restart",
    "recovery",
    "search",
    "ledger",
    "retention",
    "ending",
    "samplers",
    "metrics",
    "dashboard",
    "floors",
)
FOLDER = Path(__file__).parent.parent / "docs" / "benchmarks"


def run(name: str, quick: bool) -> Result:
    """Runs one benchmark."""
    module = importlib.import_module(f"bench_{name}")
    start = time.monotonic()
    result = module.measure(module.QUICK if quick else module.FULL)
    result.seconds = round(time.monotonic() - start, 1)
    return result


def merged(new: list[Result], path: Path) -> list[Result]:
    """These results and, of the others, those of an earlier run, in the usual order."""
    old = [result_from_json(document) for document in json.loads(path.read_text())] if path.exists() else []
    by_name = {result.benchmark: result for result in [*old, *new]}
    return [by_name[name] for name in BENCHMARKS if name in by_name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)}; none: all")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; writes nothing")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder for the page, the plots and the JSON")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    results = []
    busy = os.getloadavg()[0]
    for name in options.names or BENCHMARKS:
        print(f"{name} ...", flush=True)
        results.append(run(name, options.quick))
        print(f"{name}: {results[-1].seconds:.0f} s", flush=True)
    print(page.table(results))
    if not options.quick:
        options.output.mkdir(parents=True, exist_ok=True)
        path = options.output / "results.json"
        everything = merged(results, path)
        path.write_text(json.dumps([result.as_json() for result in everything], indent=1) + "\n")
        page.write_page(everything, options.output, f"load average before it {busy:.1f}")


if __name__ == "__main__":
    main()
