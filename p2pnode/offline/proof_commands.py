"""For somebody who has no ledger: a chain of certificates, and proofs checked with it."""

import argparse
from collections.abc import Callable
from pathlib import Path

from p2pnode.cli.endings import BadInput, Ending
from p2pnode.cli.identifiers import whole
from p2pnode.cli.output import complain, print_json, print_record
from p2pnode.joining import JoinRefused
from p2pnode.offline.chain_file import write_chain
from p2pnode.offline.light_client import (
    ChainBroken,
    Search,
    Trust,
    search_file,
    search_node,
)
from p2pnode.offline.proof_file import ProofFile, check_proof, read_proof
from p2pnode.settings import read_checkpoint
from protocol.ledger.certified import TrustedEnd
from protocol.units import Digest, Epoch

Commands = argparse._SubParsersAction
Add = Callable[["Commands[argparse.ArgumentParser]", str, str, object], argparse.ArgumentParser]


def add_commands(commands: "Commands[argparse.ArgumentParser]", add: Add) -> None:
    """Add these commands to the group's parser."""
    chain = add(commands, "chain", "write a node's chain of epoch certificates", _chain)
    chain.add_argument("--data-dir", metavar="DIR", type=Path, required=True, help="of the node")
    chain.add_argument("--out", metavar="FILE", type=Path, required=True, help="what to write")
    chain.add_argument("--since", metavar="EPOCH", type=int, default=0, help="where to begin")
    check = add(commands, "verify-proof", "check what `prove` wrote, without a node", _check)
    check.add_argument("file", metavar="FILE", type=Path, help="what `prove` wrote")
    source = check.add_mutually_exclusive_group(required=True)
    source.add_argument("--root", metavar="HASH", help="a state root that is trusted")
    source.add_argument("--chain", metavar="FILE", type=Path, help="what `ledger chain` wrote")
    source.add_argument(
        "--bootstrap", metavar="MULTIADDR", action="append", help="a node to ask; repeatable"
    )
    check.add_argument("--network", metavar="HASH", default="", help="the network to trust")
    check.add_argument("--checkpoint", metavar="EPOCH:HASH", help="the end of an epoch to trust")


def _chain(arguments: argparse.Namespace) -> int:
    if arguments.since < 0:
        raise BadInput("--since takes the number of an epoch, from 0 on")
    first, count = write_chain(arguments.data_dir, arguments.out, arguments.since)
    record: dict[str, object] = {"file": str(arguments.out)}
    record |= {"first_epoch": first, "newest_epoch": first + count - 1, "certificates": count}
    (print_json if arguments.json else print_record)(record)
    return Ending.DONE


def _check(arguments: argparse.Namespace) -> int:
    proof = read_proof(arguments.file)
    try:
        record = _checked(proof, arguments)
    except (ChainBroken, JoinRefused) as failure:
        if arguments.json:
            print_json({"ok": False, "reason": str(failure)})
        complain(str(failure))
        return Ending.FAILED
    (print_json if arguments.json else print_record)(record)
    if not record["ok"]:
        complain(str(record["reason"]))
        return Ending.FAILED
    return Ending.DONE


def _checked(proof: ProofFile, arguments: argparse.Namespace) -> dict[str, object]:
    if arguments.root is not None:
        return check_proof(proof, Digest(bytes.fromhex(whole(arguments.root, "state root"))))
    search = _searched(proof, arguments)
    end = search.result()
    record = check_proof(proof, end.state_digest)
    newest = search.newest.epoch if search.newest is not None else end.epoch
    return record | {"epoch": end.epoch, "epochs_verified": search.epochs, "newest_epoch": newest}


def _searched(proof: ProofFile, arguments: argparse.Namespace) -> Search:
    trust = _trust(arguments)
    if arguments.chain is not None:
        return search_file(arguments.chain, trust, proof.index)
    return search_node(arguments.bootstrap, trust, proof.index)


def _trust(arguments: argparse.Namespace) -> Trust:
    """What the reader knows: a chain that begins nowhere proves nothing."""
    network = whole(arguments.network, "network") if arguments.network else ""
    if arguments.checkpoint is None:
        if not network:
            raise BadInput(
                "say what you trust: --network with the network's whole hash, or --checkpoint "
                "with what `p2pnode status` of a node that you trust shows"
            )
        return Trust(network, None)
    try:
        epoch, digest = read_checkpoint(arguments.checkpoint)
    except ValueError as error:
        raise BadInput(f"--checkpoint: {error}") from error
    return Trust(network, TrustedEnd(Epoch(epoch), Digest(digest)))
