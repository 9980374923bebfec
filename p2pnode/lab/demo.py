"""Shows a job's whole life among five real nodes, one of which lies, and audits what remains.

Everything goes through what users have: the client, the command line and the example's own script.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

from p2pnode.calls import ClientError, JobFailed, Record, Refused
from p2pnode.client import Client
from p2pnode.lab.commands import launch, prepare, stop_on_signals, take_down
from p2pnode.lab.demo_text import caught, phase_sentence, receipt
from p2pnode.lab.founding import EXAMPLES, Plan, magika_models
from p2pnode.lab.readiness import POLL_SECONDS, client_of, wait_until_ready
from p2pnode.lab.testnet import LabError, LabNetwork
from p2pnode.money import format_credits
from protocol.units import CREDIT

NODES = 5
READY_SECONDS = 60.0
OPERATION_SECONDS = 30.0
JOB_SECONDS = 60.0
COMMAND_SECONDS = 60.0
ADDED_STAKE = 500 * CREDIT
"""More free stake is more weight in the lottery."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Who plays, and how to tell."""

    testnet: LabNetwork
    names: dict[str, str]
    begun: float

    def tell(self, text: str) -> None:
        """Print a line with the seconds since the beginning."""
        print(f"{time.monotonic() - self.begun:6.1f} s  {text}", flush=True)


