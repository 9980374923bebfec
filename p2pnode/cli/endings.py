"""Exit codes, and the mistakes of a caller that the command line itself finds."""

from enum import IntEnum


class Ending(IntEnum):
    """What the exit code of a command means; scripts rely on these."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    UNREACHABLE = 3
    TIMED_OUT = 4
    REFUSED = 5
    NOT_ACCEPTED = 6
    """The job ended without an accepted result, and what was not earned is refunded."""
    INTERRUPTED = 130
    """As shells have it for the interrupt key."""


class BadInput(ValueError):  # noqa: N818  named for what happened
    """What was typed cannot be meant; the message says what to type instead."""


class CannotWrite(Exception):  # noqa: N818  as above
    """A file to write to cannot be written."""
