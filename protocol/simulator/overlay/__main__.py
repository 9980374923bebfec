"""Prints known-answer experiments: `python -m protocol.simulator.overlay EXPERIMENT [options]`.

Shares are millionths, times milliseconds, and counts for each delivery thousandths.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Final

from protocol.simulator.chance import MILLION
from protocol.simulator.overlay.attacks import (
    Attack,
    attacked,
    cold_boot,
    covert_flash,
    eclipse,
    recovery_ns,
)
from protocol.simulator.overlay.experiments import infection, published_gossipsub, push_rounds
from protocol.simulator.overlay.parameters import (
    OverlayParameters,
    gossipsub_attacked_1_0,
    gossipsub_attacked_1_1,
    gossipsub_attacked_april,
)
from protocol.units import MILLISECOND

ATTACKS: Final[Mapping[str, Callable[[int, int, int], Attack]]] = {
    "cold-boot": cold_boot,
    "covert-flash": covert_flash,
    "eclipse": eclipse,
}

DEFENCES: Final[Mapping[str, OverlayParameters]] = {
    "1.0": gossipsub_attacked_1_0(),
    "1.1-unscored": gossipsub_attacked_1_1(scored=False),
    "1.1-april": gossipsub_attacked_april(),
    "1.1": gossipsub_attacked_1_1(),
}

HALF_PPM: Final = MILLION // 2


def main(arguments: list[str] | None = None) -> int:
    """Runs one experiment; prints a line for each seed."""
    chosen = _parser().parse_args(arguments)
    for seed in range(1, chosen.seeds + 1):
        print(f"seed {seed}: {_line(chosen, seed)}", flush=True)
    return 0


def _line(chosen: argparse.Namespace, seed: int) -> str:
    match chosen.experiment:
        case "push":
            return f"rounds {push_rounds(chosen.nodes, seed)}"
        case "infection":
            found = infection(chosen.nodes, chosen.fan_out, chosen.messages, seed)
            missed_ppm = (found.wanted - found.delivered) * MILLION // found.wanted
            return f"missed {missed_ppm} ppm of {found.wanted}"
        case "gossipsub":
            found = published_gossipsub(chosen.nodes, chosen.messages, seed)
            return (
                f"delivered {found.delivered} of {found.wanted}; by 100 ms {found.shares_ppm} ppm; "
                f"copies for each {found.copies_per_thousand}; {found.controls}"
            )
        case _:
            return _attack(chosen, seed)


def _attack(chosen: argparse.Namespace, seed: int) -> str:
    attack = ATTACKS[chosen.experiment](chosen.nodes, chosen.sybils, chosen.rate)
    damage = attacked(attack, DEFENCES[chosen.defence], seed)
    recovered_ns = recovery_ns(damage, attack, HALF_PPM)
    recovered = "never" if recovered_ns is None else f"{recovered_ns // MILLISECOND} ms"
    return (
        f"lost {damage.lost_ppm} ppm of {damage.wanted}; swallowed {damage.swallowed}; "
        f"meshes half honest after {recovered}; honest {damage.honest_ppm} ppm each 5 s"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m protocol.simulator.overlay", description=__doc__
    )
    parser.add_argument("experiment", choices=["push", "infection", "gossipsub", *ATTACKS])
    parser.add_argument("--nodes", type=int, default=100, help="honest ones")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--messages", type=int, default=20)
    parser.add_argument("--fan-out", type=int, default=3)
    parser.add_argument("--sybils", type=int, default=2_000, help="false nodes")
    parser.add_argument("--rate", type=int, default=10, help="messages a second under attack")
    parser.add_argument("--defence", choices=DEFENCES, default="1.1")
    return parser


if __name__ == "__main__":
    sys.exit(main())
