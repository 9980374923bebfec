"""Finds a scenario by the name of a shipped one or by its file, reads it and checks it."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from p2pnode.lab.simulation.checks import check
from p2pnode.lab.simulation.scenario_file import SEED_MAX, Described, read_described
from p2pnode.lab.simulation.schema import Misread
from p2pnode.toml_text import TomlError, TomlText, nearest, parse_toml, read_toml
from protocol.simulator.draw import draw_scenario
from protocol.simulator.scenario import Scenario

FOLDER: Final = Path(__file__).parent.parent / "scenarios"
"""The scenarios that come with the program."""
SUFFIX: Final = ".toml"
DRAWN: Final = "swarm"
"""Names the scenario that a seed draws as a whole; it has no file."""


class ScenarioError(ValueError):
    """A scenario cannot be run; the message names file and line, for people."""


def load_scenario(source: str | Path, seed: int | None = None) -> Described:
    """Read a scenario and check that it can be meant.

    Args:
        source: A file, or the name of a shipped scenario.
        seed: Takes the place of the file's own.

    Raises:
        ScenarioError: There is none, or something in it is wrong.
    """
    if source == DRAWN:
        return Described(_drawn(1 if seed is None else seed), overlaps=True)
    return understand(open_document(source), seed)


def _drawn(seed: int) -> Scenario:
    """Draws a scenario, and leaves out regions that change nothing, which no file may have."""
    if not 0 <= seed <= SEED_MAX:
        raise ScenarioError(f"seed: expected a whole number from 0 to {SEED_MAX}")
    drawn = draw_scenario(seed)
    known = drawn.nodes if drawn.conditions.region_delays_ns else 0
    regions = drawn.conditions.regions[:known]
    return replace(drawn, conditions=replace(drawn.conditions, regions=regions))


def parse_scenario(text: str, name: str = "scenario", seed: int | None = None) -> Described:
    """Read the text of a scenario file and check that it can be meant.

    Raises:
        ScenarioError: Something in it is wrong.
    """
    try:
        return understand(parse_toml(text, name), seed)
    except TomlError as error:
        raise ScenarioError(str(error)) from error


def open_document(source: str | Path) -> TomlText:
    """Read the text of a scenario file, or of a shipped scenario.

    Raises:
        ScenarioError: There is none, or it is no TOML.
    """
    path = Path(source)
    if path.suffix != SUFFIX and not path.is_file():
        shipped = {one.stem: one for one in shipped_files()}
        if str(source) not in shipped:
            raise ScenarioError(
                f"no scenario is named {str(source)!r}: {nearest(str(source), [*shipped, DRAWN])}; "
                f"a file ends in {SUFFIX}"
            )
        path = shipped[str(source)]
    try:
        return read_toml(path)
    except TomlError as error:
        raise ScenarioError(str(error)) from error


def understand(document: TomlText, seed: int | None = None) -> Described:
    """Take the scenario out of a document that was read, and check it.

    Raises:
        ScenarioError: Something in it is wrong.
    """
    try:
        described = read_described(document.values, seed)
        check(described)
    except Misread as error:
        raise ScenarioError(complaint(document, error)) from error
    return described


def complaint(document: TomlText, error: Misread) -> str:
    """Say what is wrong in a document, and on which line."""
    subject = f"{'.'.join(error.path)}: " if error.path else ""
    return f"{document.place(*error.path)}: {subject}{error}"


def shipped_files() -> list[Path]:
    """Name the files of the shipped scenarios, in order."""
    return sorted(FOLDER.glob(f"*{SUFFIX}"))


def shipped_scenarios() -> Iterator[Described]:
    """Read every shipped scenario."""
    return (load_scenario(path) for path in shipped_files())


def copy_shipped(folder: Path) -> list[Path]:
    """Copy the shipped scenarios into a folder, to change them there.

    Raises:
        ScenarioError: A file of that name is there already, or none can be written.
    """
    targets: Mapping[Path, Path] = {path: folder / path.name for path in shipped_files()}
    for target in targets.values():
        if target.exists():
            raise ScenarioError(f"{target} exists already: name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, target in targets.items():
            shutil.copyfile(path, target)
    except OSError as error:
        raise ScenarioError(f"{folder}: {error.strerror}: name another folder") from error
    return list(targets.values())
