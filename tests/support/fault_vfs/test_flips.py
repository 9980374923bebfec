"""A fixed sample of flipped bits: each is noticed, or changes nothing."""

import pytest

from p2pnode.storage.database import JOURNAL_FILE
from tests.support.fault_vfs.flips import (
    BLOCK,
    HARMLESS,
    LAST,
    REFUSED,
    flip_bits,
)
from tests.support.fault_vfs.losses import memory_folder

pytestmark = pytest.mark.slow

FLIPS = 300


async def test_every_flipped_bit_is_detected_or_harmless() -> None:
    with memory_folder() as folder:
        done = await flip_bits(FLIPS, folder)
    assert done.wrong == []
    assert done.found.total() == FLIPS
    assert done.found[JOURNAL_FILE, LAST] == 0
    assert min(done.count(outcome) for outcome in (HARMLESS, REFUSED, BLOCK, LAST)) > 3, done.found
    assert done.found[f"{JOURNAL_FILE}-wal", HARMLESS] == 0, "the log has a sum for every bit"
