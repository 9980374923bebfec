"""Progress is a line now and then, and always one at the end."""

import structlog

from p2pnode.arrival.progress import INTERVAL_SECONDS, LoggedProgress


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
