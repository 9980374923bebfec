"""The sweep file: a base scenario, the fields that vary, and the seeds; read as a list of cells.

A field is named by its path in the scenario's file, such as `fault.0.for` or `links.loss`. A grid
takes every combination of the listed values; a Latin hypercube spreads so many samples evenly over
each list or range.
"""

import copy
import itertools
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from p2pnode.lab.simulation.library import ScenarioError, open_document, understand
from p2pnode.lab.simulation.scenario_file import SEED_MAX, Described
from p2pnode.lab.simulation.units import DIMENSIONS, read_quantity, write_quantity
from p2pnode.toml_text import TomlError, TomlText, nearest, read_toml

KEYS: Final = ("name", "about", "scenario", "seeds", "design", "samples", "draw", "vary")
GRID, HYPERCUBE = "grid", "latin-hypercube"
RUNS_MAX: Final = 1_000_000
FIXED: Final = {
    "seed": "every cell is run with the same seeds: name them with 'seeds' above [vary]",
    "name": "a name changes nothing in a run: leave it out",
}
"""Keys of a scenario that do not vary, and why."""
SEEDS_EXPECTED: Final = "expected how many seeds, from 1 on, or a list of seeds"

Change = str | int | bool
"""A value as a file has it."""
Axis = list[Change] | Mapping[str, Change]
"""The values of one field: a list, or the ends of a range."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of values.

    Attributes:
        changes: By the path of the field.
        base: The scenario's document before the changes.
    """

    number: int
    changes: Mapping[str, Change]
    base: TomlText

    def describe(self, seed: int) -> Described:
        """Make the cell's scenario for one seed.

        Raises:
            ScenarioError: The changes make no scenario that can be meant.
        """
        values = copy.deepcopy(dict(self.base.values))
        changed = TomlText(self.base.name, values, self.base.lines)
        try:
            for path, value in self.changes.items():
                _change(values, path, value)
            return understand(changed, seed)
        except ScenarioError as error:
            if not self.changes:
                raise
            said = ", ".join(f"{path} = {value!r}" for path, value in self.changes.items())
            raise ScenarioError(f"with {said}: {error}") from error


@dataclass(frozen=True, slots=True)
class Sweep:
    """A base scenario under many conditions.

    Attributes:
        cells: Every combination, in order.
        seeds: Run in each cell.
    """

    name: str
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]

    @property
    def runs(self) -> Iterator[tuple[Cell, int]]:
        """Every run of the sweep."""
        return itertools.product(self.cells, self.seeds)

    def plan(self) -> dict[str, Any]:
        """Describe the sweep so that equal plans mean equal runs."""
        return {
            "name": self.name,
            "base": dict(self.cells[0].base.values),
            "seeds": list(self.seeds),
            "cells": [dict(cell.changes) for cell in self.cells],
        }


def read_sweep(path: Path) -> Sweep:
    """Read a sweep and check the scenario of every cell, before anything runs.

    Raises:
        ScenarioError: The file or what it makes of its scenario is wrong.
    """
    try:
        document = read_toml(path)
    except TomlError as error:
        raise ScenarioError(str(error)) from error
    values = document.values
    for key in values:
        if key not in KEYS:
            raise _wrong(document, key, f"unknown key: {nearest(key, KEYS)}")
    _check_texts(document)
    base = open_document(_source(document, path))
    changes = _changes(document)
    seeds = _seeds(document)
    if len(changes) * len(seeds) > RUNS_MAX:
        raise _wrong(document, "vary", f"{len(changes) * len(seeds)} runs are too many")
    cells = tuple(Cell(number, one, base) for number, one in enumerate(changes))
    for cell in cells:
        cell.describe(seeds[0])
    return Sweep(str(values.get("name", path.stem)), cells, seeds)


def _check_texts(document: TomlText) -> None:
    for key in ("name", "about"):
        text = document.values.get(key, key)
        if not isinstance(text, str) or not text.strip():
            raise _wrong(document, key, "expected a text")
        if key == "name" and not text.isprintable():
            raise _wrong(document, key, "expected a text of one line, without control characters")


def _source(document: TomlText, path: Path) -> str | Path:
    """Names the base scenario: a shipped one, or a file beside the sweep's."""
    source = document.values.get("scenario")
    if not isinstance(source, str):
        raise _wrong(document, "scenario", "expected a shipped scenario's name, or a file")
    beside = path.parent / source
    return beside if beside.is_file() else source


def _seeds(document: TomlText) -> tuple[int, ...]:
    given = document.values.get("seeds", 1)
    seeds = list(range(1, given + 1)) if type(given) is int and given <= RUNS_MAX else given
    if not isinstance(seeds, list) or not seeds or len(set(map(str, seeds))) != len(seeds):
        raise _wrong(document, "seeds", SEEDS_EXPECTED)
    if not all(type(seed) is int and 0 <= seed <= SEED_MAX for seed in seeds):
        raise _wrong(document, "seeds", SEEDS_EXPECTED)
    return tuple(seeds)


