import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from p2pnode.live_line import ERASE
from p2pnode.logs import configure_logs


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_json_lines_hold_the_event_and_its_fields() -> None:
    stream = io.StringIO()
    configure_logs("json", "info", stream)
    with structlog.contextvars.bound_contextvars(job="c1"):
        structlog.get_logger("p2pnode.test").info("drawn", executors=3)
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "drawn",
        "executors": 3,
        "job": "c1",
        "level": "info",
        "logger": "p2pnode.test",
    }


@pytest.mark.parametrize(
    ("log_format", "is_terminal", "has_line"),
    [("console", True, True), ("json", True, False), ("console", False, False)],
)
def test_only_people_at_a_terminal_have_a_line_below_the_log(
    log_format: str, is_terminal: bool, has_line: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    line = configure_logs(log_format, "info", stream)
    assert (line is not None) == has_line
    if line is not None:
        line.show("half", is_last=True)
        structlog.get_logger("p2pnode.test").info("drawn")
        assert stream.getvalue().startswith(f"{ERASE}half{ERASE}")
        assert stream.getvalue().endswith("\nhalf"), "the line is below what was logged"


def test_records_of_libraries_take_the_same_form_and_their_chatter_is_dropped() -> None:
    stream = io.StringIO()
    configure_logs("json", "info", stream)
    logging.getLogger("other").warning("from %s", "afar")
    logging.getLogger("libp2p.deep").info("chatter")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["from afar"]


def test_lines_below_the_level_are_dropped() -> None:
    stream = io.StringIO()
    configure_logs("console", "warning", stream)
    structlog.get_logger("p2pnode.test").info("quiet")
    structlog.get_logger("p2pnode.test").warning("loud", peers=0)
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_never_shows_local_variables(log_format: str) -> None:
    stream = io.StringIO()
    configure_logs(log_format, "info", stream)
    private_key = "hunter2"
    try:
        raise RuntimeError(f"{len(private_key)} wrong")
    except RuntimeError:
        structlog.get_logger("p2pnode.test").exception("failed")
    assert "RuntimeError" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_an_unknown_level_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        configure_logs("json", "loud", io.StringIO())
