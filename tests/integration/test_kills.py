"""A node that is killed while it takes payments loses none that it acknowledged."""

import os
import secrets
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from p2pnode.storage import layout
from protocol.parameters import local
from tests.integration.killing import (
    Payments,
    kill,
    living,
    opened_journal,
    paying,
    started,
    talking,
    verified,
)
from tests.integration.local_network import wait_until

KILLS = int(os.environ.get("KILLS", "8"))
LONGEST_SECONDS = 2.0
"""A life lasts at most so long after its first payment was acknowledged."""
RECOVERY_SECONDS = 0.4
"""A start is killed at most so long after it opened its journal."""
FEE = local().operation_fee
"""What each final operation of a development network burns."""
FINAL_SECONDS = 180.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 + 60 * KILLS)]


@dataclass(slots=True)
class Kill:
    """What a kill hit."""

    unanswered: int
    """Payments that were sent and never answered."""
    not_final: int
    """Payments that the node had taken and that were not final at the last look."""


def kill_while_paying(folder: Path, payments: Payments, chance: Random) -> Kill:
    """Start the node, let it take payments, and kill it at a random moment meanwhile."""
    unanswered = payments.unanswered
    with living(folder) as process, paying(folder, payments):
        time.sleep(chance.uniform(0, LONGEST_SECONDS))
        with talking(folder) as client:
            not_final = int(client.balance()["pending"])
        kill(process)
    return Kill(payments.unanswered - unanswered, not_final)


def kill_while_starting(folder: Path, chance: Random) -> bool:
    """Start the node and kill it soon after it opened its journal.

    Returns:
        Whether it was still recovering: its journal was open, and it served nobody yet.
    """
    layout(folder).api_address.unlink(missing_ok=True)
    with started(folder) as process:
        opened_journal(process, folder)
        time.sleep(chance.uniform(0, RECOVERY_SECONDS))
        os.kill(process.pid, signal.SIGSTOP)
        is_recovering = not layout(folder).api_address.exists()
        kill(process)
    return is_recovering


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
