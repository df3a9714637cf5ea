"""Who uses this process."""

from __future__ import annotations

import getpass

from ..shared.limits import MAX_OWNER
from ..shared.text.visible import visible


def user_name() -> str:
    """The user's name as the system has it; empty where it has none, as in some containers."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
    return visible(name)[:MAX_OWNER]
