"""The group `lottery`: recompute who had to be drawn for a job."""

import argparse
from pathlib import Path

from p2pnode.cli.endings import BadInput, Ending
from p2pnode.cli.output import complain, print_json
from p2pnode.genesis import read_genesis
from p2pnode.offline.dispute_verify import verify_disputes
from p2pnode.offline.lottery_verify import (
    TRANSCRIPT_BYTES_MAX,
    Difference,
    read_transcript,
    verify_transcript,
)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of this group."""
    parser = argparse.ArgumentParser(
        prog="p2pnode lottery",
        description="Recompute who had to be drawn for a job.",
        epilog="exit codes:\n  0 all as it should be   1 something differs   2 bad input",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    summary = "recompute seeds, weights, order, audit and disputes from a job's transcript"
    verify = commands.add_parser(
        "verify", help=summary, description=f"{summary.capitalize()}.", allow_abbrev=False
    )
    verify.add_argument(
        "file", metavar="TRANSCRIPT.json", type=Path, help="what `p2pnode job ID --json` printed"
    )
    verify.add_argument(
        "--genesis",
        metavar="FILE",
        type=Path,
        help="the network's terms: checks weights by them, and the chance of the audit",
    )
    verify.add_argument("--json", action="store_true", help="print JSON for programs")
    verify.set_defaults(handler=_verify)
    return parser


def _verify(arguments: argparse.Namespace) -> int:
    raw = _read(arguments.file)
    transcript = read_transcript(raw)
    parameters = read_genesis(arguments.genesis).parameters if arguments.genesis else None
    try:
        retraced = verify_transcript(transcript, parameters)
        checked = (*retraced.checked, *verify_disputes(raw, parameters))
    except Difference as difference:
        if arguments.json:
            first = {
                "what": difference.what,
                "computed": str(difference.computed),
                "recorded": str(difference.recorded),
            }
            print_json({"ok": False, "id": transcript.id, "first_difference": first})
        complain(str(difference))
        return Ending.FAILED
    if arguments.json:
        record = {"ok": True, "id": transcript.id, "first_difference": None}
        print_json(record | {"checked": checked, "skipped": retraced.skipped})
        return Ending.DONE
    for name in checked:
        print(f"as computed: {name}")
    for name in retraced.skipped:
        print(f"not checked: {name}")
    return Ending.DONE


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            raw = stream.read(TRANSCRIPT_BYTES_MAX + 1)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}: check the path") from error
    if len(raw) > TRANSCRIPT_BYTES_MAX:
        raise BadInput(f"{path}: larger than {TRANSCRIPT_BYTES_MAX} bytes: this is no transcript")
    return raw
