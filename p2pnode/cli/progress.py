"""Shows the phases of a job while somebody waits: live on a terminal, as plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from p2pnode.cli.output import printable
from p2pnode.cli.receipt import phase_lines

Follow = Callable[[Mapping[str, object]], None]
"""Takes the job's record each time it was asked for."""


@contextmanager
def shown_progress() -> Iterator[Follow]:
    """Follow a job on the standard error stream, which leaves the standard output to results."""
    if not sys.stderr.isatty():
        yield _follow(_print_line, lambda state: None)
        return
    from rich.console import Console  # noqa: PLC0415  slow, and only for terminals
    from rich.text import Text  # noqa: PLC0415  as above

    console = Console(stderr=True, highlight=False, markup=False)
    with console.status("waiting for the node") as status:
        yield _follow(
            lambda line: console.print(f"✓ {line}"), lambda state: status.update(Text(state))
        )


def _follow(finished: Callable[[str], None], current: Callable[[str], None]) -> Follow:
    shown = 0

    def follow(record: Mapping[str, object]) -> None:
        nonlocal shown
        lines = phase_lines(record)
        for line in lines[shown:]:
            finished(line)
        shown = max(shown, len(lines))
        current(printable(record.get("state")))

    return follow


def _print_line(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
