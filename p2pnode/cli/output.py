"""Prints records: as JSON for programs, as aligned text for people.

Text that came from the network is stripped of control characters before a terminal sees it.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from p2pnode.cli.endings import CannotWrite
from p2pnode.money import format_credits

AMOUNTS = frozenset(
    {
        "accrued",
        "allowance",
        "amount",
        "available",
        "budget",
        "earned",
        "escrow",
        "for_1000",
        "expected_price",
        "exposure",
        "fee",
        "free_stake",
        "highest_price",
        "pledged",
        "price",
        "price_cap",
        "smallest_budget",
        "refund",
        "staked",
    }
)
"""Names of fields that hold millionths of a credit."""


def print_json(value: object) -> None:
    """Print for programs."""
    print(json.dumps(value, indent=2))


def print_record(record: Mapping[str, object]) -> None:
    """Print one field a line."""
    width = max((len(name) for name in record), default=0)
    for name, value in record.items():
        lines = _lines(name, value)
        print(f"{name:<{width}}  {lines[0]}")
        for line in lines[1:]:
            print(f"{'':<{width}}  {line}")


def print_account(account: Mapping[str, object]) -> None:
    """Print an account, and below it what each of the last epochs paid for its stake."""
    earns = account.get("yield")
    if not isinstance(earns, Mapping):
        print_record(account)
        return
    print_record({**account, "yield": {k: v for k, v in earns.items() if k != "epochs"}})
    rows = [_payday_row(one) for one in earns.get("epochs", ())]
    if rows:
        print()
        print_table(rows, "")


def _payday_row(payday: Mapping[str, object]) -> dict[str, object]:
    """Write what one epoch paid; who did not show up in it finds the rate, and no amount."""
    rate_bp = payday.get("rate_bp")
    return {
        "epoch": payday.get("epoch"),
        "a year": percent(rate_bp) if isinstance(rate_bp, int) else None,
        "up": payday.get("up"),
        "for_1000": payday.get("for_1000"),
        "staked": payday.get("staked"),
        "amount": payday.get("amount"),
    }


def print_table(rows: Sequence[Mapping[str, object]], empty: str) -> None:
    """Print one record a line under the names of the fields, or a sentence if there is none."""
    if not rows:
        print(empty)
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(name, row.get(name)) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    for line in [names, *cells]:
        texts = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        print("  ".join(texts).rstrip())


def printable(value: object) -> str:
    """Make a text safe for a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in str(value))


def percent(basis_points: int) -> str:
    """Write hundredths of a percent for people."""
    return f"{basis_points // 100}.{basis_points % 100:02d} %"


def complain(sentence: str) -> None:
    """Tell people what went wrong and what to do."""
    print(f"p2pnode: {printable(sentence)}", file=sys.stderr)


def write_output(content: bytes, path: Path | None) -> None:
    """Write the output of a job to a file, or as it is to the standard output.

    Raises:
        CannotWrite: The file cannot be written, or bytes would garble a terminal.
    """
    if path is not None:
        try:
            path.write_bytes(content)
        except OSError as error:
            raise CannotWrite(f"{path}: {error.strerror}: choose another --out") from error
        return
    if sys.stdout.isatty() and not _is_text(content):
        raise CannotWrite("the output is not text: name a file with --out")
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _lines(name: str, value: object) -> list[str]:
    if isinstance(value, list | tuple) and value:
        return [_cell(name, item) for item in value]
    return [_cell(name, value)]


def _cell(name: str, value: object) -> str:
    if value is None or value in ([], {}, ""):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name in AMOUNTS:
        return format_credits(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{printable(key)} {_cell(key, item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_cell(name, item) for item in value)
    return printable(value)


def _is_text(content: bytes) -> bool:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return all(sign.isprintable() or sign in "\n\t" for sign in text)
