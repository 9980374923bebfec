"""Nodes that are killed while a snapshot is written, loaded or fetched lose nothing by it.

A lone validator with many accounts, so that a snapshot takes some time, and with short epochs, so
that there is one every few seconds; then newcomers that fetch its newest one.
"""

import os
import secrets
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from p2pnode.calls import ClientError
from p2pnode.genesis import Founder, make_genesis, write_genesis
from p2pnode.storage import layout, load_or_create_seeds, open_readonly, prepare_data_folder
from p2pnode.storage.database import connect_reader
from p2pnode.storage.page_shelf import UNFINISHED
from protocol import vrf
from protocol.encoding import content_digest
from protocol.ledger.block import stored_digest
from protocol.messages import Allocation
from protocol.parameters import local, with_pace
from protocol.signing import account_of
from protocol.units import AccountId
from tests.integration.killing import (
    START_SECONDS,
    Payments,
    kill,
    living,
    log_of,
    opened_journal,
    paying,
    started,
    talking,
    verified,
)
from tests.integration.local_network import Record, wait_until

ROUNDS = int(os.environ.get("SNAPSHOT_KILLS", "1"))
"""Of kills while a snapshot is written, and as many while one is loaded."""
ARRIVALS = (ROUNDS + 1) // 2
"""Newcomers; each is killed while it fetches, and again while it loads what it fetched."""
ACCOUNTS = 12_000
"""Four pages: a snapshot takes some tenths of a second."""
TERMS = replace(with_pace(local(), 150, 150), epoch_rounds=12, epoch_rounds_min=6)
"""An epoch takes about two seconds."""
LOADING_SECONDS = 0.6
"""A start is killed at most so long after it opened its journal."""
WRITING_SECONDS = 0.02
"""And a writer at most so long after a page of a new snapshot was seen."""
STANDING = ("--role", "worker")
"""Without the role of a validator it ends no epoch: its newest snapshot stays the newest one."""
END_SECONDS = 180.0
FINAL_SECONDS = 180.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 + 120 * ROUNDS)]

UNMARKED = (
    "SELECT count(*) FROM snapshot_page WHERE epoch = ? AND epoch NOT IN "
    "(SELECT epoch FROM snapshot)"
)
NEWEST_PAGES = "SELECT max(epoch) FROM snapshot_page"
MARKS = "SELECT count(*) FROM snapshot"


@dataclass(slots=True)
class Hits:
    """What the kills met, as the store showed it afterwards."""

    writing: int = 0
    loading: int = 0
    fetching: int = 0
    taking_up: int = 0
    final: dict[int, str] = field(default_factory=dict)
    """The state's digest at commits that were final before a kill."""


def found(folder: Path) -> None:
    """Prepare the folder of the only validator of a network with many accounts."""
    data_folder = prepare_data_folder(folder)
    seeds = load_or_create_seeds(data_folder.key)
    founder = Founder(account_of(seeds.signing), vrf.public_key(seeds.randomness))
    genesis = make_genesis("snapshots", TERMS, [founder], founder.account)
    others = sorted(account_of(secrets.token_bytes(32)) for _ in range(ACCOUNTS))
    holders = tuple(Allocation(AccountId(one), TERMS.stake_minimum) for one in others)
    write_genesis(data_folder.genesis, replace(genesis, allocations=genesis.allocations + holders))


def asked(folder: Path, question: str, *values: int) -> int:
    """One number out of a journal, also beside a running or stopped process."""
    connection = connect_reader(layout(folder).journal, "")
    try:
        return int(next(connection.execute(question, values))[0] or 0)
    finally:
        connection.close()


