"""Commands about credits: balance, transfer, stake, unstake, faucet, operation."""

import argparse
from typing import TYPE_CHECKING

from p2pnode.cli.arguments import add_command
from p2pnode.cli.endings import Ending
from p2pnode.cli.identifiers import resolve, whole
from p2pnode.cli.output import print_json, print_record
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
    stake.add_argument("amount", metavar="AMOUNT", help=AMOUNT_HELP)
    unstake = add_command(commands, "unstake", remove_stake, "start to unbond stake")
    unstake.add_argument("amount", metavar="AMOUNT", help=AMOUNT_HELP)
    add_command(commands, "faucet", ask_faucet, "ask the network's faucet for credits")
    operation = add_command(commands, "operation", show_operation, "show how far an operation got")
    operation.add_argument("identifier", metavar="ID", help="all 64 digits")


def show_balance(client: "Client", arguments: argparse.Namespace) -> int:
    """Show the balances of an account."""
    account = arguments.account
    if account == "me":
        account = None
    if account is not None:
        account = resolve(account, lambda: _peer_accounts(client), "account")
    _show(client.balance(account), as_json=arguments.json)
    return Ending.DONE


def send_credits(client: "Client", arguments: argparse.Namespace) -> int:
    """Send credits; the recipient is never completed, as money sent wrongly is gone."""
    amount = parse_credits(arguments.amount)
    recipient = whole(arguments.recipient, "account")
    sent = client.transfer(recipient, amount)
    _tell(sent, f"sending {format_credits(amount)} credits to {recipient}", arguments)
    return Ending.DONE


def add_stake(client: "Client", arguments: argparse.Namespace) -> int:
    """Move credits into stake."""
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


def show_operation(client: "Client", arguments: argparse.Namespace) -> int:
    """Show how far an operation got."""
    identifier = whole(arguments.identifier, "operation")
    _show(client.operation(identifier), as_json=arguments.json)
    return Ending.DONE


def _peer_accounts(client: "Client") -> list[str]:
    return [str(peer["account"]) for peer in client.peers() if "account" in peer]


def _show(record: "Mapping[str, object]", *, as_json: bool) -> None:
    (print_json if as_json else print_record)(record)


def _tell(answer: "Mapping[str, object]", doing: str, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(answer)
        return
    operation = answer.get("operation")
    print(f"{doing}\nfollow it with: p2pnode operation {operation}")
