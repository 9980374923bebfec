"""What the nodes of a real run left on their disks, once they have ended."""

import json
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from p2pnode.arrival.store import is_whole
from p2pnode.cli.groups import run_group
from p2pnode.genesis import read_genesis
from p2pnode.lab.real.recording import LEDGERS, STEPS
from p2pnode.lab.real.steps import gather_steps, read_steps
from p2pnode.lab.real.watch import Clock
from p2pnode.lab.results import Setup
from p2pnode.lab.testnet import LabNetwork
from p2pnode.storage import layout, open_readonly
from protocol.ledger.block import stored_digest
from protocol.signing import REAL
from protocol.simulator.scenario import Scenario
from protocol.units import AccountId


@dataclass(frozen=True, slots=True)
class Gathered:
    """All of it.

    Attributes:
        setup: Whom the run is about.
        steps: What the nodes wrote about themselves, in the order of time.
        blocks: The bytes of every block that any store holds, by digest.
        waiting: By node, the nonce of each operation of its own that its store holds.
        stores: Whether the ledgers that the nodes left behind agree.
    """

    setup: Setup
    steps: list[dict[str, Any]]
    blocks: Mapping[str, bytes]
    waiting: Mapping[int, Mapping[str, int]]
    stores: Mapping[str, object]


def gather(testnet: LabNetwork, scenario: Scenario, clock: Clock, out: Path) -> Gathered:
    """Read the folders of nodes that have ended, and keep a copy of what they wrote."""
    gather_steps(testnet, clock, out / STEPS)
    genesis = read_genesis(layout(testnet.members[0].data_dir).genesis)
    accounts = tuple(AccountId(bytes.fromhex(one.account)) for one in testnet.members)
    blocks: dict[str, bytes] = {}
    later: dict[str, bytes] = {}
    waiting: dict[int, dict[str, int]] = {}
    for member in testnet.members:
        with open_readonly(member.data_dir, stored_digest) as journal:
            # Each after those that it refers to, as its node took them in; blocks of a node that
            # began at a snapshot refer to those that others hold.
            found = blocks if is_whole(journal) else later
            for _, block in journal.blocks():
                found.setdefault(block.digest.hex(), block.raw)
            own = journal.own_operations()
            waiting[member.node] = {one.identifier.hex(): one.nonce for one in own}
    return Gathered(
        Setup(genesis, accounts, scenario.honest, REAL),
        read_steps(out / STEPS),
        blocks | {digest: raw for digest, raw in later.items() if digest not in blocks},
        waiting,
        compare_stores(testnet, out / LEDGERS),
    )


def store_trouble(stores: Mapping[str, object]) -> str:
    """Say why the stores do not show that the same commits left the same state everywhere."""
    if stores["agree"] and stores["audited"]:
        return ""
    return str(stores["difference"] or stores.get("first_bad") or "the stores were not compared")


def compare_stores(testnet: LabNetwork, folder: Path) -> dict[str, object]:
    """Export the ledger of every node, which must have ended, compare and audit the exports.

    A node that began at a snapshot has no blocks from before; what it held and what it committed is
    judged by what it wrote about itself.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files, later = [], []
    for member in testnet.members:
        with open_readonly(member.data_dir, stored_digest) as journal:
            if not is_whole(journal):
                later.append(member.node)
                continue
        out = folder / f"node-{member.node}.ledger"
        options = ["export", "--data-dir", str(member.data_dir), "--out", str(out), "--json"]
        with redirect_stdout(StringIO()):
            if run_group("ledger", options):
                text = f"node {member.node} has no whole ledger"
                return {"agree": None, "difference": text, "audited": None}
        files.append(str(out))
    if not files:
        return {"agree": None, "difference": "no node has a whole ledger", "audited": None}
    # The first is derived again from nothing; the others need only be equal to it.
    audit = _asked("audit", files[0])
    found = _asked("compare", *files) if len(files) > 1 else {"agree": True}
    names = ("agree", "common_index", "state_digest", "difference")
    return {name: found.get(name) for name in names} | {
        "audited": audit["ok"],
        "first_bad": audit["first_bad"],
        "began_later": later,
    }


def _asked(command: str, *files: str) -> dict[str, object]:
    with redirect_stdout(StringIO()) as output:
        run_group("ledger", [command, *files, "--json"])
    return dict(json.loads(output.getvalue()))
