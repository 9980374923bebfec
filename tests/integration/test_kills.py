"""A node that is killed while it takes payments loses none that it acknowledged.

Every payment goes to an account of its own, with an amount of its own: what each of them did is
read from the ledger afterwards, and a payment that counted twice or in part would show.
"""

import json
import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from p2pnode.calls import ClientError, Refused
from p2pnode.client import Client, find_endpoint
from p2pnode.storage import layout
from protocol.parameters import local
from protocol.units import CREDIT
from tests.integration.local_network import PROGRAM, fresh_account, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KILLS = int(os.environ.get("KILLS", "3"))
PAYERS = 4
"""Programs that submit at the same time, so that a kill meets some of them in the middle."""
LONGEST_SECONDS = 2.0
"""A life lasts at most so long after its first payment was acknowledged."""
PAUSE_SECONDS = 0.02
RECOVERY_SECONDS = 0.4
"""A start is killed at most so long after it opened its journal."""
LEAST = CREDIT // 10
"""The smallest payment that makes a new account."""
FEE = local().operation_fee
"""What each final operation of a development network burns."""
START_SECONDS = 40.0
FINAL_SECONDS = 60.0


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


@dataclass(slots=True)
class Kill:
    """What a kill hit."""

    unanswered: int
    """Payments that were sent and never answered."""
    not_final: int
    """Payments that the node had taken and that were not final at the last look."""


@contextmanager
def started(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start one node from its folder; whatever happens, nothing of it is left afterwards."""
    command = [*PROGRAM, "--data-dir", str(folder), "--listen", "/ip4/127.0.0.1/tcp/0"]
    with (
        (folder.parent / "log").open("ab") as log,
        subprocess.Popen(command, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)


@contextmanager
def living(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run one node, from the moment when it answers."""
    with started(folder) as process:
        assert wait_until(lambda: process.poll() is None and answers(folder), START_SECONDS)
        yield process


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


def kill_while_paying(folder: Path, payments: Payments, chance: Random) -> Kill:
    """Start the node, let it take payments, and kill it at a random moment meanwhile."""
    begun, unanswered = len(payments.acknowledged), payments.unanswered
    ended = threading.Event()
    with living(folder) as process:
        payers = [
            threading.Thread(target=pay_on, args=(folder, payments, ended)) for _ in range(PAYERS)
        ]
        for payer in payers:
            payer.start()
        assert wait_until(lambda: len(payments.acknowledged) > begun, START_SECONDS)
        time.sleep(chance.uniform(0, LONGEST_SECONDS))
        with talking(folder) as client:
            not_final = int(client.balance()["pending"])
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
        ended.set()
        for payer in payers:
            payer.join(60)
    return Kill(payments.unanswered - unanswered, not_final)


def kill_while_starting(folder: Path, chance: Random) -> bool:
    """Start the node and kill it soon after it opened its journal.

    Returns:
        Whether it was still recovering: its journal was open, and it served nobody yet.
    """
    layout(folder).api_address.unlink(missing_ok=True)
    with started(folder) as process:
        deadline = time.monotonic() + START_SECONDS
        while not has_open(process.pid, layout(folder).journal):
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(chance.uniform(0, RECOVERY_SECONDS))
        os.kill(process.pid, signal.SIGSTOP)
        is_recovering = not layout(folder).api_address.exists()
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
    return is_recovering


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


def test_no_kill_of_a_lone_node_loses_an_acknowledged_payment(tmp_path: Path) -> None:
    folder, payments = tmp_path / "node", Payments()
    seed = secrets.randbits(32)
    print(f"moments drawn from seed {seed}")
    chance = Random(seed)  # noqa: S311  moments, not secrets
    with living(folder), talking(folder) as client:
        funds = int(client.balance()["available"])
    kills = [kill_while_paying(folder, payments, chance) for _ in range(KILLS)]
    with living(folder) as process, talking(folder) as client:
        assert wait_until(lambda: client.balance()["pending"] == 0, FINAL_SECONDS)
        paid = {one: int(client.balance(one)["available"]) for one in payments.amounts}
        own = client.balance()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    applied = sum(map(bool, paid.values()))
    print(
        f"{KILLS} kills, {len(paid)} payments asked for, "
        f"{len(payments.acknowledged)} acknowledged, {len(payments.refused)} refused, "
        f"{applied} final; when the kills came, "
        f"{sum(kill.unanswered for kill in kills)} were unanswered and "
        f"{sum(kill.not_final for kill in kills)} taken but not final: {kills}"
    )
    lost = [one for one in payments.acknowledged if paid[one] != payments.amounts[one]]
    assert not lost, f"seed {seed}: {len(lost)} acknowledged payments are not final"
    assert all(paid[one] in (0, payments.amounts[one]) for one in paid), "not applied just once"
    assert not any(paid[one] for one in payments.refused), "one was applied although refused"
    assert own["nonce"] == applied >= len(payments.acknowledged)
    assert own["available"] == funds - sum(paid.values()) - applied * FEE
    assert len(set(payments.acknowledged.values())) == len(payments.acknowledged)
    assert verified(folder)
    hit = [kill for kill in kills if kill.unanswered and kill.not_final]
    assert 2 * len(hit) > len(kills), f"most kills came when nothing was under way: {kills}"


def test_no_kill_of_a_node_that_recovers_loses_an_acknowledged_payment(tmp_path: Path) -> None:
    folder, payments = tmp_path / "node", Payments()
    chance = Random(secrets.randbits(32))  # noqa: S311  moments, not secrets
    with living(folder):
        pass
    kill_while_paying(folder, payments, chance)
    hit = [kill_while_starting(folder, chance) for _ in range(KILLS)]
    print(f"{KILLS} starts killed, {sum(hit)} of them while they recovered")
    with living(folder), talking(folder) as client:
        assert wait_until(lambda: client.balance()["pending"] == 0, FINAL_SECONDS)
        paid = {one: int(client.balance(one)["available"]) for one in payments.amounts}
    assert payments.acknowledged
    assert not [one for one in payments.acknowledged if paid[one] != payments.amounts[one]]
    assert all(paid[one] in (0, payments.amounts[one]) for one in paid), "not applied just once"
    assert verified(folder)
    assert 2 * sum(hit) > len(hit), "most kills have to come before the node serves anybody"
