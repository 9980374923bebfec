"""Commands that only look: status, peers, devices."""

import argparse
import time
from typing import TYPE_CHECKING

from p2pnode.cli.arguments import add_command
from p2pnode.cli.endings import Ending
from p2pnode.cli.identifiers import SHOWN_DIGITS
from p2pnode.cli.output import print_json, print_record, print_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2pnode.cli.arguments import Commands
    from p2pnode.client import Client

PEER_FIELDS = (
    "account",
    "address",
    "direction",
    "seconds",
    "rtt_ms",
    "same_network",
    "messages_in",
    "messages_out",
    "rejected",
)
"""What fits one line of a terminal; `--json` prints all."""


DEVICE_FIELDS = ("identifier", "name", "uuid", "sandbox_level", "temperature_celsius")
"""Shown of a device as they are; the rest of its line is put into units for people."""


def add_commands(commands: "Commands") -> None:
    """Add this group to the parser."""
    add_command(commands, "status", show_status, "show where a running node stands")
    add_command(commands, "peers", show_peers, "list the connected peers")
    add_command(commands, "devices", show_devices, "list the devices that the node lends")


def show_status(client: "Client", arguments: argparse.Namespace) -> int:
    """Show where the node and its network stand."""
    status = client.status()
    if arguments.json:
        print_json(status)
        return Ending.DONE
    disk = status.get("storage")
    print_record({name: value for name, value in status.items() if name != "storage"})
    if isinstance(disk, dict) and disk:
        print("\nstorage")
        print_record(disk)
    return Ending.DONE


def show_peers(client: "Client", arguments: argparse.Namespace) -> int:
    """List the connected peers."""
    peers = client.peers()
    if arguments.json:
        print_json(peers)
    else:
        print_table(
            [_row(peer) for peer in peers], "no peer is connected: add one with --bootstrap"
        )
    return Ending.DONE


def show_devices(client: "Client", arguments: argparse.Namespace) -> int:
    """List the devices that the node lends."""
    devices = client.devices()
    if arguments.json:
        print_json(devices)
    else:
        print_table([_device_row(one) for one in devices], "the node found no device")
    return Ending.DONE


def _device_row(device: "Mapping[str, object]") -> dict[str, object]:
    """Write one device for a table: what it is, and how it is now."""
    row = {name: device[name] for name in DEVICE_FIELDS if name in device}
    for name in ("memory_bytes", "memory_used_bytes", "lent_bytes"):
        if isinstance(size := device.get(name), int):
            row[name.replace("bytes", "mib")] = size // 2**20
    if isinstance(power := device.get("power_milliwatts"), int):
        row["watts"] = power // 1_000
    if isinstance(processes := device.get("processes"), list):
        row["processes"] = len(processes)
    if "problem" in device:
        row["problem"] = device["problem"]
    return row


def _row(peer: "Mapping[str, object]") -> dict[str, object]:
    """Write one peer for a table; its address names the peer again, which is left out."""
    row = dict(peer)
    row["account"] = str(peer.get("account"))[:SHOWN_DIGITS]
    row["address"] = str(peer.get("address")).partition("/p2p/")[0]
    if isinstance(since := peer.get("connected_since"), int | float):
        row["seconds"] = max(0, int(time.time() - since))
    if isinstance(round_trip := peer.get("rtt_ms"), int | float):
        row["rtt_ms"] = f"{round_trip:.1f}"
    return {name: row[name] for name in PEER_FIELDS if name in row}
