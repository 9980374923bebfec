"""The group `keys`: make a node's secrets, show what is public of them, export them on demand."""

import argparse
import os
from pathlib import Path

from p2pnode.cli.endings import BadInput, Ending
from p2pnode.cli.output import print_json, print_record
from p2pnode.offline.findings import Unreadable
from p2pnode.settings import default_data_dir
from p2pnode.storage import NodeSeeds, StorageError, layout, load_or_create_seeds
from protocol import vrf
from protocol.signing import account_of

PEER_ID_PREFIX = bytes.fromhex("002408011220")
"""What a peer id says before the key: the identity multihash of an Ed25519 key."""
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
"""Of base 58."""


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of this group."""
    parser = argparse.ArgumentParser(
        prog="p2pnode keys",
        description="The secrets of a node. Whoever has them has its credits and its stake.",
        epilog="exit codes:\n  0 done   1 failed   2 bad input",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, summary, handler in (
        ("new", "make a new key file", _new),
        ("show", "show account, peer id and random-function key", _show),
        ("export", "print the secrets themselves, for a backup", _export),
    ):
        command = commands.add_parser(
            name, help=summary, description=f"{summary.capitalize()}.", allow_abbrev=False
        )
        place = command.add_mutually_exclusive_group()
        place.add_argument("--data-dir", metavar="DIR", type=Path, help="of the node")
        place.add_argument("--key", metavar="FILE", type=Path, help="the key file itself")
        command.add_argument("--json", action="store_true", help="print JSON for programs")
        if name == "export":
            command.add_argument(
                "--yes-show-secret",
                action="store_true",
                help="confirm that nobody else sees this screen or keeps what is printed",
            )
        command.set_defaults(handler=handler)
    return parser


def _new(arguments: argparse.Namespace) -> int:
    path = _path(arguments)
    if path.exists():
        raise BadInput(f"{path} exists and is never replaced: name another place")
    if arguments.data_dir is not None:
        arguments.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.parent.is_dir():
        raise BadInput(f"there is no folder {path.parent}: create it or name another one")
    return _print_public(path, as_json=arguments.json)


def _show(arguments: argparse.Namespace) -> int:
    return _print_public(_existing(arguments), as_json=arguments.json)


def _export(arguments: argparse.Namespace) -> int:
    if not arguments.yes_show_secret:
        raise BadInput(
            "this prints the secrets in the clear: repeat it with --yes-show-secret if nobody "
            "else can see them; the key file itself is as good a backup"
        )
    seeds = _load(_existing(arguments))
    _print(
        {
            "account": account_of(seeds.signing).hex(),
            "signing_seed": seeds.signing.hex(),
            "randomness_seed": seeds.randomness.hex(),
        },
        as_json=arguments.json,
    )
    return Ending.DONE


def _print_public(path: Path, *, as_json: bool) -> int:
    seeds = _load(path)
    account = account_of(seeds.signing)
    vrf_key = vrf.public_key(seeds.randomness)
    _print(
        {
            "file": str(path),
            "account": account.hex(),
            "peer_id": peer_id_of(account),
            "vrf_key": vrf_key.hex(),
            "validator": f"{account.hex()}:{vrf_key.hex()}",
        },
        as_json=as_json,
    )
    return Ending.DONE


def peer_id_of(account: bytes) -> str:
    """The text by which peers name an account; equal to the network's, without its library."""
    raw = PEER_ID_PREFIX + account
    number = int.from_bytes(raw, "big")
    digits = ""
    while number:
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return ALPHABET[0] * (len(raw) - len(raw.lstrip(b"\0"))) + digits


def _path(arguments: argparse.Namespace) -> Path:
    if arguments.key is not None:
        return Path(arguments.key)
    return layout(arguments.data_dir or default_data_dir(os.environ)).key


def _existing(arguments: argparse.Namespace) -> Path:
    path = _path(arguments)
    if not path.is_file():
        raise BadInput(f"there is no key file {path}: make one with `p2pnode keys new`")
    return path


def _load(path: Path) -> NodeSeeds:
    try:
        return load_or_create_seeds(path)
    except StorageError as error:
        raise Unreadable(str(error)) from error


def _print(record: dict[str, object], *, as_json: bool) -> None:
    (print_json if as_json else print_record)(record)
