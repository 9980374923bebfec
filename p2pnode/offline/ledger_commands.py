"""The group `ledger`: export, audit, verify, compare, and proofs of single entries."""

import argparse
import re
from pathlib import Path

from p2pnode.cli.endings import BadInput, Ending
from p2pnode.cli.identifiers import whole
from p2pnode.cli.output import complain, print_json, print_record
from p2pnode.offline.findings import BadEntry
from p2pnode.offline.ledger_audit import Audit, audit_ledger
from p2pnode.offline.ledger_compare import Comparison, compare_exports
from p2pnode.offline.ledger_export import export_ledger
from p2pnode.offline.ledger_prove import PROVABLE, prove_entry
from p2pnode.offline.ledger_verify import verify_store
from p2pnode.offline.proof_file import check_proof, read_proof, write_proof
from protocol.messages import network_of
from protocol.units import Digest

EPILOG = "exit codes:\n  0 done, and all is well   1 failed, or something is wrong   2 bad input"
NETWORK_DIGITS_MIN = 8


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of this group."""
    parser = argparse.ArgumentParser(
        prog="p2pnode ledger",
        description="Export, audit, verify, compare or prove a ledger, without a running node.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    export = _added(commands, "export", "write a node's whole ledger into one file", _export)
    export.add_argument("--data-dir", metavar="DIR", type=Path, required=True, help="of the node")
    export.add_argument("--out", metavar="FILE", type=Path, required=True, help="what to write")
    export.add_argument(
        "--with-state", action="store_true", help="derive the state, and write all of its entries"
    )
    audit = _added(commands, "audit", "derive all of an export again, trusting nobody", _audit)
    audit.add_argument("file", metavar="FILE", type=Path, help="what `export` wrote")
    audit.add_argument("--network", metavar="HASH", default="", help="which network it must be")
    verify = _added(commands, "verify", "check the store of a node", _verify)
    verify.add_argument("--data-dir", metavar="DIR", type=Path, required=True, help="of the node")
    compare = _added(commands, "compare", "say whether exports of several nodes agree", _compare)
    compare.add_argument("files", metavar="FILE", type=Path, nargs="+", help="two or more exports")
    prove = _added(
        commands, "prove", "prove an account or a job to somebody without a node", _prove
    )
    prove.add_argument("identifier", metavar="ACCOUNT|JOB", help="whose entry; all 64 digits")
    prove.add_argument("--kind", choices=PROVABLE, help="which entry of it; also proves absence")
    prove.add_argument("--data-dir", metavar="DIR", type=Path, required=True, help="of the node")
    prove.add_argument("--out", metavar="FILE", type=Path, required=True, help="what to write")
    check = _added(commands, "verify-proof", "check what `prove` wrote, without a node", _check)
    check.add_argument("file", metavar="FILE", type=Path, help="what `prove` wrote")
    check.add_argument(
        "--root", metavar="HASH", required=True, help="the state root that is trusted"
    )
    return parser


def _added(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    summary: str,
    handler: object,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary.capitalize()}.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(handler=handler)
    return parser


def _export(arguments: argparse.Namespace) -> int:
    try:
        trailer = export_ledger(arguments.data_dir, arguments.out, with_state=arguments.with_state)
    except BadEntry as bad:
        complain(f"the store is wrong, so no state follows from it: {bad}")
        return Ending.FAILED
    _print(
        {
            "file": str(arguments.out),
            "size_bytes": arguments.out.stat().st_size,
            "entries": trailer.entries,
            "final_index": trailer.final.index,
            "commit_digest": trailer.final.commit_digest.hex(),
            "state_digest": trailer.final.state_digest.hex(),
            "checksum": trailer.checksum.hex(),
        },
        as_json=arguments.json,
    )
    return Ending.DONE


def _audit(arguments: argparse.Namespace) -> int:
    network = arguments.network.lower()
    if network and re.fullmatch(f"[0-9a-f]{{{NETWORK_DIGITS_MIN},64}}", network) is None:
        raise BadInput(
            f"--network takes at least {NETWORK_DIGITS_MIN} hexadecimal digits of a network's "
            f"hash, not {arguments.network!r}"
        )
    return _show(audit_ledger(arguments.file, network), as_json=arguments.json)


def _verify(arguments: argparse.Namespace) -> int:
    return _show(verify_store(arguments.data_dir), as_json=arguments.json)


def _compare(arguments: argparse.Namespace) -> int:
    if len(arguments.files) < 2:
        raise BadInput("name two exports or more")
    try:
        comparison = compare_exports(arguments.files)
    except BadEntry as bad:
        if arguments.json:
            print_json({"agree": False, "difference": str(bad), "files": []})
        complain(str(bad))
        return Ending.FAILED
    return _show_comparison(comparison, as_json=arguments.json)


def _prove(arguments: argparse.Namespace) -> int:
    identifier = bytes.fromhex(whole(arguments.identifier, "account or job"))
    try:
        proof = prove_entry(arguments.data_dir, identifier, arguments.kind)
    except BadEntry as bad:
        complain(f"the store is wrong, so it proves nothing: {bad}")
        return Ending.FAILED
    write_proof(arguments.out, proof)
    record = {"file": str(arguments.out), "network": proof.network, "final_index": proof.index}
    entry = {"kind": proof.kind, "present": proof.value is not None, "state_root": proof.root}
    _print(record | entry, as_json=arguments.json)
    return Ending.DONE


def _check(arguments: argparse.Namespace) -> int:
    root = bytes.fromhex(whole(arguments.root, "state root"))
    record = check_proof(read_proof(arguments.file), Digest(root))
    _print(record, as_json=arguments.json)
    if not record["ok"]:
        complain(str(record["reason"]))
        return Ending.FAILED
    return Ending.DONE


def _show(audit: Audit, *, as_json: bool) -> int:
    """Print what an audit found, in the form that programs rely on or in sentences."""
    bad, replayed, genesis = audit.first_bad, audit.replayed, audit.genesis
    record: dict[str, object] = {
        "ok": bad is None,
        "network": network_of(genesis).hex() if genesis else None,
        "network_name": genesis.name if genesis else None,
        "entries": replayed.entries if replayed else 0,
        "final_index": replayed.final_index if replayed else 0,
        "commit_digest": replayed.commit_digest.hex() if replayed else None,
        "state_digest": replayed.state_digest.hex() if replayed else None,
    }
    if replayed is not None:
        record |= {
            "finals_compared": replayed.finals_compared,
            "entries_compared": audit.entries_compared,
            "votes_agreeing": replayed.votes_agreeing,
            "votes_differing": replayed.votes_differing,
            "counts": dict(replayed.counts),
        }
    if as_json:
        print_json(record | {"first_bad": bad.record() if bad else None})
    else:
        print_record({name: value for name, value in record.items() if value is not None})
    if bad is not None:
        complain(f"first bad entry: {bad}")
        return Ending.FAILED
    return Ending.DONE


def _show_comparison(comparison: Comparison, *, as_json: bool) -> int:
    common = comparison.common
    record: dict[str, object] = {
        "agree": not comparison.difference,
        "common_index": common.index,
        "commit_digest": common.commit_digest.hex(),
        "state_digest": common.state_digest.hex(),
        "difference": comparison.difference or None,
        "files": [
            {
                "file": str(export.path),
                "network": export.network.hex(),
                "entries": export.entries,
                "final_index": export.final.index,
                "commit_digest": export.final.commit_digest.hex(),
                "state_digest": export.final.state_digest.hex(),
            }
            for export in comparison.exports
        ],
    }
    _print(record, as_json=as_json)
    if comparison.difference:
        complain(comparison.difference)
        return Ending.FAILED
    return Ending.DONE


def _print(record: dict[str, object], *, as_json: bool) -> None:
    (print_json if as_json else print_record)(record)
