"""Makes the lottery's golden vectors with decimal logarithms, independently of the product.

`python -m tests.vectors.generate --check` compares them with the stored file; `--write` stores.
"""

import argparse
import decimal
import hashlib
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

STORED = Path(__file__).parent / "lottery.json"
SOURCE = (
    "computed with 80-digit decimal logarithms, independently of the implementation; "
    "numbers are decimal strings, bytes hexadecimal"
)
DIGITS = 80
FRACTION = decimal.Decimal(2**40)
TINY = decimal.Decimal(10) ** -60
EDGES = (0, 1, 2, 2**32 - 1, 2**32, 2**63 - 2, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 2, 2**64 - 1)
HARD = (
    9223372037971167484,
    9223372183817275074,
    9223372038354927123,
    9223372066090282893,
)
"""Numbers whose logarithm a mantissa of 77 bits or fewer gets wrong."""

Weighted = Sequence[tuple[bytes, int]]


def negative_log2(number: int) -> int:
    """Computes `-log2((number + 1) / 2**64)` in units of 2**-40, rounded up."""
    logarithm = decimal.Decimal(number + 1).ln() / decimal.Decimal(2).ln()
    exact = (decimal.Decimal(64) - logarithm) * FRACTION
    nearest = exact.to_integral_value(decimal.ROUND_HALF_EVEN)
    if abs(exact - nearest) < TINY:
        return int(nearest)
    return int(exact.to_integral_value(decimal.ROUND_CEILING))


def score(seed: bytes, identifier: bytes, weight: int) -> int:
    """Computes one score of the race."""
    hashed = hashlib.blake2b(b"p2pnode/lottery/v1\0" + identifier, digest_size=8, key=seed)
    return negative_log2(int.from_bytes(hashed.digest(), "big")) * 2**64 // weight


def draw_case(case: str, seed: bytes, weights: Weighted, count: int) -> dict[str, object]:
    """Computes one draw."""
    scores = sorted((score(seed, one, weight), one) for one, weight in weights)
    return {
        "case": case,
        "seed": seed.hex(),
        "count": count,
        "weights": [[one.hex(), str(weight)] for one, weight in weights],
        "drawn": [one.hex() for _, one in scores[:count]],
    }


def make() -> dict[str, object]:
    """Computes all vectors."""
    decimal.getcontext().prec = DIGITS
    stream = random.Random(20240601)  # noqa: S311  vectors, not secrets
    numbers = [*EDGES, *HARD, *(stream.getrandbits(64) for _ in range(9))]
    scores = []
    for weight in (1, 2, 1000003, 2**53 + 1, 2**64 - 1):
        seed, one = stream.randbytes(32), stream.randbytes(32)
        scores.append(
            {
                "seed": seed.hex(),
                "identifier": one.hex(),
                "weight": str(weight),
                "score": str(score(seed, one, weight)),
            }
        )
    return {
        "source": SOURCE,
        "negative_log2": [
            {"number": str(number), "value": str(negative_log2(number))} for number in numbers
        ],
        "scores": scores,
        "draws": make_draws(stream),
    }


def make_draws(stream: random.Random) -> list[dict[str, object]]:
    """Computes the draws, from the simplest to the emptiest."""
    small = [(bytes([i]) * 32, i + 1) for i in range(10)]
    wide = [(stream.randbytes(32), stream.randrange(1, 2**64)) for _ in range(20)]
    first = [
        draw_case("ten weights from 1 to 10", bytes(32), small, 4),
        draw_case("everyone, wide weights", b"\xff" * 32, wide, 20),
    ]
    seed = stream.randbytes(32)
    extremes = [(stream.randbytes(32), stream.choice([1, 2**64 - 1])) for _ in range(12)]
    first.append(draw_case("lowest and highest weights", seed, extremes, 6))
    seed = stream.randbytes(32)
    first.append(draw_case("one account, more seats", seed, [(stream.randbytes(32), 5)], 3))
    first.append(draw_case("nobody", stream.randbytes(32), [], 1))
    return first


def main() -> int:
    """Compares or writes the stored vectors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the stored file")
    parser.add_argument("--write", action="store_true", help="store")
    arguments = parser.parse_args()
    text = json.dumps(make(), indent=1) + "\n"
    if arguments.write:
        STORED.write_text(text)
        return 0
    is_equal = STORED.read_text() == text
    print("the stored vectors are the computed ones" if is_equal else f"{STORED.name} differs")
    return 0 if is_equal else 1


if __name__ == "__main__":
    sys.exit(main())
