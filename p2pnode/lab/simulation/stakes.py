"""The stakes of a scenario's committee: a list, or a law that makes one."""

from collections.abc import Callable, Mapping
from typing import Final

from p2pnode.lab.simulation.schema import Misread, check_keys
from p2pnode.toml_text import nearest
from protocol.simulator.chance import Stream

DEFAULT_STAKE: Final = 5_000
"""Whole credits of each member where nothing is said."""
MEMBERS_MAX: Final = 1_000
PATH: Final = ("nodes", "stakes")


def read_stakes(table: Mapping[str, object], seed: int) -> tuple[int, ...]:
    """Read the committee's stakes, in whole credits.

    Args:
        table: The table `nodes`.
        seed: Of the draws, where stakes are drawn.

    Raises:
        Misread: There is no committee, or a stake is none.
    """
    members = table.get("members")
    if members is not None and (type(members) is not int or not 1 <= members <= MEMBERS_MAX):
        raise Misread(("nodes", "members"), f"expected a whole number from 1 to {MEMBERS_MAX}")
    given = table.get("stakes", {})
    if isinstance(given, Mapping):
        stakes = _by_law(given, members, seed)
    elif isinstance(given, list | tuple):
        stakes = list(given)
    else:
        raise Misread(PATH, "expected a list of stakes, or a law such as { law = 'zipf' }")
    for place, stake in enumerate(stakes):
        if type(stake) is not int or stake < 1:
            raise Misread(PATH, f"member {place} has the stake {stake!r}: each member needs some")
    if members is not None and len(stakes) != members:
        raise Misread(PATH, f"there are {len(stakes)} stakes for {members} members")
    if not 1 <= len(stakes) <= MEMBERS_MAX:
        raise Misread(PATH, f"expected 1 to {MEMBERS_MAX} stakes")
    return tuple(stakes)


def _by_law(table: Mapping[str, object], members: object, seed: int) -> list[int]:
    if not isinstance(members, int):
        raise Misread(("nodes",), "say how many 'members' there are, or list their 'stakes'")
    law = table.get("law", "equal")
    if law not in LAWS:
        raise Misread((*PATH, "law"), f"unknown law {law!r}: {nearest(str(law), LAWS)}")
    make, defaults = LAWS[str(law)]
    check_keys(table, ("law", *defaults), PATH)
    values = dict(defaults)
    for key in table.keys() - {"law"}:
        value = table[key]
        if type(value) is not int or value < 1:
            raise Misread((*PATH, key), f"expected whole credits from 1, not {value!r}")
        values[key] = value
    return make(values, members, seed)


def _equal(values: dict[str, int], members: int, _seed: int) -> list[int]:
    return [values["each"]] * members


def _zipf(values: dict[str, int], members: int, _seed: int) -> list[int]:
    return [values["largest"] // rank for rank in range(1, members + 1)]


def _sampled(values: dict[str, int], members: int, seed: int) -> list[int]:
    if values["low"] > values["high"]:
        raise Misread(PATH, "'low' is above 'high'")
    stream = Stream(seed, "stakes")
    return [stream.between(values["low"], values["high"]) for _ in range(members)]


Law = Callable[[dict[str, int], int, int], list[int]]

LAWS: Final[Mapping[str, tuple[Law, dict[str, int]]]] = {
    "equal": (_equal, {"each": DEFAULT_STAKE}),
    "zipf": (_zipf, {"largest": 10_000}),
    "sampled": (_sampled, {"low": 2_000, "high": 10_000}),
}
"""How each law makes stakes, and its keys with their defaults."""
