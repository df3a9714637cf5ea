"""A master of which one part never comes to an end: `python busy_master.py PART master …`. It says `busy` then."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from rungmaster.client.cli.main import main
from rungmaster.master.dispatcher.core import Core
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.services import experiments


def endlessly(*arguments: Any, **fields: Any) -> NoReturn:
    del arguments, fields
    print("busy", flush=True)
    while True:
        pass


PARTS: dict[str, tuple[Any, str]] = {
    "a spec": (experiments, "_accepted"),
    "the event loop": (Core, "create"),
    "a commit": (Ledger, "commit"),
    "a recovery": (Ledger, "load"),
}

if __name__ == "__main__":
    owner, name = PARTS[sys.argv.pop(1)]
    setattr(owner, name, endlessly)
    main()
