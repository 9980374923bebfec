"""The group `sign`: signs an operation on a machine that need not be connected to anything.

The file that comes out holds no secret. Whoever has it may hand it in with `p2pnode send`; it has
its effect once, and none but the one that was signed.
"""

import argparse
import re
from pathlib import Path

from p2pnode.cli.endings import BadInput, CannotWrite, Ending
from p2pnode.cli.identifiers import whole
from p2pnode.cli.output import print_json, print_record
from p2pnode.genesis import read_genesis
from p2pnode.money import format_credits, parse_credits
from p2pnode.offline.findings import Unreadable
from p2pnode.storage import StorageError, load_or_create_seeds
from protocol.errors import Rejected
from protocol.messages import (
    VERSION,
    CustodyTerms,
    CustodyUnstaking,
    CustodyWithdrawal,
    Operation,
    Payload,
    Transfer,
    VerifiedOperation,
    network_of,
    sign_operation,
)
from protocol.signing import REAL, account_of, check_key
from protocol.units import AccountId, Digest

LAST_EPOCH = 1_000_000
"""Far beyond any use: an operation signed ahead may be kept in a safe."""
EPOCH_MAX = 2**53
HASH = re.compile(r"[0-9a-fA-F]{64}")


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of this group."""
    parser = argparse.ArgumentParser(
        prog="p2pnode sign",
        description="Sign an operation without a network, to be handed in by `p2pnode send`.",
        epilog="exit codes:\n  0 done   1 failed   2 bad input",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--key", metavar="FILE", type=Path, required=True, help="who signs")
    parser.add_argument("--network", metavar="HASH|FILE", required=True, help="or its genesis")
    nonce = "the signer's next one, as `p2pnode balance ACCOUNT` shows it"
    parser.add_argument("--nonce", metavar="COUNT", type=int, required=True, help=nonce)
    parser.add_argument("--last-epoch", metavar="EPOCH", type=int, default=LAST_EPOCH)
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="what to write")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary, names in (
        ("transfer", "send the signer's credits to ACCOUNT", ("account", "amount")),
        ("withdraw", "take credits out of ACCOUNT into the signer's own", ("account", "amount")),
        ("unstake", "start to unbond stake of ACCOUNT", ("account", "amount")),
        ("entrust", "name the withdrawal key of the signer's own account", ("key", "allowance")),
        ("terms", "change key and allowance of ACCOUNT", ("account", "key", "allowance")),
    ):
        action = actions.add_parser(
            name, help=summary, description=f"{summary.capitalize()}.", allow_abbrev=False
        )
        for argument in names:
            # `--key` of the signer has another destination than the key that is named
            destination = "named" if argument == "key" else argument
            action.add_argument(destination, metavar=argument.upper())
    parser.set_defaults(handler=_sign)
    return parser


def _sign(arguments: argparse.Namespace) -> int:
    if arguments.out.exists():
        raise BadInput(f"{arguments.out} exists and is never replaced: name another --out")
    for name in ("nonce", "last_epoch"):
        if not 0 <= getattr(arguments, name) <= EPOCH_MAX:
            raise BadInput(f"--{name.replace('_', '-')} is a whole number from 0 on")
    network = _network(arguments.network)
    seed = _seed(arguments.key)
    signed = _signed(arguments, network, seed)
    try:
        arguments.out.write_text(signed.raw.hex() + "\n", encoding="ascii")
    except OSError as error:
        raise CannotWrite(f"{arguments.out}: {error.strerror}: choose another --out") from error
    record: dict[str, object] = {
        "file": str(arguments.out),
        "operation": signed.identifier.hex(),
        "signer": signed.operation.account.hex(),
        "nonce": signed.operation.nonce,
        "network": network.hex(),
        "says": _told(signed.operation.payload),
    }
    (print_json if arguments.json else print_record)(record)
    return Ending.DONE


def _signed(arguments: argparse.Namespace, network: Digest, seed: bytes) -> VerifiedOperation:
    signer = account_of(seed)
    operation = Operation(
        version=VERSION,
        network=network,
        account=signer,
        nonce=arguments.nonce,
        last_epoch=arguments.last_epoch,
        payload=_payload(arguments, signer),
    )
    return sign_operation(operation, seed, REAL)


def _payload(arguments: argparse.Namespace, signer: AccountId) -> Payload:
    if arguments.action == "entrust":
        return _terms(arguments, signer)
    account = _account(arguments.account)
    if arguments.action == "terms":
        return _terms(arguments, account)
    amount = parse_credits(arguments.amount)
    if not amount:
        raise BadInput("an amount is more than nothing")
    match arguments.action:
        case "transfer":
            return Transfer(account, amount)
        case "withdraw":
            return CustodyWithdrawal(account, amount)
        case _:
            return CustodyUnstaking(account, amount)


def _terms(arguments: argparse.Namespace, account: AccountId) -> CustodyTerms:
    key = _account(arguments.named)
    if key == account:
        raise BadInput("a withdrawal key is another key than the account's own: make a new one")
    return CustodyTerms(account, key, parse_credits(arguments.allowance))


def _account(text: str) -> AccountId:
    account = AccountId(bytes.fromhex(whole(text, "account")))
    try:
        check_key(account)
    except Rejected as refusal:
        raise BadInput(f"{text}: {refusal}") from refusal
    return account


def _network(text: str) -> Digest:
    if HASH.fullmatch(text):
        return Digest(bytes.fromhex(text))
    return network_of(read_genesis(Path(text)))


def _seed(path: Path) -> bytes:
    if not path.is_file():
        raise BadInput(f"there is no key file {path}: make one with `p2pnode keys new`")
    try:
        return load_or_create_seeds(path).signing
    except StorageError as error:
        raise Unreadable(str(error)) from error


def _told(payload: Payload) -> str:
    """Says in words what is signed, so that it can be read before it leaves the machine."""
    match payload:
        case Transfer(recipient, amount):
            return f"send {format_credits(amount)} credits to {recipient.hex()}"
        case CustodyWithdrawal(account, amount):
            return f"take {format_credits(amount)} credits out of {account.hex()}"
        case CustodyUnstaking(account, amount):
            return f"start to unbond {format_credits(amount)} credits of {account.hex()}"
        case CustodyTerms(account, key, allowance):
            spend = f"it may spend {format_credits(allowance)} credits on fees and escrows"
            return f"{account.hex()} pays out only to {key.hex()}; {spend}"
        case _:
            raise AssertionError("nothing else is signed here")
