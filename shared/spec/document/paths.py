"""Dotted paths into a document, such as `forbidden[0].solver`."""

from __future__ import annotations

from collections.abc import Iterable


def dotted(location: Iterable[int | str]) -> str:
    """`("forbidden", 0, "solver")` as `forbidden[0].solver`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).removeprefix(".")


def joined(path: str, below: str) -> str:
    """One path under another."""
    return path + below if below.startswith("[") or not path or not below else f"{path}.{below}"
