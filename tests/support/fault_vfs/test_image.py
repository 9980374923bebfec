"""What a power loss leaves of a file: the model has to be able to lose, tear and reorder."""

from random import Random

from tests.support.fault_vfs.image import SECTOR_BYTES, Cut, Damage, Image, Write


def test_what_was_synced_survives_and_the_rest_may_not() -> None:
    image = Image(pending=[Write(0, b"old")])
    image.sync()
    image.pending += [Write(1, b"new"), Cut(2)]
    image.lose(lambda: False, damage := Damage())
    assert (image.durable, image.pending) == (b"old", [])
    assert damage == Damage(dropped=2)


def test_what_arrives_is_as_if_it_was_synced() -> None:
    image = Image(pending=[Write(0, b"abc"), Write(5, b"f"), Cut(4), Write(1, b"B")])
    image.lose(lambda: True, damage := Damage())
    assert image.durable == b"aBc\0"
    assert damage == Damage()


def test_a_write_is_torn_between_sectors_and_a_later_one_may_overtake_it() -> None:
    arrivals = iter([True, False, False, True])
    old = Write(SECTOR_BYTES - 1, b"a" * (SECTOR_BYTES + 1))
    image = Image(pending=[old, Write(0, b"late"), Write(4, b"later")])
    image.lose(lambda: next(arrivals), damage := Damage())
    assert damage == Damage(dropped=1, torn=1, reordered=1)
    assert image.durable == bytes(4) + b"later" + bytes(SECTOR_BYTES - 10) + b"a"


def test_equal_seeds_lose_alike() -> None:
    def left(seed: int) -> bytes:
        chance = Random(seed)  # noqa: S311  seeded, not secret
        image = Image(pending=[Write(SECTOR_BYTES * n, b"x" * 600) for n in range(20)])
        image.lose(lambda: chance.random() < 0.5, Damage())
        return bytes(image.durable)

    assert left(1) == left(1) != left(2)
