"""Founds the real network of a scenario: the simulator's keys and genesis, and where nodes are.

With the keys, the order of the committee and so the turns of its leaders are those of the simulated
run. Anybody can derive them from the seed, so nothing of value may ever be held by them.
"""

import time
from pathlib import Path

from msgspec.structs import replace as with_fields

from p2pnode.genesis import write_genesis
from p2pnode.lab.founding import free_ports, write_config
from p2pnode.lab.real.namespaces import Hosts
from p2pnode.lab.real.shape import Shape
from p2pnode.lab.testnet import LabError, LabNetwork, Member
from p2pnode.network import peer_id_of
from p2pnode.storage import NodeSeeds, create_seeds, prepare_data_folder
from protocol.messages import network_of
from protocol.signing import REAL, account_of
from protocol.simulator.scenario import genesis_of, identities

PORT, API_PORT = 4_001, 8_001
"""In namespaces, where every node has addresses of its own."""


def found_shape(folder: Path, shape: Shape, hosts: Hosts | None) -> LabNetwork:
    """Write what all nodes of a network need for their start.

    Args:
        folder: Empty, or not there yet.
        shape: What is to be played.
        hosts: The namespaces of the nodes; None to run all of them on loopback.

    Raises:
        LabError: The folder holds a network.
    """
    if (folder / "node-0").exists():
        raise LabError(f"{folder} holds another network: name an empty folder")
    genesis = with_fields(genesis_of(shape.scenario, REAL), time_ms=time.time_ns() // 1_000_000)
    network = network_of(genesis).hex()
    places = _places(shape.scenario.nodes, hosts)
    members: list[Member] = []
    for node, identity in enumerate(identities(shape.scenario)):
        data_folder = prepare_data_folder(folder / f"node-{node}")
        create_seeds(data_folder.key, NodeSeeds(identity.seed, identity.vrf_seed))
        write_genesis(data_folder.genesis, genesis)
        account = account_of(identity.seed)
        transport, api = places[node]
        member = Member(
            node=node,
            account=account.hex(),
            peer_id=peer_id_of(account),
            address=f"{transport}/p2p/{peer_id_of(account)}",
            api=api,
            data_dir=data_folder.root,
            liar=node in shape.liars,
            namespace=hosts.name(node) if hosts else "",
        )
        members.append(member)
        write_config(member, members[0], network, ())
    return LabNetwork(
        folder=folder,
        network=network,
        temporary=False,
        members=tuple(members),
        colluding=True,
    )


def _places(nodes: int, hosts: Hosts | None) -> list[tuple[str, str]]:
    """Where each node listens, and where it serves programs."""
    if hosts is not None:
        return [
            (
                f"/ip4/{hosts.address(node)}/tcp/{PORT}",
                f"{hosts.watched_address(node)}:{API_PORT}",
            )
            for node in range(nodes)
        ]
    ports = free_ports(2 * nodes)
    return [
        (f"/ip4/127.0.0.1/tcp/{ports[2 * node]}", f"127.0.0.1:{ports[2 * node + 1]}")
        for node in range(nodes)
    ]