def wait_closely(holds: Callable[[], bool], seconds: float) -> bool:
    """Look again and again, almost without a pause."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.001)
    return False


def status_of(folder: Path) -> Record:
    with talking(folder) as client:
        return client.status()


def kill_while_writing(folder: Path, payments: Payments, chance: Random, hits: Hits) -> None:
    """Let a node take payments until its epoch ends, and kill it while it writes that snapshot."""
    with living(folder) as process, paying(folder, payments):
        assert wait_until(lambda: asked(folder, MARKS) > 0, END_SECONDS), "one to start from"
        seen = asked(folder, NEWEST_PAGES)
        connection = connect_reader(layout(folder).journal, "")
        told = status_of(folder)
        hits.final[int(told["final_index"])] = str(told["state_digest"])
        assert wait_closely(
            lambda: (next(connection.execute(NEWEST_PAGES))[0] or 0) > seen, END_SECONDS
        )
        connection.close()
        time.sleep(chance.uniform(0, WRITING_SECONDS))
        kill(process)
    newest = asked(folder, NEWEST_PAGES)
    hits.writing += bool(asked(folder, UNMARKED, newest))


def kill_while_loading(folder: Path, chance: Random) -> bool:
    """Start a node that has a snapshot, and kill it soon after it opened its journal.

    Returns:
        Whether it was still loading it: it had not said yet that it had.
    """
    assert asked(folder, MARKS) > 0
    before = len(log_of(folder))
    with started(folder) as process:
        opened_journal(process, folder)
        time.sleep(chance.uniform(0, LOADING_SECONDS))
        kill(process)
    return "snapshot_loaded" not in log_of(folder)[before:]


def test_no_kill_around_a_snapshot_loses_anything(tmp_path: Path) -> None:
    folder, payments, hits = tmp_path / "lone" / "node", Payments(), Hits()
    seed = secrets.randbits(32)
    print(f"moments drawn from seed {seed}")
    chance = Random(seed)  # noqa: S311  moments, not secrets
    found(folder)
    for _ in range(ROUNDS):
        kill_while_writing(folder, payments, chance, hits)
        hits.loading += kill_while_loading(folder, chance)
    with living(folder) as process:
        _demand_payments(folder, payments)
        _demand_level(folder)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    with living(folder, *STANDING):
        for number in range(ARRIVALS):
            _kill_newcomer(folder, tmp_path / f"newcomer-{number}" / "node", hits)
    _demand_one_history(folder, hits)
    print(
        f"{ROUNDS} kills at a snapshot's writing, {hits.writing} of them before it was whole; "
        f"{ROUNDS} at a start, {hits.loading} before it was loaded; {ARRIVALS} newcomers, "
        f"{hits.fetching} with some of the pages and {hits.taking_up} before they served anybody; "
        f"{len(payments.acknowledged)} payments acknowledged, {payments.unanswered} unanswered"
    )
    assert 2 * hits.writing > ROUNDS, "most kills have to leave a snapshot without its mark"
    assert 2 * hits.loading >= ROUNDS, "half of the starts have to be killed while they load"
    assert 2 * hits.fetching > ARRIVALS, "most newcomers have to be killed with some pages"
    assert 2 * hits.taking_up > ARRIVALS


def _demand_payments(folder: Path, payments: Payments) -> None:
    with talking(folder) as client:
        assert wait_until(lambda: client.balance()["pending"] == 0, FINAL_SECONDS)
        paid = {one: int(client.balance(one)["available"]) for one in payments.amounts}
    assert payments.acknowledged
    assert not [one for one in payments.acknowledged if paid[one] != payments.amounts[one]]
    assert all(paid[one] in (0, payments.amounts[one]) for one in paid), "not applied just once"


def _demand_level(folder: Path) -> None:
    """It goes on, and the next end has a whole snapshot again."""
    marks = asked(folder, MARKS)
    assert wait_until(lambda: asked(folder, MARKS) > marks, END_SECONDS)
    newest = asked(folder, NEWEST_PAGES)
    assert wait_until(lambda: not asked(folder, UNMARKED, newest), END_SECONDS)


def _demand_one_history(folder: Path, hits: Hits) -> None:
    """What was final before a kill is what is final now."""
    assert verified(folder)
    with open_readonly(folder, stored_digest) as journal:
        for index, digest in hits.final.items():
            commit = journal.final(index)
            assert commit is None or commit.state_digest.hex() == digest
        assert any(journal.final(index) for index in hits.final)


def _kill_newcomer(lone: Path, folder: Path, hits: Hits) -> None:
    """Kill a newcomer with some pages, then before it serves, and have it come level."""
    folder.mkdir(parents=True)
    told = status_of(lone)
    options = ("--bootstrap", str(told["addresses"][0]), "--network", str(told["network"]))
    arriving = layout(folder).arriving
    with started(folder, *options) as process:
        assert wait_closely(
            lambda: len(pages_in(arriving)) > 1 or goes_by_blocks(folder), START_SECONDS
        )
        kill(process)
    here = pages_in(arriving)
    hits.fetching += bool(here) and not asked(folder, MARKS)
    if not goes_by_blocks(folder):
        _kill_while_taking_up(folder, options, here, hits)
    with living(folder, *options):
        assert wait_until(lambda: is_level(lone, folder), END_SECONDS)
        assert not arriving.exists(), "what was on its way has arrived"


def _kill_while_taking_up(
    folder: Path, options: tuple[str, ...], here: set[str], hits: Hits
) -> None:
    """Kill it when its state is whole, and see that it took the pages that it had."""
    with started(folder, *options) as process:
        assert wait_closely(lambda: has_mark(folder), START_SECONDS)
        os.kill(process.pid, signal.SIGSTOP)
        is_taking_up = not layout(folder).api_address.exists()
        kill(process)
    if goes_by_blocks(folder):
        return
    hits.taking_up += is_taking_up
    assert here <= pages_of_newest(folder)
    assert ("pages_here_already" in log_of(folder)) == bool(here)


def goes_by_blocks(folder: Path) -> bool:
    """Whether no peer answered in time, so that a newcomer needs no snapshot: nothing to kill."""
    return "no_snapshot_taken" in log_of(folder)


def pages_in(folder: Path) -> set[str]:
    """The names of the complete pages of a snapshot on its way."""
    try:
        return {one.name for one in folder.iterdir() if not one.name.endswith(UNFINISHED)}
    except FileNotFoundError:
        return set()


def pages_of_newest(folder: Path) -> set[str]:
    """The names that the pages of the newest whole snapshot would have."""
    with open_readonly(folder, stored_digest) as journal:
        pages = journal.snapshot_pages(journal.snapshots()[0])
        return {content_digest(page).hex() for page in pages}


def has_mark(folder: Path) -> bool:
    return layout(folder).journal.exists() and asked(folder, MARKS) > 0


def is_level(lone: Path, folder: Path) -> bool:
    """Whether a node has all that the validator has."""
    try:
        index = int(status_of(lone)["final_index"])
        return int(status_of(folder)["final_index"]) == index
    except ClientError:
        return False
