"""Makes the page of a comparison: who is compared, each measure's difference, and plots by pair."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from p2pnode.lab.reports import page, sweep_report
from p2pnode.lab.reports.cells import MEASURES, against, heat_map, varied
from p2pnode.lab.reports.page import document, table
from p2pnode.lab.reports.pairs import cell_spots, differ, ended, scatter, zero_line
from p2pnode.lab.reports.report import inline, write_page
from p2pnode.lab.reports.style import Caption, drawing, save
from p2pnode.lab.results import TIMES
from p2pnode.lab.simulation.comparing import Both, Compared, Key, Side

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from p2pnode.lab.reports.cells import Spot

NUMBERS: Final = range(1, 9)
"""Columns of the table of measures that hold figures."""
SQUARE: Final = 4.2
WIDE: Final = 3.6
"""Heights of plots in inches."""
PAIRS: Final = (
    "{about}: one point for each pair, the same cell and seed on both sides. On the dashed line "
    "both are equal; above it B has more.{left_out}"
)
CELLS: Final = (
    "{about}, B less A: {kind} over the pairs of a cell, whiskers 95 % bootstrap intervals where "
    "there are five pairs or more; an open triangle ends one that has no end. On the black line "
    "both are equal.{left_out}"
)
ONE_PAIR: Final = "One pair says what these two runs did, not what others would: compare sweeps."


def write_compare_report(
    folder: Path,
    compared: Compared,
    measures: Sequence[Mapping[str, object]],
    notes: Sequence[str],
) -> Path:
    """Writes `report.html` with all plots inside, and `plots`, into the folder of a comparison.

    Args:
        folder: Is there already.
        compared: The two sides.
        measures: The table of measures, one record for each.
        notes: Sentences about that table.

    Returns:
        The path of the page.

    Raises:
        MissingExtra: matplotlib is not installed.
        OSError: the folder cannot be written to.
    """
    sources = {name: _origin(side) for name, side in (("A", compared.a), ("B", compared.b))}
    told = [f"{name}: {source}" for name, source in sources.items()]
    caption = Caption("\n".join([*told, _paired(compared)]))
    figures = list(_plots(folder / "plots", compared, caption))
    title = f"{_name(compared.b)} against {_name(compared.a)}"
    heads = list(dict.fromkeys(key for one in measures for key in one))
    body = [[str(one.get(key, "-")) for key in heads] for one in measures]
    outcomes = [(a, b, str(count)) for (a, b), count in sorted(compared.outcomes.items())]
    equal = ", ".join(
        one.metric for one in compared.differences if not _differs(compared, one.metric)
    )
    parts = [
        f"<h1>{escape(title)}</h1>",
        *(f'<p class="origin">{escape(line)}</p>' for line in told),
        f"<p>{escape(_paired(compared))}</p>",
        *(f"<p><strong>{escape(line)}</strong></p>" for line in _warnings(compared)),
        "<h2>Outcomes</h2>",
        table(("in A", "in B", "pairs"), outcomes, numbers=(2,)),
        "<h2>Differences</h2>",
        table(heads, body, numbers=NUMBERS),
        *(f'<p class="note">{escape(note)}</p>' for note in notes),
        f'<p class="note">No pair differs in: {escape(equal)}.</p>' if equal else "",
        "<h2>Figures</h2>",
        "" if figures else "<p>Nothing that is drawn differs in any pair.</p>",
        *(
            f"<figure>{svg}<figcaption>{escape(said)}</figcaption></figure>"
            for svg, said in figures
        ),
    ]
    return write_page(folder, document(title, parts))


def _name(side: Side) -> str:
    plan = side.manifest.get("plan")
    named: Any = plan if isinstance(plan, Mapping) else side.manifest
    return str(named.get("name") or "a side without a name")


def _origin(side: Side) -> str:
    if side.rows:
        return sweep_report.origin(side.manifest, list(side.rows.values()))
    return page.origin(side.manifest)


def _paired(compared: Compared) -> str:
    seeds = sweep_report.seeds_text(seed for _, seed in compared.keys)
    cells = len({cell for cell, _ in compared.keys})
    return f"Paired: {len(compared.keys)} of the same cell and seed · cells {cells} · seeds {seeds}"


def _warnings(compared: Compared) -> Iterator[str]:
    """Says what makes a difference doubtful before anybody reads it."""
    if len(compared.keys) == 1:
        yield ONE_PAIR
    for name, side in (("A", compared.a), ("B", compared.b)):
        state = str(side.manifest.get("state", "unknown"))
        if side.rows and state != "complete":
            yield f"Not all runs of {name} are there: {state}."
        crashed = sum(side.outcomes[key] == "crash" for key in compared.keys)
        if crashed == 1:
            yield f"In {name}, 1 run crashed: its measures end where it did."
        elif crashed:
            yield f"In {name}, {crashed} runs crashed: their measures end where they did."


def _differs(compared: Compared, metric: str) -> bool:
    return differ(compared.pairs(metric))


def _plots(folder: Path, compared: Compared, caption: Caption) -> Iterator[tuple[str, str]]:
    """Writes each plot that there is data for; yields its SVG and what it shows."""
    folder.mkdir(parents=True, exist_ok=True)
    if len(compared.keys) == 1:
        return
    for metric, about in MEASURES.items():
        pairs = compared.pairs(metric)
        if differ(pairs):
            yield from _pair_plot(folder, metric, about, pairs, caption)
            yield from _cell_plots(folder, metric, about, compared, caption)


def _pair_plot(
    folder: Path, metric: str, about: str, pairs: Mapping[Key, Both], caption: Caption
) -> Iterator[tuple[str, str]]:
    points = ended(pairs)
    if not points:
        return
    said = PAIRS.format(about=_begun(about), left_out=_left_out(len(pairs) - len(points), "pair"))

    def draw(axes: "Axes") -> None:
        scatter(axes, points, about)
        axes.set_title(_begun(about))

    yield _plot(folder, f"{metric}-pairs", draw, caption, SQUARE), said


def _cell_plots(
    folder: Path, metric: str, about: str, compared: Compared, caption: Caption
) -> Iterator[tuple[str, str]]:
    rows = {key: compared.a.rows[key] for key in compared.keys if key in compared.a.rows}
    fields = varied(list(rows.values()))
    if not fields:
        return
    spots, missing = cell_spots(metric, compared.pairs(metric), rows, fields)
    if not spots:
        return
    kind = "medians" if metric in TIMES else "means"
    said = CELLS.format(about=_begun(about), kind=kind, left_out=_left_out(missing, "cell"))
    for place in range(len(fields)) if len(fields) != 2 else (0,):
        name = f"{metric}-cells-{place}" if len(fields) > 2 else f"{metric}-cells"
        draw = partial(_curve, spots, fields, place, about)
        yield _plot(folder, name, draw, caption, WIDE), said
    if len(fields) == 2:
        told = f"{_begun(about)}, B less A: {kind} over the pairs of a cell."
        draw = partial(_map, spots, fields, about)
        yield _plot(folder, f"{metric}-map", draw, caption, WIDE), told


def _left_out(count: int, thing: str) -> str:
    if not count:
        return ""
    some = f"{count} {thing} is" if count == 1 else f"{count} {thing}s are"
    return f" {some} left out: there it never happened before the runs' end, on one side or both."


def _begun(about: str) -> str:
    return f"{about[0].upper()}{about[1:]}"


def _plot(
    folder: Path, name: str, draw: "Callable[[Axes], None]", caption: Caption, height: float
) -> str:
    with drawing(height=height) as (figure, axes):
        draw(axes)
        save(figure, folder, name, caption)
    return inline((folder / f"{name}.svg").read_text(encoding="utf-8"), name)


def _curve(
    spots: "Sequence[Spot]", fields: Sequence[str], place: int, about: str, axes: "Axes"
) -> None:
    against(axes, spots, fields, place)
    zero_line(axes)
    axes.set_title(f"{_begun(about)}: B less A")


def _map(spots: "Sequence[Spot]", fields: Sequence[str], about: str, axes: "Axes") -> None:
    heat_map(axes, spots, fields)
    axes.set_title(f"{_begun(about)}: B less A")
