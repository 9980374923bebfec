"""A fixed sample of power losses: nothing acknowledged is lost, and no slot is signed twice."""

import pytest

from tests.support.fault_vfs.losses import durability, memory_folder, play

pytestmark = pytest.mark.slow

SEEDS = range(1, 201)
CONTROL = range(1, 81)


async def test_no_loss_of_power_costs_an_acknowledged_record_or_a_second_signature() -> None:
    with memory_folder() as folder:
        tally = await play(SEEDS, folder)
    assert tally.broken == {}
    assert tally.seeds == len(SEEDS)
    assert tally.acknowledged > 20 * len(SEEDS)
    assert {fault: count for fault, count in tally.bit.items() if count < 10} == {}, "it never bit"
    assert tally.bit["power_losses"] > 1.5 * len(SEEDS), "compound losses"


async def test_the_weaker_durability_is_caught() -> None:
    with durability("NORMAL"), memory_folder() as folder:
        tally = await play(CONTROL, folder)
    assert "StoredBlock was acknowledged and is lost" in set(tally.broken.values())
    assert len(tally.broken) >= 5
