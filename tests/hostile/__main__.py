"""Plays the whole corpus and prints the table; `--write` puts it into docs/SANDBOX.md.

Run as root, since a bomb needs a process namespace: `python -m tests.hostile [--write]`.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.hostile import corpus
from tests.hostile.bombs import Seen, bombs
from tests.p2pnode.execution.builders import ROOT

PAGE = ROOT / "docs" / "SANDBOX.md"
BEGIN, END = "<!-- corpus begin -->\n", "<!-- corpus end -->\n"
WAYS = {
    "root": (False, False),
    "plain user, `bwrap`": (True, True),
}
"""The columns: whether wrapped, and whether as a plain user."""


def main() -> int:
    """Play what was asked for; 1 if a bomb did not bite or was not held."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile")
    parser.add_argument("--write", action="store_true", help="renew the rows of the page's table")
    parser.add_argument("--only", metavar="NAME", action="append", help="a bomb; repeatable")
    parser.add_argument("--parallel", type=int, default=2, help="bombs played at the same time")
    arguments = parser.parse_args()
    if not corpus.can_play():
        sys.exit("the corpus needs root and unshare: each bomb runs in a process namespace")
    chosen = [
        number
        for number, bomb in enumerate(bombs())
        if not arguments.only or bomb.name in arguments.only
    ]
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        folder.chmod(0o755)
        plain = corpus.interpreter_for_plain_user(folder)
        with ThreadPoolExecutor(arguments.parallel) as pool:
            played = [pool.submit(_play, number, plain) for number in chosen]
            good = [_took_in(one.result(), write=arguments.write) for one in as_completed(played)]
    print(f"{sum(good)} of {len(good)} bombs bit and were held")
    return 0 if all(good) else 1


def _took_in(played: tuple[str, str, bool], *, write: bool) -> bool:
    """Print a row, and put it into the page; says whether all was as it should be."""
    name, row, is_good = played
    print(row, end="", flush=True)
    if write:
        page = PAGE.read_text()
        before, _, rest = page.partition(BEGIN)
        table, _, after = rest.partition(END)
        rows = {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines(True)}
        rows[name] = row
        listed = [rows[bomb.name] for bomb in bombs() if bomb.name in rows]
        head = _row(["bomb", "without walls", *WAYS]), _row(["---"] * (len(WAYS) + 2))
        PAGE.write_text(before + BEGIN + "".join((*head, *listed)) + END + after)
    return is_good


def _play(number: int, plain: str | None) -> tuple[str, str, bool]:
    """Play one bomb in every way; gives its name, its row, and whether it bit and was held."""
    bomb = bombs()[number]
    bare, *_ = corpus.play(number, wrapped=False)
    cells = [_told(bare) + ("" if bomb.bites(bare) else ", **did not bite**")]
    is_good = bomb.bites(bare)
    for wrapped, as_plain in WAYS.values():
        if as_plain and plain is None:
            cells.append("not played: no interpreter that a plain user may start")
            continue
        who = plain if as_plain else None
        (held,) = corpus.play(number, wrapped=wrapped, interpreter=who, has_bitten=True)
        is_held = bomb.holds(held) and held.survivors == 0
        cells.append(f"{held.level}: {_told(held)}{'' if is_held else ', **not held**'}")
        is_good &= is_held
    return bomb.name, _row([bomb.name, *cells]), is_good


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
        yield _answers(seen.answer)
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


def _answers(answer: object) -> str:
    """Sum up what a bomb says of its attempts."""
    attempts = answer if isinstance(answer, list) else [answer]
    refused = sum(str(one).startswith("refused") for one in attempts)
    done = attempts.count("done")
    if refused + done != len(attempts):
        return "finished"
    return f"{refused} of {len(attempts)} refused" if refused else f"all {done} done"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    sys.exit(main())
