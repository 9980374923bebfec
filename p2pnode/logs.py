"""Sets up logging once, at start: the same lines for people or for machines.

Records of libraries that use the standard logging pass through the same form. Nothing here ever
sees a key or a payload: the facts that are logged hold none.
"""

import logging
import os
import sys
from typing import TextIO

import structlog

from p2pnode.live_line import LiveLine, can_show

NOISY = ("libp2p", "hypercorn", "httpx", "httpcore", "multiaddr")
"""Libraries that say at `info` what only their authors want to know."""


def configure_logs(log_format: str, level: str, stream: TextIO | None = None) -> LiveLine | None:
    """Send every log line to a stream.

    Args:
        log_format: `console` or `json`.
        level: The least level that is shown: `debug`, `info`, `warning` or `error`.
        stream: Where to; the standard error stream by default.

    Returns:
        The line below the log, where people watch it on a terminal; None elsewhere.
    """
    target = sys.stderr if stream is None else stream
    line = LiveLine(target) if log_format == "console" and can_show(target) else None
    first: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(target if line is None else line)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=first,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(log_format, target),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(level.upper() if level == "debug" else logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *first,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    return line


def _rendering(log_format: str, stream: TextIO) -> list[structlog.typing.Processor]:
    """Show tracebacks without local variables, which may hold keys."""
    if log_format == "json":
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [
            structlog.processors.ExceptionRenderer(tracebacks),
            structlog.processors.JSONRenderer(),
        ]
    colours = stream.isatty() and not os.environ.get("NO_COLOR")
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)]
