"""Progress is a line now and then, and always one at the end."""

import io

import structlog

from p2pnode.arrival.progress import INTERVAL_SECONDS, LoggedProgress, ShownProgress
from p2pnode.live_line import ERASE, LiveLine


def test_a_line_comes_now_and_then_and_at_the_end() -> None:
    now = 0.0
    progress = LoggedProgress(lambda: now)
    with structlog.testing.capture_logs() as logs:
        for epoch in range(100):
            now = epoch * INTERVAL_SECONDS / 10
            progress.chain(epoch, 99)
        progress.pages(99, 1, 3)
        progress.pages(99, 3, 3)
    assert [one["verified"] for one in logs[:-1]] == [*range(10, 100, 10), 99]
    assert logs[-1] == {
        "event": "fetching_snapshot", "log_level": "info", "epoch": 99, "pages": 3, "of": 3,
    }  # fmt: skip


def test_on_a_terminal_one_line_tells_how_far_it_is_and_nothing_is_logged() -> None:
    terminal = io.StringIO()
    progress = ShownProgress(LiveLine(terminal, lambda: 0.0))
    with structlog.testing.capture_logs() as logs:
        progress.chain(63, 1_000)
        progress.chain(127, 1_000)  # too soon after the last one for anybody to read
        progress.chain(1_000, 1_000)
        progress.pages(1_000, 25, 25)
    assert logs == []
    assert terminal.getvalue().split(ERASE)[1:] == [
        "verifying certificates: epoch 63 of 1,000",
        "verifying certificates: epoch 1,000 of 1,000",
        "fetching the state at the end of epoch 1,000: 25 of 25 pages",
    ]
