"""Commands about jobs: submit, quote, jobs, job, result, cancel, claim, why."""

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from p2pnode.cli.arguments import Handler, add_command
from p2pnode.cli.endings import BadInput, Ending
from p2pnode.cli.identifiers import SHOWN_DIGITS, resolve
from p2pnode.cli.output import (
    complain,
    percent,
    print_account,
    print_json,
    print_record,
    print_table,
    write_output,
)
from p2pnode.cli.progress import shown_progress
from p2pnode.cli.receipt import memory_lines, phase_lines, receipt_lines
from protocol.encoding import content_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2pnode.cli.arguments import Commands
    from p2pnode.client import Client

LISTED_MAX = 1_000
"""How many of the newest jobs a shortened identifier is looked up in."""


def add_commands(commands: "Commands") -> None:
    """Add this group to the parser."""
    submit = add_command(commands, "submit", submit_job, "offer a job to the network")
    submit.add_argument("file", metavar="JOB.toml", type=Path)
    submit.add_argument("--wait", action="store_true", help="wait for the end, print the receipt")
    submit.add_argument("--out", metavar="FILE", type=Path, help="with --wait: write the output")
    submit.add_argument(
        "--timeout", metavar="SECONDS", type=float, help="with --wait: exit with 4 after so long"
    )
    quote = add_command(commands, "quote", quote_job, "show what a job would cost")
    quote.add_argument("file", metavar="JOB.toml", type=Path)
    listing = add_command(commands, "jobs", list_jobs, "list the newest jobs")
    listing.add_argument("--limit", type=int, default=50, help="how many, at most 1000")
    _add_identified(commands, "job", show_job, "show a job with its receipt")
    result = _add_identified(commands, "result", fetch_result, "fetch the output of a job")
    result.add_argument("--out", metavar="FILE", type=Path, help="where to write it")
    _add_identified(commands, "cancel", cancel_job, "withdraw an offer while bidding is open")
    _add_identified(commands, "claim", claim_output, "say that an output cannot be fetched")
    _add_identified(commands, "why", explain, "show the recorded reasons about a job or operation")


def submit_job(client: "Client", arguments: argparse.Namespace) -> int:
    """Offer a job, and wait for its end when asked to."""
    if not arguments.wait and (arguments.out is not None or arguments.timeout is not None):
        raise BadInput("--out and --timeout need --wait")
    if arguments.timeout is not None and not 0 < arguments.timeout < math.inf:
        raise BadInput("--timeout must be a number of seconds above 0")
    if arguments.out is not None and not arguments.out.parent.is_dir():
        raise BadInput(f"there is no folder {arguments.out.parent}: create it or change --out")
    job = client.submit(arguments.file)
    if arguments.wait:
        return _wait(client, job.id, arguments)
    if arguments.json:
        print_json({"id": job.id})
    else:
        print(f"submitted job {job.id}\nfollow it with: p2pnode job {job.id}")
    return Ending.DONE


def quote_job(client: "Client", arguments: argparse.Namespace) -> int:
    """Show what a job would cost."""
    quote = client.quote(arguments.file)
    (print_json if arguments.json else print_record)(quote)
    return Ending.DONE


def list_jobs(client: "Client", arguments: argparse.Namespace) -> int:
    """List the newest jobs."""
    if not 1 <= arguments.limit <= LISTED_MAX:
        raise BadInput(f"--limit must be from 1 to {LISTED_MAX}")
    jobs = client.jobs(arguments.limit)
    if arguments.json:
        print_json(jobs)
    else:
        print_table(
            [_row(job) for job in jobs], "no job is known: offer one with `p2pnode submit JOB.toml`"
        )
    return Ending.DONE


def show_job(client: "Client", arguments: argparse.Namespace) -> int:
    """Show a job with its receipt."""
    record = client.job(_job_id(client, arguments))
    if arguments.json:
        print_json(record)
        return Ending.DONE
    print("\n".join(receipt_lines(record)))
    for line in phase_lines(record):
        print(f"  - {line}")
    return Ending.DONE


def fetch_result(client: "Client", arguments: argparse.Namespace) -> int:
    """Fetch the output of a job."""
    identifier = _job_id(client, arguments)
    output = client.result(identifier)
    if not arguments.json:
        write_output(output, arguments.out)
        return Ending.DONE
    record: dict[str, object] = {"id": identifier, "size_bytes": len(output)}
    record["blake2b"] = content_digest(output).hex()
    if arguments.out is None:
        record["output_hex"] = output.hex()
    else:
        write_output(output, arguments.out)
        record["out"] = str(arguments.out)
    print_json(record)
    return Ending.DONE


def cancel_job(client: "Client", arguments: argparse.Namespace) -> int:
    """Withdraw an offer."""
    identifier = _job_id(client, arguments)
    answer = client.cancel(identifier)
    if arguments.json:
        print_json(answer)
    else:
        print(f"withdrawing job {identifier}")
        print(f"follow it with: p2pnode operation {answer.get('operation')}")
    return Ending.DONE


def claim_output(client: "Client", arguments: argparse.Namespace) -> int:
    """Have checkers fetch an output that cannot be had, while its payouts wait."""
    identifier = _job_id(client, arguments)
    answer = client.claim(identifier)
    if arguments.json:
        print_json(answer)
    else:
        print(
            f"checkers are drawn for the output of job {identifier}: two that fail return the pay"
        )
        print(f"follow it with: p2pnode operation {answer.get('operation')}")
    return Ending.DONE


def explain(client: "Client", arguments: argparse.Namespace) -> int:
    """Show the recorded reasons about something."""
    reasons = client.why(_job_id(client, arguments))
    if arguments.json:
        print_json(reasons)
    else:
        print("\n".join(memory_lines(reasons)))
        if account := reasons.get("account"):
            print_account(account)
    return Ending.DONE


def _row(job: "Mapping[str, object]") -> dict[str, object]:
    """Write one job for a table; each command takes the beginning of its identifier."""
    row = dict(job)
    row["id"] = str(job.get("id"))[:SHOWN_DIGITS]
    if isinstance(confidence := job.get("confidence"), int):
        row["confidence"] = percent(confidence)
    return row


def _add_identified(
    commands: "Commands", name: str, handler: Handler, summary: str
) -> argparse.ArgumentParser:
    parser = add_command(commands, name, handler, summary)
    parser.add_argument("identifier", metavar="ID", help="whole, or its first 8 or more digits")
    return parser


def _job_id(client: "Client", arguments: argparse.Namespace) -> str:
    def listed() -> list[str]:
        return [str(job["id"]) for job in client.jobs(LISTED_MAX)]

    return resolve(arguments.identifier, listed, "job")


def _wait(client: "Client", job: str, arguments: argparse.Namespace) -> int:
    from p2pnode.client import JobFailed  # noqa: PLC0415  keeps the HTTP library out of help

    print(f"submitted job {job}", file=sys.stderr, flush=True)
    ending = Ending.DONE
    try:
        with shown_progress() as follow:
            record = client.wait(job, arguments.timeout, follow)
    except JobFailed as failure:
        complain(str(failure))
        record, ending = failure.record, Ending.NOT_ACCEPTED
    if ending is Ending.DONE and arguments.out is not None:
        write_output(client.result(job), arguments.out)
    if arguments.json:
        print_json(record)
    else:
        print("\n".join(receipt_lines(record)))
    return ending
