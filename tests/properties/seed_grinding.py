"""What it gains to try many keys or many offers before a draw whose seed nobody knows yet.

A grinder guesses the beacon, tries a thousand keys of its own or a thousand salts of an
accomplice's offer, and keeps the one that wins most clearly under its guess. Then the draw is made
with other beacons. `python -m tests.properties.seed_grinding` does it at full size.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from protocol.encoding import digest_of
from protocol.job.lottery import draw, score
from protocol.simulator.chance import Stream

HONEST = 9
WEIGHT = 1_000
"""All bidders weigh alike, so that the grinder's fair share is a tenth."""
TRIES = 1_000
MILLION = 1_000_000
OWN = bytes(31) + b"g"
JOB = bytes(31) + b"j"

Choice = Callable[[Stream, bytes], tuple[bytes, bytes]]
"""Takes chance and a guessed beacon; returns the grinder's account and the job."""


@dataclass(frozen=True, slots=True)
class Gain:
    """How often a grinder was drawn first."""

    guessed: int
    """Of the draws with the beacon that it guessed."""
    draws: int
    won: int
    """Of all draws with other beacons."""

    @property
    def share_ppm(self) -> int:
        """Share of the draws with other beacons, in parts of a million; rounds down."""
        return MILLION * self.won // self.draws


FAIR_PPM = MILLION // (HONEST + 1)


def best_key(stream: Stream, beacon: bytes) -> tuple[bytes, bytes]:
    """Tries keys for its own bid, which it has to name before the seed is known."""
    seed = _seed(beacon, JOB)
    keys = [stream.digest() for _ in range(TRIES)]
    return min(keys, key=lambda key: score(seed, key, WEIGHT)), JOB


def best_offer(stream: Stream, beacon: bytes) -> tuple[bytes, bytes]:
    """Has the requester try salts, for an offer in whose draw its one key wins."""
    jobs = [stream.digest() for _ in range(TRIES)]
    return OWN, min(jobs, key=lambda job: score(_seed(beacon, job), OWN, WEIGHT))


def grind(choose: Choice, rounds: int, draws: int, seed: int = 1) -> Gain:
    """Grinds some times, and draws with so many beacons after each."""
    stream = Stream(seed, "grinding")
    guessed = won = 0
    for _ in range(rounds):
        guess = stream.digest()
        account, job = choose(stream, guess)
        rivals = [stream.digest() for _ in range(HONEST)]
        guessed += _wins(account, rivals, _seed(guess, job))
        won += sum(_wins(account, rivals, _seed(stream.digest(), job)) for _ in range(draws))
    return Gain(guessed, rounds * draws, won)


def _seed(beacon: bytes, job: bytes) -> bytes:
    """As `draw_executors` makes it."""
    return digest_of(b"job", beacon, job)


def _wins(account: bytes, rivals: list[bytes], seed: bytes) -> bool:
    return draw(seed, dict.fromkeys((account, *rivals), WEIGHT), 1) == (account,)


def main() -> None:
    """Prints the share of both ways of grinding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="how often to grind")
    parser.add_argument("--draws", type=int, default=2_000, help="beacons after each")
    options = parser.parse_args()
    for name, choose in (("keys", best_key), ("offers", best_offer)):
        found = grind(choose, options.rounds, options.draws)
        print(
            f"{name}: best of {TRIES} tries, fair share {FAIR_PPM / 10_000} %: drawn in "
            f"{found.share_ppm / 10_000} % of {found.draws} draws; with the guessed beacon in "
            f"{found.guessed} of {options.rounds}"
        )


if __name__ == "__main__":
    main()
