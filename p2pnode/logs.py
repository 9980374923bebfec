"""Sets up logging once, at start: the same lines for people or for machines.

Records of libraries that use the standard logging pass through the same form. Nothing here ever
sees a key or a payload: the facts that are logged hold none.
"""

import logging
import os
import sys
from typing import TextIO

import structlog

from p2pnode.settings import LOG_FORMATS, LOG_LEVELS

NOISY = ("libp2p", "hypercorn", "httpx", "httpcore", "multiaddr")
"""Libraries that say at `info` what only their authors want to know."""


def configure_logs(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Send every log line to a stream.

    Args:
        log_format: `console` or `json`.
        level: The least level that is shown: `debug`, `info`, `warning` or `error`.
        stream: Where to; the standard error stream by default.
    """
    assert log_format in LOG_FORMATS, log_format
    assert level in LOG_LEVELS, level
    target = sys.stderr if stream is None else stream
    first: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(target)
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


def _rendering(log_format: str, stream: TextIO) -> list[structlog.typing.Processor]:
    if log_format == "json":
        return [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    colours = stream.isatty() and not os.environ.get("NO_COLOR")
    return [structlog.dev.ConsoleRenderer(colors=colours)]
