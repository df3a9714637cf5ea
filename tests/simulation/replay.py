"""Replays one seed with everything that happens printed: `python -P tests/simulation/replay.py SEED`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from simulation.world import World


def main() -> None:
    """Runs the seed given on the command line; ends with the traceback of what did not hold, or the counters."""
    (seed,) = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        world = World(int(seed), Path(folder), trace=print)
        world.run()
    for what, times in sorted(world.clockwork.counters.items()):
        print(f"{times:6}  {what}")


if __name__ == "__main__":
    main()
