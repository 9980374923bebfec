"""Spoils bytes in the ways that find most: bits, cuts, copies, lengths, and pieces of others."""

import random
from collections.abc import Sequence

TELLING = (0x00, 0x01, 0x7F, 0x80, 0x90, 0x9F, 0xC0, 0xC4, 0xC6, 0xD9, 0xDC, 0xDD, 0xDF, 0xFF)
"""Bytes that begin arrays, maps and texts, or end ranges."""

WEIGHTS = (6, 4, 1, 1, 1, 1, 2)
"""How often each way is taken: small changes get past the first checks, and deeper."""


def spoiled(stream: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Make one malformed input from good ones; now and then it is still good."""
    data = bytearray(stream.choice(seeds))
    for _ in range(stream.choice((1, 1, 1, 1, 2, 4))):
        _spoil(stream, data, seeds)
    return bytes(data)


def _spoil(stream: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    place = stream.randrange(len(data) + 1)
    length = min(stream.choice((1, 2, 4, 16, 64)), len(data) - place)
    (way,) = stream.choices(range(len(WEIGHTS)), WEIGHTS)
    match way:
        case 0 if data:
            data[place % len(data)] ^= 1 << stream.randrange(8)
        case 1 if data:
            data[place % len(data)] = stream.choice(TELLING)
        case 2:
            del data[place:]
        case 3:
            del data[place : place + length]
        case 4:
            data[place:place] = data[place : place + length]
        case 5:
            data[place:place] = stream.randbytes(stream.randrange(1, 9))
        case _:
            other = stream.choice(seeds)
            begin = stream.randrange(len(other) + 1)
            data[place : place + length] = other[begin : begin + 32]
