"""Commands about credits: balance, transfer, stake, unstake, faucet, send, operation."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from p2pnode.cli.arguments import add_command
from p2pnode.cli.endings import BadInput, Ending
from p2pnode.cli.identifiers import resolve, whole
from p2pnode.cli.output import complain, print_account, print_json, print_record
from p2pnode.money import format_credits, parse_credits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2pnode.cli.arguments import Commands
    from p2pnode.client import Client

AMOUNT_HELP = "credits, with at most 6 decimals"


def add_commands(commands: "Commands") -> None:
    """Add this group to the parser."""
    balance = add_command(commands, "balance", show_balance, "show the credits of an account")
    balance.add_argument("account", nargs="?", help="the node's own where left out")
    transfer = add_command(commands, "transfer", send_credits, "send credits to an account")
    transfer.add_argument("recipient", metavar="ACCOUNT", help="all 64 digits")
    transfer.add_argument("amount", metavar="AMOUNT", help=AMOUNT_HELP)
    stake = add_command(commands, "stake", add_stake, "move credits into stake")
    stake.add_argument(
        "amount", metavar="AMOUNT", nargs="?", help=f"{AMOUNT_HELP}; left out: show what it earns"
    )
    unstake = add_command(commands, "unstake", remove_stake, "start to unbond stake")
    unstake.add_argument("amount", metavar="AMOUNT", help=AMOUNT_HELP)
    add_command(commands, "faucet", ask_faucet, "ask the network's faucet for credits")
    send = add_command(commands, "send", send_signed, "hand in what `p2pnode sign` wrote")
    send.add_argument("file", metavar="FILE", type=Path, help="one signed operation a line")
    operation = add_command(commands, "operation", show_operation, "show how far an operation got")
    operation.add_argument("identifier", metavar="ID", help="all 64 digits")


def show_balance(client: "Client", arguments: argparse.Namespace) -> int:
    """Show the balances of an account."""
    account = arguments.account
    if account == "me":
        account = None
    if account is not None:
        account = resolve(account, lambda: _peer_accounts(client), "account")
    _show_account(client.balance(account), as_json=arguments.json)
    return Ending.DONE


def send_credits(client: "Client", arguments: argparse.Namespace) -> int:
    """Send credits; the recipient is never completed, as money sent wrongly is gone."""
    amount = parse_credits(arguments.amount)
    recipient = whole(arguments.recipient, "account")
    sent = client.transfer(recipient, amount)
    _tell(sent, f"sending {format_credits(amount)} credits to {recipient}", arguments)
    return Ending.DONE


def add_stake(client: "Client", arguments: argparse.Namespace) -> int:
    """Move credits into stake, or show what the stake of this node earns."""
    if arguments.amount is None:
        _show_account(client.balance(None), as_json=arguments.json)
        return Ending.DONE
    amount = parse_credits(arguments.amount)
    _tell(client.stake(amount), f"staking {format_credits(amount)} credits", arguments)
    return Ending.DONE


def remove_stake(client: "Client", arguments: argparse.Namespace) -> int:
    """Start to unbond stake."""
    amount = parse_credits(arguments.amount)
    _tell(client.unstake(amount), f"unbonding {format_credits(amount)} credits", arguments)
    return Ending.DONE


def ask_faucet(client: "Client", arguments: argparse.Namespace) -> int:
    """Ask the network's faucet for credits."""
    _show(client.faucet(), as_json=arguments.json)
    return Ending.DONE


def send_signed(client: "Client", arguments: argparse.Namespace) -> int:
    """Hand in operations that were signed elsewhere, and say what became of each."""
    answers = client.submit_operations(_signed_in(arguments.file))
    if arguments.json:
        print_json(answers)
    for answer in answers if not arguments.json else ():
        error = answer.get("error")
        if error is not None:
            complain(f"refused: {error['message']}")
        else:
            print(f"handed in\nfollow it with: p2pnode operation {answer['operation']}")
    return Ending.REFUSED if any("error" in answer for answer in answers) else Ending.DONE


def _signed_in(path: Path) -> list[bytes]:
    try:
        lines = path.read_text(encoding="ascii").split()
        signed = [bytes.fromhex(line) for line in lines]
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}: name a file of `p2pnode sign`") from error
    except ValueError as error:
        raise BadInput(
            f"{path} holds no signed operation: name a file of `p2pnode sign`"
        ) from error
    if not signed:
        raise BadInput(f"{path} is empty: name a file of `p2pnode sign`")
    return signed


def show_operation(client: "Client", arguments: argparse.Namespace) -> int:
    """Show how far an operation got."""
    identifier = whole(arguments.identifier, "operation")
    _show(client.operation(identifier), as_json=arguments.json)
    return Ending.DONE


def _peer_accounts(client: "Client") -> list[str]:
    return [str(peer["account"]) for peer in client.peers() if "account" in peer]


def _show_account(record: "Mapping[str, object]", *, as_json: bool) -> None:
    (print_json if as_json else print_account)(record)


def _show(record: "Mapping[str, object]", *, as_json: bool) -> None:
    (print_json if as_json else print_record)(record)


def _tell(answer: "Mapping[str, object]", doing: str, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(answer)
        return
    operation = answer.get("operation")
    print(f"{doing}\nfollow it with: p2pnode operation {operation}")
