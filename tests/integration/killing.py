"""One real node that is started and killed again and again, and the payments it takes meanwhile.

Every payment goes to an account of its own, with an amount of its own: what each of them did is
read from the ledger afterwards, and a payment that counted twice or in part would show.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from p2pnode.calls import ClientError, Refused
from p2pnode.client import Client, find_endpoint
from p2pnode.storage import layout
from protocol.units import CREDIT
from tests.integration.local_network import PROGRAM, fresh_account, wait_until

PAYERS = 4
"""Programs that submit at the same time, so that a kill meets some of them in the middle."""
PAUSE_SECONDS = 0.02
LEAST = CREDIT // 10
"""The smallest payment that makes a new account."""
START_SECONDS = 180.0
"""Only a bound: on a busy machine the start of a process alone may take a minute."""
LOG = "log"
LISTEN = "/ip4/127.0.0.1/tcp/0"


@dataclass(slots=True)
class Payments:
    """What was asked for and answered so far; shared by the payers."""

    amounts: dict[str, int] = field(default_factory=dict)
    """What was sent to each account, acknowledged or not."""
    acknowledged: dict[str, str] = field(default_factory=dict)
    """The operation that pays each account."""
    refused: list[str] = field(default_factory=list)
    """Accounts whose payment the node did not take: too many of its own wait already."""
    unanswered: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self) -> tuple[str, int]:
        """Note the next payment before it is sent."""
        with self.lock:
            recipient, amount = fresh_account(), LEAST + len(self.amounts)
            self.amounts[recipient] = amount
            return recipient, amount

    def answer(self, recipient: str, operation: str | None) -> None:
        """Note what came back: an operation, or nothing before the node was gone."""
        with self.lock:
            if operation is None:
                self.unanswered += 1
            else:
                self.acknowledged[recipient] = operation


@contextmanager
def started(
    folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start one node from its folder; whatever happens, nothing of it is left afterwards."""
    command = [*PROGRAM, "--data-dir", str(folder), "--listen", LISTEN, *options]
    with (
        (folder.parent / LOG).open("ab") as log,
        subprocess.Popen(command, stderr=log, env=environment) as process,
    ):
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)


@contextmanager
def living(
    folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run one node, from the moment when it answers."""
    with started(folder, *options, environment=environment) as process:
        assert wait_until(lambda: process.poll() is None and answers(folder), START_SECONDS)
        yield process


def log_of(folder: Path) -> str:
    """What the node of a folder has logged in all its lives."""
    log = folder.parent / LOG
    return log.read_text() if log.exists() else ""


def answers(folder: Path) -> bool:
    try:
        with talking(folder) as client:
            return bool(client.status())
    except ClientError:
        return False


@contextmanager
def talking(folder: Path) -> Iterator[Client]:
    endpoint = find_endpoint(None, folder, {})
    with Client(endpoint.address, endpoint.token) as client:
        yield client


def pay_on(folder: Path, payments: Payments, ended: threading.Event) -> None:
    """Pay again and again until told to end, whether the node is there or not."""
    with talking(folder) as client:
        while not ended.is_set():
            recipient, amount = payments.ask()
            try:
                payments.answer(recipient, client.transfer(recipient, amount)["operation"])
            except Refused:
                payments.refused.append(recipient)
            except ClientError:
                payments.answer(recipient, None)
                return
            time.sleep(PAUSE_SECONDS)


@contextmanager
def paying(folder: Path, payments: Payments) -> Iterator[None]:
    """Have payers at work, from the moment when one more payment was acknowledged."""
    begun, ended = len(payments.acknowledged), threading.Event()
    payers = [
        threading.Thread(target=pay_on, args=(folder, payments, ended)) for _ in range(PAYERS)
    ]
    for payer in payers:
        payer.start()
    try:
        assert wait_until(lambda: len(payments.acknowledged) > begun, START_SECONDS)
        yield
    finally:
        ended.set()
        for payer in payers:
            payer.join(60)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """End a process as the system does when memory runs out: it can do nothing about it."""
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL


def opened_journal(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Wait until a node that starts has its journal open."""
    deadline = time.monotonic() + START_SECONDS
    while not has_open(process.pid, layout(folder).journal):
        assert time.monotonic() < deadline
        time.sleep(0.002)


def has_open(pid: int, path: Path) -> bool:
    """Whether a process has a file open."""
    try:
        return str(path) in [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False


def verified(folder: Path) -> object:
    command = [*PROGRAM, "ledger", "verify", "--data-dir", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
