"""Runs a sampler program of ours in an environment in which Rungmaster is not installed.

Usage: /an/environment/bin/python -P /path/to/sampler/boot.py MODULE

The modules are those beside this file, so a program always speaks the language of the master that starts it.
"""

from __future__ import annotations

import runpy
import sys
import types
from pathlib import Path


def main(module: str) -> None:
    """Runs a module such as `rungmaster.sampler.hebo` as a program."""
    house = types.ModuleType("rungmaster")
    # `shared` and `sampler` stand side by side, in a clone and where they are installed.
    house.__path__ = [str(Path(__file__).resolve().parents[1])]
    sys.modules["rungmaster"] = house
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1])
