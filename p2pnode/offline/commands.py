"""The entry of the offline groups: hands a line to its group, and turns failures into sentences."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Final

from p2pnode.cli.endings import BadInput, CannotWrite, Ending
from p2pnode.cli.output import complain
from p2pnode.genesis import GenesisError
from p2pnode.money import MoneyError
from p2pnode.offline.findings import Unreadable

MODULES: Final[Mapping[str, str]] = {
    "ledger": "p2pnode.offline.ledger_commands",
    "genesis": "p2pnode.offline.genesis_commands",
    "keys": "p2pnode.offline.keys_commands",
    "lottery": "p2pnode.offline.lottery_commands",
    "sign": "p2pnode.offline.sign_commands",
}
"""Where each group's parser is; only the group that is called is imported."""


def main(group: str, argv: Sequence[str]) -> int:
    """Run one command of a group.

    Args:
        group: A key of `MODULES`.
        argv: What follows the group's name.

    Returns:
        The exit code: 0 done, 1 failed or found wrong, 2 usage or bad input.
    """
    parser = importlib.import_module(MODULES[group]).build_parser()
    arguments = parser.parse_args(list(argv))
    try:
        return int(arguments.handler(arguments))
    except (BadInput, GenesisError, MoneyError) as mistake:
        complain(str(mistake))
        return Ending.BAD_INPUT
    except (CannotWrite, Unreadable) as failure:
        complain(str(failure))
        return Ending.FAILED
