"""Local networks that exist on paper, for tests of what is said about them."""

from pathlib import Path

from p2pnode.lab.processes import ProcessId
from p2pnode.lab.testnet import LabNetwork, Member
from p2pnode.network import peer_id_of


def member(folder: Path, *, node: int = 0, process: ProcessId | None = None) -> Member:
    account = bytes([node + 1]) * 32
    peer_id = peer_id_of(account)
    data_dir = folder / f"node-{node}"
    data_dir.mkdir(parents=True, exist_ok=True)
    return Member(
        node=node,
        account=account.hex(),
        peer_id=peer_id,
        address=f"/ip4/127.0.0.1/tcp/{20_000 + node}/p2p/{peer_id}",
        api=f"127.0.0.1:{21_000 + node}",
        data_dir=data_dir,
        liar=False,
        process=process,
    )


def network(folder: Path, *, nodes: int = 4, owner: ProcessId | None = None) -> LabNetwork:
    members = tuple(member(folder, node=node) for node in range(nodes))
    return LabNetwork(folder, "ab" * 32, temporary=False, members=members, owner=owner)
