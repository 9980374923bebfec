"""A committee of 32 agrees in virtual time, for a few seconds of what the benchmark plays."""

import gc

import pytest

from tests.benchmarks.committee import run

MEMBERS, SECONDS = 32, 4


@pytest.mark.slow
def test_thirty_two_members_agree_and_keep_up() -> None:
    cost = run(MEMBERS, SECONDS)
    gc.enable()
    assert cost.commits >= SECONDS
    assert cost.operations > 0
    assert cost.messages > MEMBERS * (MEMBERS - 1) * SECONDS
