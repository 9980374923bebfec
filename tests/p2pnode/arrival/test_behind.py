"""A running node notices that nobody has the blocks any more that it needs."""

import pytest
import structlog
import trio
import trio.testing

from p2pnode.arrival.behind import LOOK_SECONDS, is_cut_off, watch_history
from p2pnode.arrival.company import Company
from p2pnode.arrival.wire import NO_EPOCH, Standing
from tests.p2pnode.arrival.builders import company_of, history, peer, store_of


def standings(*rows: tuple[int, int]) -> dict[bytes, Standing]:
    """Peers by their newest certificate and their first blocks."""
    return {
        bytes([number]): Standing(min(newest, 0), newest, first, ())
        for number, (newest, first) in enumerate(rows)
    }


@pytest.mark.parametrize(
    ("rows", "is_lost"),
    [
        ((), False),
        (((NO_EPOCH, 0),), False),
        (((9, 7),), True),
        (((9, 7), (9, 6)), True),
        (((9, 7), (9, 5)), False),
        (((9, 7), (4, 0)), True),
        (((4, 5),), False),
        (((9, 7), (4, 0), (4, 0)), False),
    ],
    ids=[
        "alone",
        "young",
        "pruned",
        "all pruned",
        "an archive",
        "one is behind, too",
        "level",
        "one alone says that it is ahead",
    ],
)
def test_a_node_is_cut_off_when_all_that_are_ahead_have_dropped_its_epoch(
    rows: tuple[tuple[int, int], ...], is_lost: bool
) -> None:
    assert is_cut_off(5, standings(*rows)) is is_lost


async def test_it_is_said_once_and_remembered(autojump_clock: trio.testing.MockClock) -> None:
    store = store_of(history())
    store.first_blocks = 4
    network = peer("one", store)
    remembered: list[float] = []
    begun = trio.current_time()

    async def remember() -> None:
        remembered.append(trio.current_time() - begun)

    def company() -> Company:
        return company_of(network)[0]

    epochs = iter([1, 2, 3, 3])
    with structlog.testing.capture_logs() as logs:
        await watch_history(lambda: next(epochs), company, remember, "restart")
    assert remembered == [3 * LOOK_SECONDS], "while its epoch moved, nobody was asked"
    (said,) = (one for one in logs if one["event"] == "history_pruned")
    assert (said["log_level"], said["epoch"]) == ("error", 3)
    assert said["advice"] == "restart"


async def test_a_node_that_can_catch_up_says_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    asked = 0

    def company() -> Company:
        nonlocal asked
        asked += 1
        return company_of(peer("one", store_of(history())))[0]

    async def remember() -> None:
        raise AssertionError("there is an archive")

    with trio.move_on_after(10 * LOOK_SECONDS + 1):
        await watch_history(lambda: 3, company, remember, "restart")
    assert asked == 10
