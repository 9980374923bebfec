"""Makes a local network that has not started yet: keys, genesis, ports and configuration files."""

import importlib.util
import json
import random
import socket
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace as with_terms

from p2pnode.genesis import PRESETS, Founder, make_genesis, read_genesis, write_genesis
from p2pnode.lab.testnet import LabError, LabNetwork, Member
from p2pnode.network import peer_id_of
from p2pnode.storage import load_or_create_seeds, prepare_data_folder
from protocol import vrf
from protocol.messages import network_of
from protocol.parameters import Parameters, with_pace
from protocol.signing import account_of

NODES_MAX = 100
PACE_MIN_MS = 250
MESSAGE_MS = 1
"""Processor time of one gossip message on one link, both ends together and rounded."""
LINKS_MOST = 8
"""Links that a node of a larger network has; each brings every block once."""
IDLE_ROUND_MS = 1_000
"""A laboratory is watched, so finality moves every few seconds even while nothing happens."""
IDLE_ROUNDS = 4
"""An idle round of a crowded machine lasts as long as so many busy ones."""
FIRST_PORT, LAST_PORT = 20_000, 32_000
"""Below the ports that the kernel gives to outgoing connections, so that a restarted node finds its
own port free."""
EXAMPLES = Path(__file__).parents[2] / "examples"
"""Only in a source tree: the installed package has none."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What somebody wants a network to be."""

    nodes: int
    liars: int = 0
    colluding: bool = False
    preset: str = "local"
    artefacts: tuple[str, ...] = ()
    """Digests that may run on the nodes, as hexadecimal text."""


def paced(terms: Parameters, nodes: int, cores: int) -> Parameters:
    """Choose a pace that all processes of a machine together can keep up with.

    Every node brings a block to every other on all of its links, so the work of a round grows with
    the square of the nodes: two cores carry five at 250 ms a round, ten at 400 and twenty at 1600.
    """
    work_ms = MESSAGE_MS * nodes * nodes * min(nodes - 1, LINKS_MOST)
    round_ms = max(PACE_MIN_MS, work_ms // cores)
    return with_terms(
        with_pace(terms, round_ms, max(IDLE_ROUND_MS, IDLE_ROUNDS * round_ms)),
        leader_timeout_ms=max(terms.leader_timeout_ms, 4 * round_ms),
        vote_grace_ms=max(terms.vote_grace_ms, 2 * round_ms),
    )


def found(folder: Path, plan: Plan, cores: int) -> LabNetwork:
    """Make a network, or make one ready to go on that an earlier command left in the folder.

    Raises:
        LabError: The folder holds a network of another size.
    """
    roots = [folder / f"node-{node}" for node in range(plan.nodes)]
    genesis_path = folder / "genesis"
    if genesis_path.exists():
        held = len(read_genesis(genesis_path).validators)
        if held != plan.nodes:
            text = f"{folder} holds a network of {held} nodes: remove it or name another folder"
            raise LabError(text)
    else:
        _write_genesis(genesis_path, roots, paced(PRESETS[plan.preset](), plan.nodes, cores))
    genesis = read_genesis(genesis_path)
    ports = free_ports(2 * plan.nodes)
    members: list[Member] = []
    for node, root in enumerate(roots):
        data_folder = prepare_data_folder(root)
        write_genesis(data_folder.genesis, genesis)
        account = account_of(load_or_create_seeds(data_folder.key).signing)
        peer_id = peer_id_of(account)
        member = Member(
            node=node,
            account=account.hex(),
            peer_id=peer_id,
            address=f"/ip4/127.0.0.1/tcp/{ports[2 * node]}/p2p/{peer_id}",
            api=f"127.0.0.1:{ports[2 * node + 1]}",
            data_dir=root,
            liar=node >= plan.nodes - plan.liars,
        )
        members.append(member)
        network = network_of(genesis).hex()
        write_config(member, members[0], network, plan.artefacts)
    return LabNetwork(
        folder=folder,
        network=network,
        temporary=False,
        members=tuple(members),
        colluding=plan.colluding,
    )


def write_config(member: Member, first: Member, network: str, artefacts: tuple[str, ...]) -> None:
    """Write what one node reads at its start; JSON's texts and lists are TOML's, too."""
    chosen: dict[str, object] = {
        "listen": [member.address.partition("/p2p/")[0]],
        "bootstrap": [] if member == first else [first.address],
        "api": member.api,
        "network": network,
        "allow_artefact": list(artefacts),
        "log_format": "json",
    }
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in chosen.items()]
    prepare_data_folder(member.data_dir).config.write_text("".join(lines))


def magika_models() -> list[Path]:
    """The models inside the magika package; none where it is not installed."""
    package = importlib.util.find_spec("magika")
    if package is None or package.origin is None:
        return []
    return sorted(Path(package.origin).parent.glob("models/*/model.onnx"))


def free_ports(count: int) -> list[int]:
    """Choose ports on which nobody listens now.

    Raises:
        LabError: There are not enough.
    """
    candidates = random.sample(range(FIRST_PORT, LAST_PORT), LAST_PORT - FIRST_PORT)
    found_ports: list[int] = []
    for port in candidates:
        if len(found_ports) == count:
            break
        if _is_free(port):
            found_ports.append(port)
    if len(found_ports) < count:
        raise LabError(f"this machine has no {count} free ports: stop other networks first")
    return found_ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _write_genesis(path: Path, roots: list[Path], terms: Parameters) -> None:
    founders = []
    for root in roots:
        seeds = load_or_create_seeds(prepare_data_folder(root).key)
        founders.append(Founder(account_of(seeds.signing), vrf.public_key(seeds.randomness)))
    write_genesis(path, make_genesis("laboratory", terms, founders, founders[0].account))
