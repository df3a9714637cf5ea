"""`rungmaster plot`: a figure of a search, as a page or a picture."""

from __future__ import annotations

from pathlib import Path

import click

from ....plots.errors import NothingToShow
from ....plots.kinds import KINDS, draw
from ....shared.text.printing import say
from ...client import Client
from ...figure_files import check_file, write_figure
from ...history import load
from ..options import EXPERIMENT_ID, choose, looking_options

_SIZE = click.IntRange(200, 8000)


@click.command("plot", epilog="Kinds: " + "; ".join(f"{kind.name}: {kind.about}" for kind in KINDS.values()) + ".")
@click.argument("kind", type=click.Choice(list(KINDS)), metavar="KIND")
@click.argument("experiments", type=EXPERIMENT_ID, nargs=-1, metavar="[EXPERIMENT]...")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Where to: .html for a page, .png, .svg, .pdf, .jpg or .webp for a picture.  [default: KIND.html]",
)  # fmt: skip
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True)
@click.option("--metric", metavar="NAME", help="Whose curves to show.  [default: the one that the search goes by]")
@click.option("--width", "width_px", type=_SIZE, metavar="PIXELS", help="Width.")
@click.option("--height", "height_px", type=_SIZE, metavar="PIXELS", help="Height.")
@looking_options
def command(
    kind: str,
    experiments: tuple[int, ...],
    out: Path | None,
    theme: str,
    metric: str | None,
    width_px: int | None,
    height_px: int | None,
    client: Client,
) -> None:
    """Draw a figure of a search into a file.

    Without EXPERIMENT (its id), of the only unfinished one, or where all have ended of the newest; `compare` takes
    several. A page has Plotly in it and stands for itself; a picture needs Chrome or Chromium.
    Needs the extra: pip install 'rungmaster[plots]'.
    """
    path = out or Path(f"{kind}.html")
    check_file(path)
    chosen = experiments or (choose(client, None),)
    histories = [load(client, experiment, metric=metric, journal=KINDS[kind].of_journal) for experiment in chosen]
    for history in histories:
        if metric is not None and metric not in history.metrics:
            known = ", ".join(history.metrics) or "none yet"
            raise NothingToShow(
                f"experiment {history.experiment.experiment_id} has no metric {metric!r}; it reported: {known}",
                experiment_id=history.experiment.experiment_id,
            )
    figure = draw(kind, histories, theme="dark" if theme == "dark" else "light")
    write_figure(figure, path, width_px, height_px)
    say(f"wrote {path}")
