"""What decisions at rungs say to people; nobody else reads it."""

from __future__ import annotations


def place(rank: int, entered: int, k: int, *, finite: bool) -> str:
    """Where a result stands among those that `entered` rung k; rank 0 is the best."""
    if finite:
        return f"rank {rank + 1} of {entered} at rung {k}"
    return f"its metric is not finite, which is the worst place of {entered} at rung {k}"


def go_on(passing: int) -> str:
    """How many go on from a rung."""
    return {0: "none goes on yet", 1: "the best goes on"}.get(passing, f"the top {passing} go on")


def trained_to_the_end(resource: int, standing: str) -> str:
    """A trial has come to the last rung, and stands there like this."""
    return f"trained to the last rung at {resource}: {standing}"