def _changes(document: TomlText) -> list[dict[str, Change]]:
    values = document.values
    design = values.get("design", GRID)
    if design not in (GRID, HYPERCUBE):
        raise _wrong(document, "design", f"{nearest(str(design), (GRID, HYPERCUBE))}")
    varied = values.get("vary", {})
    if not isinstance(varied, Mapping):
        raise _wrong(document, "vary", "write [vary] and below it the fields")
    axes = dict(_axes(document, varied, ()))
    for key, reason in FIXED.items():
        if key in axes:
            raise _wrong(document, f"vary.{key}", reason)
    if design == HYPERCUBE:
        return _hypercube(document, axes)
    for key in ("samples", "draw"):
        if key in values:
            raise _wrong(document, key, f"only a {HYPERCUBE!r} has it: say design = ...")
    lists = {path: axis for path, axis in axes.items() if isinstance(axis, list)}
    for path, axis in lists.items():
        if len(set(map(str, axis))) < len(axis):
            raise _wrong(document, f"vary.{path}", "a value stands there twice")
    for path in axes.keys() - lists.keys():
        raise _wrong(document, "vary", f"{path}: a grid needs a list of values")
    count = math.prod(map(len, lists.values()))
    if count > RUNS_MAX:
        raise _wrong(document, "vary", f"{count} cells are too many")
    return [dict(zip(lists, one, strict=True)) for one in itertools.product(*lists.values())]


def _axes(
    document: TomlText, table: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[str, Axis]]:
    """Finds each varied field, whether its path is quoted or written as tables in tables."""
    for key, value in table.items():
        inner = (*path, key)
        if isinstance(value, Mapping) and value.keys() != {"from", "to"}:
            yield from _axes(document, value, inner)
        elif isinstance(value, Mapping) or (isinstance(value, list) and value):
            yield ".".join(inner), value
        else:
            where = ".".join(("vary", *inner))
            raise _wrong(document, "vary", f"{where}: expected a list of values")


def _hypercube(document: TomlText, axes: Mapping[str, Axis]) -> list[dict[str, Change]]:
    samples, draw = document.values.get("samples"), document.values.get("draw", 1)
    if type(samples) is not int or not 1 <= samples <= RUNS_MAX:
        raise _wrong(document, "samples", "expected how many samples to take")
    if type(draw) is not int:
        raise _wrong(document, "draw", "expected a whole number, the seed of the samples")
    source = random.Random(draw)  # noqa: S311  which corners are looked at is no secret
    columns: dict[str, list[Change]] = {}
    for path, axis in axes.items():
        strata = list(range(samples))
        source.shuffle(strata)
        try:
            columns[path] = [_at(axis, stratum, samples) for stratum in strata]
        except ValueError as error:
            raise _wrong(document, "vary", f"{path}: {error}") from error
    return [{path: columns[path][place] for path in columns} for place in range(samples)]


def _at(axis: Axis, stratum: int, samples: int) -> Change:
    """Takes the middle of one of so many equal parts of a list or a range; rounds down."""
    if isinstance(axis, list):
        return axis[(2 * stratum + 1) * len(axis) // (2 * samples)]
    low, high = axis["from"], axis["to"]
    if type(low) is int and type(high) is int:
        return low + (high - low) * (2 * stratum + 1) // (2 * samples)
    for dimension in DIMENSIONS.values():
        try:
            ends = read_quantity(low, dimension), read_quantity(high, dimension)
        except ValueError:
            continue
        middle = ends[0] + (ends[1] - ends[0]) * (2 * stratum + 1) // (2 * samples)
        return write_quantity(middle, dimension)
    raise ValueError("'from' and 'to' are two whole numbers, or two quantities of one kind")


def _change(values: dict[str, Any], path: str, value: Change) -> None:
    """Puts a value where a path leads; only its last step may be new."""
    *way, last = path.split(".")
    place: Any = values
    for step in way:
        if isinstance(place, list) and step.isdecimal() and int(step) < len(place):
            place = place[int(step)]
        elif isinstance(place, dict) and step in place:
            place = place[step]
        elif isinstance(place, dict) and place is values:
            place = place.setdefault(step, {})
        else:
            raise ScenarioError(f"the scenario has nothing at {path!r}: {step!r} is not there")
    if not isinstance(place, dict):
        raise ScenarioError(f"the scenario has nothing at {path!r}: name a key of a table")
    place[last] = value


def _wrong(document: TomlText, key: str, sentence: str) -> ScenarioError:
    place = document.place(*key.split("."))
    return ScenarioError(f"{place}: {key}: {sentence}")
