"""Draws the charts of an experiment side by side as one SVG, the same bytes for the same data.

The colours are those of M. Okabe and K. Ito, "Color Universal Design", 2008; what a colour says, a
dash or the shape of a mark says too. Text stays text, so that the files are small.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from p2pnode.lab.experiments.experiment import Chart, Mark, Point, Series

Axes = Any
"""A panel of matplotlib, which is there only with the optional part."""

Handle = Any
"""What its legend names."""

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES: Final = ("-", "--", "-.", ":")
SHAPES: Final = ("o", "s", "^", "D", "v", "P", "X")
WIDTH: Final = 5.2
"""Of one panel, in inches."""
HEIGHT: Final = 3.6
SETTINGS: Final[dict[Any, object]] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "font.size": 9,
    "grid.color": "#DDE1E4",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "svg.fonttype": "none",
    "svg.hashsalt": "p2pnode",
}


class DrawingError(Exception):
    """Nothing can be drawn: the library is not installed."""


def check() -> None:
    """Tells before anything is measured whether its plots could be drawn.

    Raises:
        DrawingError: matplotlib is not there.
    """
    try:
        import matplotlib.figure  # noqa: F401, PLC0415
    except ImportError as error:
        raise DrawingError("plots need the optional part: pip install 'p2pnode[lab]'") from error


def draw(charts: Sequence[Chart], path: Path) -> None:
    """Draws charts into one file, whose ending names the format.

    Raises:
        DrawingError: matplotlib is not there.
    """
    check()
    import matplotlib  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        figure = Figure(figsize=(WIDTH * len(charts), HEIGHT), layout="constrained")
        for axes, chart in zip(
            figure.subplots(1, len(charts), squeeze=False)[0], charts, strict=True
        ):
            _fill(axes, chart)
        stamp = {"Date": None, "Creator": "p2pnode"} if path.suffix == ".svg" else None
        figure.savefig(path, metadata=stamp, dpi=110)


def _fill(axes: Axes, chart: Chart) -> None:
    axes.set_title(chart.title)
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    if chart.is_log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:,.0f}")
    kinds = [series.label.rsplit(",", 1)[0] for series in chart.series]
    numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
    handles = [
        _add(axes, series, numbers[kind]) for series, kind in zip(chart.series, kinds, strict=True)
    ]
    axes.legend(handles=handles)
    if axes.get_ylim()[0] > 0:
        axes.set_ylim(bottom=0)


def _add(axes: Axes, series: Series, number: int) -> Handle:
    """Draws a series; those whose labels are alike up to the last comma have one colour."""
    colour = COLOURS[number % len(COLOURS)]
    xs, ys = [x for x, _ in series.points], [y for _, y in series.points]
    if series.mark is Mark.DOTS:
        bars = _bars(ys, series.errors) if series.errors else None
        dots = {"fmt": SHAPES[number % len(SHAPES)], "markersize": 4.5, "capsize": 2}
        return axes.errorbar(xs, ys, bars, color=colour, label=series.label, **dots)
    dashes = DASHES[number % len(DASHES)]
    kind = "steps-post" if series.mark is Mark.STEPS else "default"
    (line,) = axes.plot(xs, ys, color=colour, ls=dashes, drawstyle=kind, label=series.label)
    return line


def _bars(ys: Sequence[float], errors: Sequence[Point]) -> tuple[list[float], list[float]]:
    """How far intervals reach below and above their values; rounding may leave a trace of less."""
    lows = [max(0.0, y - low) for y, (low, _) in zip(ys, errors, strict=True)]
    highs = [max(0.0, high - y) for y, (_, high) in zip(ys, errors, strict=True)]
    return lows, highs
