"""One look for every plot: colours that colour-blind people can tell apart, one caption, no dates.

The colours are those of M. Okabe and K. Ito, "Color Universal Design", 2008. What a colour says is
also said by a line's dashes or a mark's shape.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from p2pnode.lab.results import missing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLACK: Final = "#000000"
ORANGE: Final = "#E69F00"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
BLUE: Final = "#0072B2"
VERMILION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
GREY: Final = "#8A8F94"
PALE: Final = "#E9ECEF"

CYCLE: Final = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DASHES: Final[tuple[str | tuple[float, tuple[float, ...]], ...]] = (
    "-",
    (0.0, (5.0, 1.5)),
    (0.0, (1.5, 1.2)),
    (0.0, (6.0, 1.5, 1.5, 1.5)),
)

DOTS_PER_INCH: Final = 160
SETTINGS: Final[dict[Any, object]] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": "#DDE1E4",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "path",
    "svg.hashsalt": "p2pnode",
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
}


@dataclass(frozen=True, slots=True)
class Caption:
    """What every plot says below: where it comes from."""

    text: str


def colour_of(number: int) -> str:
    """The colour of a node, a side or a line."""
    return CYCLE[number % len(CYCLE)]


def dashes_of(number: int) -> "str | tuple[float, tuple[float, ...]]":
    """The dashes of a line: there are four, so that where colours come round dashes do not."""
    return DASHES[number % len(DASHES)]


@contextmanager
def drawing(width: float = 6.8, height: float = 3.4) -> "Iterator[tuple[Figure, Axes]]":
    """Opens one plot; sizes are inches.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise missing("matplotlib", "A report with plots") from error
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.add_subplot()


def save(figure: "Figure", folder: Path, name: str, caption: Caption) -> None:
    """Writes a plot as SVG, the same bytes for the same data, and as PNG."""
    figure.supxlabel(caption.text, fontsize=6.5, color="#666666", x=0.01, ha="left")
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": "p2pnode"})
    figure.savefig(folder / f"{name}.png", dpi=DOTS_PER_INCH, metadata={"Software": "p2pnode"})


def shade(axes: "Axes", begin_s: float, end_s: float, label: str) -> None:
    """Shades what is seen of the time of a fault, and names it at the top; set the limits first."""
    low, high = axes.get_xlim()
    begin_s, end_s = max(begin_s, low), min(end_s, high)
    if begin_s >= end_s:
        return
    axes.axvspan(begin_s, end_s, color=PALE, zorder=0, linewidth=0)
    axes.text(
        (begin_s + end_s) / 2,
        1.0,
        label,
        transform=axes.get_xaxis_transform(),
        ha="center",
        va="bottom",
        fontsize=7.5,
        color="#555555",
        clip_on=False,
    )
