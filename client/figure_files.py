"""Writes figures to files: a page that stands for itself, or a picture, for which a browser is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..plots.errors import MissingExtra
from ..shared.errors import FailedPrecondition, InvalidInput, RungmasterError

PAGE, PICTURES = ".html", (".png", ".svg", ".pdf", ".jpg", ".webp")
WIDTH_PX, HEIGHT_PX, _SCALE = 1100, 620, 2
_BROWSER = (
    "a picture needs a browser, and none was found: install Chrome or Chromium (Debian: apt-get install chromium), or "
    f"name its program in the environment by BROWSER_PATH; a page ({PAGE}) needs none"
)


def check_file(path: Path) -> None:
    """Raises InvalidInput where a figure cannot be written to a file of this name."""
    if path.suffix.lower() not in (PAGE, *PICTURES):
        endings = ", ".join((PAGE, *PICTURES))
        raise InvalidInput(f"{path}: its ending says what to write, and must be one of {endings}")
    if not path.absolute().parent.is_dir():
        raise InvalidInput(f"{path}: there is no folder {path.parent}")


def write_figure(figure: Any, path: Path, width_px: int | None = None, height_px: int | None = None) -> None:
    """Writes a figure to a file, as its ending says.

    Raises InvalidInput for another ending, MissingExtra where kaleido is not installed, FailedPrecondition where there
    is no browser for a picture.
    """
    check_file(path)
    if path.suffix.lower() == PAGE:
        path.write_text(_page(figure, width_px, height_px), encoding="utf-8")
    else:
        path.write_bytes(_picture(figure, path.suffix.lower()[1:], width_px, height_px))


def _page(figure: Any, width_px: int | None, height_px: int | None) -> str:
    """A whole page with Plotly in it, which asks nothing of the network."""
    height = f"{height_px or figure.layout.height or 0}px" if height_px or figure.layout.height else "96vh"
    page = figure.to_html(
        include_plotlyjs=True, config={"responsive": True, "displaylogo": False}, include_mathjax=False,
        default_width=f"{width_px}px" if width_px else "100%", default_height=height,
    )  # fmt: skip
    colour = figure.layout.template.layout.paper_bgcolor
    return page.replace("<body>", f'<body style="margin: 0; background: {colour}">', 1)


def _picture(figure: Any, kind: str, width_px: int | None, height_px: int | None) -> bytes:
    try:
        import kaleido
        from choreographer.errors import ChromeNotFoundError
    except ImportError as error:
        raise MissingExtra(f"pictures need kaleido: pip install 'rungmaster[plots]' ({error})") from error
    size = {"width": width_px or WIDTH_PX, "height": height_px or figure.layout.height or HEIGHT_PX}
    try:
        # Without MathJax, which it would fetch from the network.
        made = kaleido.calc_fig_sync(figure, opts={"format": kind, "scale": _SCALE, **size}, kopts={"mathjax": False})
    except ChromeNotFoundError as error:
        raise FailedPrecondition(_BROWSER) from error
    except Exception as error:
        raise RungmasterError(
            f"the browser made no picture of the figure ({type(error).__name__}: {error}); a page ({PAGE}) needs none"
        ) from error
    return made
