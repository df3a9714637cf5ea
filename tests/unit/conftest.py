"""Lets tests import the helper modules beside them, as `unit.<module>`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
