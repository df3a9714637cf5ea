"""A training program whose checkpoints take a while to copy."""

from __future__ import annotations

from pathlib import Path

from rungmaster import Trial

FILES, SIZE = 40, 1 << 20


def train(trial: Trial) -> None:
    """Saves files that are large together."""

    def save(folder: Path) -> None:
        for number in range(FILES):
            (folder / f"part-{number}").write_bytes(bytes(SIZE))

    for epoch in trial.steps(save=save, load=lambda _: None):
        trial.report(error=1.0 / (1 + epoch))
