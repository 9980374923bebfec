"""Plays the whole corpus and prints the table; `--write` puts it into docs/SANDBOX.md.

Run as root, since a bomb needs a process namespace: `python -m tests.hostile [--write]`.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.hostile import corpus
from tests.hostile.bombs import Seen, bombs
from tests.p2pnode.execution.builders import ROOT

PAGE = ROOT / "docs" / "SANDBOX.md"
BEGIN, END = "<!-- corpus begin -->\n", "<!-- corpus end -->\n"
WAYS = {
    "root": (False, False),
    "root, `bwrap`": (True, False),
    "plain user": (False, True),
    "plain user, `bwrap`": (True, True),
}
"""The columns: whether wrapped, and whether as a plain user."""


def main() -> int:
    """Play everything; 1 if a bomb did not bite or was not held."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile")
    parser.add_argument("--write", action="store_true", help="renew the table of the page")
    arguments = parser.parse_args()
    if not corpus.can_play():
        sys.exit("the corpus needs root and unshare: each bomb runs in a process namespace")
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        folder.chmod(0o755)
        plain = corpus.interpreter_for_plain_user(folder)
        ways = {name: way for name, way in WAYS.items() if plain or not way[1]}
        rows, failed = _play(ways, plain)
    lines = [_row(["bomb", "without walls", *ways]), _row(["---"] * (len(ways) + 2)), *rows]
    if arguments.write:
        page = PAGE.read_text()
        before, _, rest = page.partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(before + BEGIN + "".join(lines) + END + after)
    print(f"{len(rows) - failed} of {len(rows)} bombs bit and were held")
    return 1 if failed else 0


def _play(ways: dict[str, tuple[bool, bool]], plain: str | None) -> tuple[list[str], int]:
    rows, failed = [], 0
    for number, bomb in enumerate(bombs()):
        bare, *_ = corpus.play(number, wrapped=False)

        def held_in(way: tuple[bool, bool], number: int = number) -> Seen:
            wrapped, as_plain = way
            who = plain if as_plain else None
            (held,) = corpus.play(number, wrapped=wrapped, interpreter=who, has_bitten=True)
            return held

        with ThreadPoolExecutor(len(ways)) as pool:
            seen = list(pool.map(held_in, ways.values()))
        cells = [_told(bare) + ("" if bomb.bites(bare) else ", **did not bite**")]
        good = [bomb.holds(held) and held.survivors == 0 for held in seen]
        for held, is_good in zip(seen, good, strict=True):
            cells.append(f"{held.level}: {_told(held)}{'' if is_good else ', **not held**'}")
        failed += not (bomb.bites(bare) and all(good))
        rows.append(_row([bomb.name, *cells]))
        print(rows[-1], end="", flush=True)
    return rows, failed


def _told(seen: Seen) -> str:
    """Say in a few words what was seen."""
    return ", ".join(_words(seen))


def _words(seen: Seen) -> Iterator[str]:
    detail = str(seen.answer)
    if seen.outcome.startswith("LimitReached"):
        yield f"{seen.outcome.removeprefix('LimitReached ')} limit"
    elif seen.outcome == "NoResult" and "sandbox ended" in detail:
        yield "ended"
    elif seen.outcome == "Finished":
        refused = detail.count("refused")
        yield f"{refused} of {max(1, detail.count(',') + 1)} refused" if refused else "finished"
    else:
        yield "no result" if seen.outcome == "NoResult" else "failed"
    if seen.most_memory_mib > 150:
        yield f"{seen.most_memory_mib} MiB"
    if seen.most_processes > 10:
        yield f"{seen.most_processes} processes"
    if seen.disk_mib:
        yield f"{seen.disk_mib} MiB on disk"
    if seen.survivors:
        yield f"{seen.survivors} left"
    if seen.elapsed_ms > 400:
        yield f"{seen.elapsed_ms / 1000:.1f} s"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    sys.exit(main())
