"""The group `genesis`: found a network, or show on what terms one was founded."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import fields, replace

from p2pnode.cli.endings import BadInput, CannotWrite, Ending
from p2pnode.cli.output import print_json, print_record, print_table
from p2pnode.genesis import (
    DEVELOPMENT_STAKE,
    PRESETS,
    Founder,
    make_genesis,
    read_genesis,
    write_genesis,
)
from p2pnode.money import format_credits, parse_credits
from p2pnode.offline.parameter_units import changed_terms, unit_of
from protocol.accounts import Accounts
from protocol.errors import Misuse, Rejected
from protocol.ledger.committee import Committee
from protocol.messages import Allocation, CustodyTerms, Genesis, network_of
from protocol.signing import check_key
from protocol.units import AccountId

KEY_DIGITS = 64
NAME_LENGTH_MAX = 64


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of this group."""
    parser = argparse.ArgumentParser(
        prog="p2pnode genesis",
        description="What all nodes of a network share before its first block.",
        epilog="exit codes:\n  0 done   1 failed   2 bad input",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_new(commands)
    summary = "show the terms, the committee and the hash of a network"
    show = commands.add_parser(
        "show", help=summary, description=f"{summary.capitalize()}.", allow_abbrev=False
    )
    show.add_argument("file", metavar="FILE", type=Path, help="`genesis` of a data folder")
    show.add_argument("--json", action="store_true", help="print JSON for programs")
    show.set_defaults(handler=_show)
    return parser


def _add_new(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "write the genesis of a new network that starts now"
    new = commands.add_parser(
        "new", help=summary, description=f"{summary.capitalize()}.", allow_abbrev=False
    )
    new.add_argument("--name", help="for people; the hash is what counts")
    new.add_argument("--preset", choices=sorted(PRESETS), default="testnet", help="its terms")
    new.add_argument(
        "--validator",
        metavar="ACCOUNT:VRFKEY[:STAKE]",
        action="append",
        default=[],
        help="a member, as `p2pnode keys show` prints it, and its stake in credits; repeatable",
    )
    new.add_argument(
        "--allocation",
        metavar="ACCOUNT:CREDITS",
        action="append",
        default=[],
        help="credits that an account starts with; repeatable",
    )
    new.add_argument(
        "--withdrawal-key",
        metavar="ACCOUNT:KEY[:ALLOWANCE]",
        action="append",
        default=[],
        help="who alone takes money out of ACCOUNT, and what that may spend; repeatable",
    )
    new.add_argument(
        "--set",
        metavar="PARAMETER=VALUE",
        action="append",
        default=[],
        help="a term that differs from the preset's, as `genesis show` names it; repeatable",
    )
    new.add_argument("--faucet", metavar="ACCOUNT", help="who gives credits to newcomers")
    new.add_argument("--out", metavar="FILE", type=Path, required=True, help="what to write")
    new.add_argument("--json", action="store_true", help="print JSON for programs")
    new.set_defaults(handler=_new)


def _new(arguments: argparse.Namespace) -> int:
    out = arguments.out
    if out.exists():
        raise BadInput(f"{out} exists and is never replaced: name another --out")
    _ask_for_missing(arguments)
    genesis = _founded(arguments)
    try:
        write_genesis(out, genesis)
    except OSError as error:
        raise CannotWrite(f"{out}: {error.strerror}: choose another --out") from error
    summary = _summary(genesis) | {"file": str(out)}
    if arguments.json:
        print_json(summary)
    else:
        print_record(summary)
        print(f"\neach member starts with: p2pnode --network {out}")
    return Ending.DONE


def _ask_for_missing(arguments: argparse.Namespace) -> None:
    """Asks on a terminal for what a network cannot do without.

    Raises:
        BadInput: Nobody is there to be asked.
    """
    missing = [flag for flag in ("name", "validator") if not getattr(arguments, flag)]
    if missing and not sys.stdin.isatty():
        raise BadInput(f"--{missing[0]} is missing: a network has a name and a validator")
    if not arguments.name:
        arguments.name = input("name of the network: ").strip()
    if not arguments.validator:
        print("one validator a line, as `p2pnode keys show` prints it; an empty line ends")
        arguments.validator = _lines("ACCOUNT:VRFKEY[:STAKE]: ")
        print("who starts with how many credits, one account a line; an empty line ends")
        arguments.allocation += _lines("ACCOUNT:CREDITS: ")


def _lines(prompt: str) -> list[str]:
    return [line.strip() for line in iter(lambda: input(prompt), "")]


def _founded(arguments: argparse.Namespace) -> Genesis:
    """Makes the genesis that the line describes.

    Raises:
        BadInput: It would not found a network that works.
    """
    if not 1 <= len(arguments.name.encode()) <= NAME_LENGTH_MAX:
        raise BadInput(f"--name has 1 to {NAME_LENGTH_MAX} characters")
    founders = [_founder(text) for text in arguments.validator]
    allocations = tuple(_allocation(text) for text in arguments.allocation)
    faucet = _account(arguments.faucet, "--faucet") if arguments.faucet else None
    if faucet is not None and faucet not in {one.account for one in allocations}:
        raise BadInput("the faucet has nothing to give: add an --allocation for its account")
    terms = changed_terms(PRESETS[arguments.preset](), arguments.set)
    genesis = make_genesis(arguments.name, terms, founders, faucet)
    custodies = tuple(_custody(text) for text in arguments.withdrawal_key)
    genesis = replace(genesis, allocations=allocations, custodies=custodies)
    try:
        Committee.of_genesis(genesis)
        Accounts(genesis)
    except Misuse as misuse:
        raise BadInput(str(misuse)) from misuse
    return genesis


def _founder(text: str) -> Founder:
    parts = text.split(":")
    if len(parts) not in (2, 3):
        raise BadInput(f"--validator takes ACCOUNT:VRFKEY or ACCOUNT:VRFKEY:STAKE, not {text!r}")
    stake = parse_credits(parts[2]) if len(parts) == 3 else DEVELOPMENT_STAKE
    if not stake:
        raise BadInput("--validator: a member has a stake")
    account, vrf_key = (_account(part, "--validator") for part in parts[:2])
    return Founder(account, vrf_key, stake, balance=0)


def _allocation(text: str) -> Allocation:
    account, colon, amount = text.partition(":")
    if not colon:
        raise BadInput(f"--allocation takes ACCOUNT:CREDITS, not {text!r}")
    credits_ = parse_credits(amount)
    if not credits_:
        raise BadInput("--allocation: nothing need not be given")
    return Allocation(_account(account, "--allocation"), credits_)


def _custody(text: str) -> CustodyTerms:
    parts = text.split(":")
    if len(parts) not in (2, 3):
        raise BadInput(f"--withdrawal-key takes ACCOUNT:KEY or ACCOUNT:KEY:ALLOWANCE, not {text!r}")
    account, key = (_account(part, "--withdrawal-key") for part in parts[:2])
    return CustodyTerms(account, key, parse_credits(parts[2]) if len(parts) == 3 else 0)


def _account(text: str, flag: str) -> AccountId:
    if re.fullmatch(f"[0-9a-fA-F]{{{KEY_DIGITS}}}", text) is None:
        raise BadInput(f"{flag}: {text!r} is no key: write its {KEY_DIGITS} hexadecimal digits")
    account = AccountId(bytes.fromhex(text))
    try:
        check_key(account)
    except Rejected as refusal:
        raise BadInput(f"{flag}: {text}: {refusal}") from refusal
    return account


def _show(arguments: argparse.Namespace) -> int:
    genesis = read_genesis(arguments.file)
    try:
        committee = _committee(genesis)
    except Misuse as misuse:
        raise BadInput(f"{arguments.file}: {misuse}") from misuse
    terms = _terms(genesis)
    allocations = [
        {"account": one.account.hex(), "amount": one.amount} for one in genesis.allocations
    ]
    custodies = [
        {"account": one.account.hex(), "key": one.key.hex(), "allowance": one.allowance}
        for one in genesis.custodies
    ]
    if arguments.json:
        parts = {"committee": committee, "allocations": allocations, "parameters": terms}
        parts["custodies"] = custodies
        print_json(_summary(genesis) | parts)
        return Ending.DONE
    print_record(_summary(genesis))
    _print_part("committee", committee)
    _print_part("allocations", allocations)
    _print_part("custodies", custodies)
    _print_part("parameters", terms)
    return Ending.DONE


def _summary(genesis: Genesis) -> dict[str, object]:
    committee = Committee.of_genesis(genesis)
    staked = sum(one.stake for one in genesis.validators)
    allocated = sum(one.amount for one in genesis.allocations)
    return {
        "network": network_of(genesis).hex(),
        "name": genesis.name,
        "time_ms": genesis.time_ms,
        "seed": genesis.seed.hex(),
        "faucet": genesis.faucet.hex() if genesis.faucet else None,
        "members": len(committee),
        "total_weight": committee.total,
        "quorum_weight": committee.quorum,
        "supply": f"{format_credits(staked + allocated)} credits",
        "staked": staked,
    }


def _committee(genesis: Genesis) -> list[dict[str, object]]:
    stakes = {one.account: one.stake for one in genesis.validators}
    return [
        {
            "index": index,
            "account": member.account.hex(),
            "vrf_key": member.vrf_key.hex(),
            "staked": stakes[member.account],
            "weight": member.weight,
        }
        for index, member in enumerate(Committee.of_genesis(genesis).members)
    ]


def _terms(genesis: Genesis) -> list[dict[str, object]]:
    names = [field.name for field in fields(genesis.parameters)]
    return [
        {"parameter": name, "value": getattr(genesis.parameters, name), "unit": unit_of(name)}
        for name in names
    ]


def _print_part(title: str, rows: Sequence[dict[str, object]]) -> None:
    print(f"\n{title}")
    print_table(rows, "none")