def run_demo(*, keep: bool, jobs_max: int) -> int:
    """Run the demonstration; returns 0 only when everything was seen that it promises."""
    if not magika_models():
        raise LabError("the demonstration needs the magika package: pip install magika==1.0.3")
    if not (EXAMPLES / "02_magika").is_dir():
        raise LabError("the demonstration needs the examples of the source tree")
    stop_on_signals()
    folder = Path(tempfile.mkdtemp(prefix="p2pnode-demo-"))
    is_done = False
    try:
        is_done = _play(folder, jobs_max)
    except (ClientError, subprocess.SubprocessError) as error:
        print(f"the demonstration failed: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    finally:
        take_down(folder)
        if is_done and not keep:
            rmtree(folder, ignore_errors=True)
        else:
            print(f"all that the nodes kept and wrote is in {folder}", flush=True)
    return 0 if is_done else 1


def _play(folder: Path, jobs_max: int) -> bool:
    begun = time.monotonic()
    plan = Plan(nodes=NODES, liars=1)
    testnet = launch(prepare(folder, plan, detach=False))
    names = {
        member.account: f"node {member.node}" + (" (liar)" if member.liar else "")
        for member in testnet.members
    }
    stage = Stage(testnet, names, begun)
    stage.tell(f"starting {NODES} nodes; node {NODES - 1} will lie about its results")
    wait_until_ready(testnet.members, begun + READY_SECONDS)
    stage.tell("all are connected, and commits become final")
    _add_stake(stage)
    job_file, files = _prepare(stage)
    if not _catch_the_liar(stage, job_file, files, jobs_max):
        stage.tell(f"the liar was not caught in {jobs_max} jobs")
        return False
    is_agreed = _audit(stage)
    stage.tell("the demonstration is over" if is_agreed else "the ledgers do not agree")
    return is_agreed


def _add_stake(stage: Stage) -> None:
    """Let every worker add stake, and wait until each operation is final."""
    waiting = []
    for member in stage.testnet.members[1:]:
        with client_of(member) as client:
            waiting.append((member, client.stake(ADDED_STAKE)["operation"], time.monotonic()))
    for member, operation, asked in waiting:
        with client_of(member) as client:
            _wait_final(client, operation)
            seconds = time.monotonic() - asked
            staked = format_credits(client.balance()["staked"])
        stage.tell(
            f"stake of {format_credits(ADDED_STAKE)} by node {member.node}: operation "
            f"{operation[:16]} final after {seconds:.1f} s, {staked} staked"
        )


def _wait_final(client: Client, operation: str) -> None:
    deadline = time.monotonic() + OPERATION_SECONDS
    while time.monotonic() < deadline:
        try:
            answer = client.operation(operation)
        except Refused:  # between two states it can be unknown for a moment
            answer = {"finality": "unknown"}
        if answer["finality"] == "final":
            return
        if answer["finality"] == "rejected":
            raise LabError(f"operation {operation} was rejected: {answer}")
        time.sleep(POLL_SECONDS)
    raise LabError(f"operation {operation} is not final after {OPERATION_SECONDS:.0f} s")


def _prepare(stage: Stage) -> tuple[Path, list[Path]]:
    """Let the example itself make the job of classifying its files."""
    files = sorted((EXAMPLES / "02_magika" / "files").iterdir())
    target = stage.testnet.folder / "job"
    _example("prepare", str(target), *map(str, files))
    stage.tell(f"the job: magika's model says what {len(files)} files are, on three replicas")
    return target / "job.toml", files


def _catch_the_liar(stage: Stage, job_file: Path, files: list[Path], jobs_max: int) -> bool:
    liar = stage.testnet.members[-1].account
    with client_of(stage.testnet.members[0]) as client:
        for number in range(1, jobs_max + 1):
            record = _run_job(stage, client, job_file, number)
            if record["state"] == "settled":
                _show_labels(stage, client.result(record["id"]), files)
            for line in receipt(record, stage.names):
                print(f"          {line}")
            if caught(record, liar):
                stage.tell("the liar was drawn, outvoted, convicted and slashed")
                return True
            stage.tell("the liar has not been caught yet: once more")
    return False


def _run_job(stage: Stage, client: Client, job_file: Path, number: int) -> Record:
    job = client.submit(job_file)
    stage.tell(f"job {number}: {job.id[:16]} offered by node 0")
    with _progress(stage) as follow:
        try:
            return job.wait(JOB_SECONDS, follow)
        except JobFailed as failure:
            return failure.record


@contextmanager
def _progress(stage: Stage) -> Iterator[Callable[[Record], None]]:
    """Tell of each phase once; on a terminal, also what is being waited for."""
    told = 0
    status = None
    if sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415  slow, and only for terminals

        status = Console(highlight=False).status("waiting for the ledger")
        status.start()

    def follow(record: Record) -> None:
        nonlocal told
        timeline: list[dict[str, Any]] = record.get("timeline", [])
        for position in range(told, len(timeline)):
            sentence = phase_sentence(record, position, stage.names)
            stage.tell(f"  round {timeline[position]['round']:>4}  {sentence}")
        told = max(told, len(timeline))
        if status is not None:
            status.update(f"{record.get('state')} …")

    try:
        yield follow
    finally:
        if status is not None:
            status.stop()


def _show_labels(stage: Stage, output: bytes, files: list[Path]) -> None:
    path = stage.testnet.folder / "job" / "output"
    path.write_bytes(output)
    stage.tell(f"the accepted result, {len(output)} bytes, explained by the example:")
    for line in _example("explain", str(path), *map(str, files)).splitlines():
        print(f"            {line.expandtabs(16)}")


def _audit(stage: Stage) -> bool:
    """Export every node's ledger, derive each again from nothing, and compare them all."""
    exports = []
    are_sound = True
    for member in stage.testnet.members:
        export = stage.testnet.folder / f"ledger-{member.node}"
        _command("ledger", "export", "--data-dir", str(member.data_dir), "--out", str(export))
        audit = _command("ledger", "audit", str(export), "--network", stage.testnet.network)
        verdict = "sound" if audit["ok"] else f"wrong: {audit['first_bad']}"
        are_sound = are_sound and audit["ok"] is True
        stage.tell(
            f"ledger of node {member.node}: {audit['entries']} entries, commit "
            f"{audit['final_index']}, derived again: {verdict}"
        )
        exports.append(str(export))
    common = _command("ledger", "compare", *exports)
    digests = f"commit {common.get('commit_digest')}\n          state  {common.get('state_digest')}"
    if common["agree"]:
        stage.tell(f"all {NODES} agree at index {common['common_index']}:\n          {digests}")
    else:
        stage.tell(f"the ledgers differ: {common['difference']}")
    return are_sound and common["agree"] is True and common["common_index"] > 0


def _command(*words: str) -> dict[str, Any]:
    """Run a command of `p2pnode` that prints JSON, whatever its verdict is."""
    text = _run([sys.executable, "-m", "p2pnode", *words, "--json"], verdicts=(0, 1))
    record: dict[str, Any] = json.loads(text)
    return record


def _example(*words: str) -> str:
    return _run([sys.executable, str(EXAMPLES / "02_magika" / "prepare.py"), *words], verdicts=(0,))


def _run(command: list[str], verdicts: tuple[int, ...]) -> str:
    done = subprocess.run(  # noqa: S603  programs of this source tree
        command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
    if done.returncode not in verdicts or not (done.stdout or done.returncode == 0):
        raise LabError(f"{' '.join(command[1:4])} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
