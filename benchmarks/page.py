"""What people see of a run: the table on the terminal, and the Markdown page with plots in docs/benchmarks/."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from figures import Figure, Plot, Result

COLUMNS = ("figure", "value", "floor", "× floor", "peer", "times better", "aim")


def number(value: float | None) -> str:
    """A number with three significant digits, as people read them."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value else "0"


def _cells(figure: Figure) -> tuple[str, ...]:
    verdict = {True: "met", False: "not met", None: ""}[figure.met]
    floor = f"{number(figure.floor)} ({figure.floor_name})" if figure.floor is not None else ""
    peer = f"{number(figure.peer)} ({figure.peer_name})" if figure.peer is not None else ""
    aim = ": ".join(part for part in (figure.aim, verdict) if part)
    value = f"{number(figure.value)} {figure.unit}"
    return figure.name, value, floor, number(figure.to_floor), peer, number(figure.to_peer), aim


def table(results: Iterable[Result]) -> str:
    """All figures as one table of plain text."""
    rows = [COLUMNS]
    for result in results:
        rows += [(f"{result.benchmark}: {name}", *rest) for name, *rest in map(_cells, result.figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _markdown_table(figures: Sequence[Figure]) -> list[str]:
    rows = [COLUMNS, ("---",) * len(COLUMNS), *map(_cells, figures)]
    return ["| " + " | ".join(row) + " |" for row in rows]


def machine() -> str:
    """What it ran on, without names."""
    model = next((line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")), "CPU")
    return f"{_cores()} cores ({model}), {platform.system()} {platform.release()}, Python {platform.python_version()}"


def _cores() -> int:
    import psutil

    return len(psutil.Process().cpu_affinity() or ()) or psutil.cpu_count() or 1


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def write_page(results: Sequence[Result], folder: Path, load: str) -> None:
    """Writes README.md with one section a benchmark, and its plots beside it."""
    lines = [
        "# Benchmarks: the last run",
        "",
        "Written by `make bench`. The numbers are in `results.json` too; `docs/performance.md` says what they mean.",
        f"Run on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {machine()}; {load}.",
        "Compare ratios, which come from interleaved rounds of one run; absolute numbers vary twofold between runs.",
    ]
    for result in results:
        lines += ["", f"## {result.benchmark.capitalize()}", "", result.text.strip(), ""]
        lines += _markdown_table(result.figures)
        lines += ["", *(f"* {note}" for note in result.notes)] if result.notes else []
        for i, plot in enumerate(result.plots):
            name = f"{result.benchmark}-{i + 1}.svg"
            if _draw(plot, folder / name):
                lines += ["", f"![{plot.title}]({name})"]
    (folder / "README.md").write_text("\n".join(lines) + "\n")


def _draw(plot: Plot, path: Path) -> bool:
    """Draws a plot; False where matplotlib is not installed (`pip install 'rungmaster[bench]'`)."""
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    mpl.use("svg")
    # Without these, two runs with the same numbers would give different files.
    mpl.rcParams["svg.hashsalt"] = "rungmaster"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
    for name, points in plot.series.items():
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=name)
    axes.set(title=plot.title, xlabel=plot.x, ylabel=plot.y)
    axes.set_xscale("log" if plot.log_x else "linear")
    axes.set_yscale("log" if plot.log_y else "linear")
    if not plot.log_y:
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return True
