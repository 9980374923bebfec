"""The timeline of faults: a table for each fault, or for one that comes again and again.

A table with `repeat` stands for several faults within its window; what is drawn for them depends on
the scenario's seed and on the table's place.
"""

import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from p2pnode.lab.simulation.schema import (
    Misread,
    Path,
    Slot,
    as_table,
    as_tables,
    check_keys,
    kind_of,
    read_record,
)
from p2pnode.lab.simulation.units import TIME, read_quantity
from p2pnode.toml_text import nearest
from protocol.simulator.chance import Stream
from protocol.simulator.fault_builders import Span, bipartition, every, poisson
from protocol.simulator.scenario import Fault

FAULTS: Final[Mapping[str, type]] = {kind_of(one): one for one in typing.get_args(Fault)}
"""Every fault that the simulator has, by its kind in a file."""
TIMES: Final = ("kind", "at", "for", "until", "repeat")
"""Keys that all kinds have."""
RANDOM: Final = "random"
"""Groups that are drawn: two, and for each node by itself in which one it is."""
REPEATS_MAX: Final = 1_000


def read_faults(value: object, nodes: int, seed: int) -> Iterator[tuple[Fault, int]]:
    """Read the faults of a scenario, each with the place of its table.

    Raises:
        Misread: A key is unknown or missing, or a value is wrong.
    """
    for place, (table, path) in enumerate(as_tables(value, "fault")):
        stream = Stream(seed, "timeline", place)
        for fault in _faults_of(table, path, nodes, stream):
            yield fault, place


def _faults_of(table: Mapping[str, object], path: Path, nodes: int, stream: Stream) -> list[Fault]:
    kind = table.get("kind")
    if kind not in FAULTS:
        raise Misread((*path, "kind"), f"unknown kind {kind!r}: {nearest(str(kind), FAULTS)}")
    rest = {key: one for key, one in table.items() if key not in TIMES}

    def make(span: Span) -> Fault:
        given = {"start_ns": span[0], "end_ns": span[1]}
        drawn = {"groups": _sides(stream, nodes)} if rest.get("groups") == RANDOM else {}
        fault: Fault = read_record(FAULTS[str(kind)], rest | drawn, Slot(path, "", nodes), given)
        return fault

    window = _window(table, path)
    if "repeat" not in table:
        return [make(window)]
    return _repeated(as_table(table["repeat"], (*path, "repeat")), window, path, (stream, make))


def _repeated(
    table: Mapping[str, object],
    window: Span,
    path: Path,
    drawing: tuple[Stream, Callable[[Span], Fault]],
) -> list[Fault]:
    """Makes a fault of one length again and again: at equal intervals, or after drawn gaps."""
    inner, (stream, make) = (*path, "repeat"), drawing
    check_keys(table, ("every", "gap", "for"), inner)
    if "for" not in table or ("every" in table) == ("gap" in table):
        raise Misread(inner, "say how long each is with 'for', and how often with 'every' or 'gap'")
    length = _time(table, "for", inner)
    between = _time(table, "every" if "every" in table else "gap", inner)
    if length <= 0 or between <= 0 or (window[1] - window[0]) // between > REPEATS_MAX:
        raise Misread(inner, f"times are above 0, and there are {REPEATS_MAX} repeats at most")
    if "gap" in table:
        found = poisson(window, stream, between, length, make)
    elif length <= between:
        found = every(window, between, length, make)
    else:
        raise Misread((*inner, "for"), "each is longer than the time to the next")
    if not found:
        raise Misread(inner, "not one fits between 'at' and the end")
    return found


def _sides(stream: Stream, nodes: int) -> list[list[int]]:
    """Draws two sides; draws again as long as one is empty."""
    while True:
        groups = bipartition((0, 1), stream, nodes).groups
        if len(groups) > 1 or nodes < 2:
            return [list(group) for group in groups]


def _window(table: Mapping[str, object], path: Path) -> Span:
    """Reads when a fault begins and ends: `at` with `for` or with `until`."""
    if "at" not in table or ("for" in table) == ("until" in table):
        raise Misread(path, "a fault has 'at', and either 'for' or 'until'")
    start = _time(table, "at", path)
    if "for" in table:
        return start, start + _time(table, "for", path)
    return start, _time(table, "until", path)


def _time(table: Mapping[str, object], key: str, path: Path) -> int:
    try:
        return read_quantity(table[key], TIME)
    except ValueError as error:
        raise Misread((*path, key), str(error)) from error
