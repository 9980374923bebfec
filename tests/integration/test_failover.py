"""A crash in the middle of a job: of an executor, and of the requester's own node."""

import shutil
from pathlib import Path

import pytest

from p2pnode.client import Client
from tests.integration.local_network import LocalNetwork, Record, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "01_wasm"
POINTS = 300_000_000
"""Some seconds of work for each of two inputs, so that a node can be killed in the middle."""
DEADLINE_SECONDS = 9
REQUESTER = 0


def long_job(folder: Path) -> Path:
    """Write a job that takes long enough to crash in, and that waits little for the silent."""
    shutil.copytree(EXAMPLE, folder)
    for name in ("first.txt", "second.txt"):
        (folder / name).write_text(f"{POINTS} 1\n")
    path = folder / "job.toml"
    text = path.read_text().replace("fuel = 1_000_000_000", "fuel = 100_000_000_000")
    text = text.replace("seconds = 10", f"seconds = {DEADLINE_SECONDS}")
    path.write_text(f"deadline_s = {DEADLINE_SECONDS}\n{text}")
    return path


def is_running(client: Client, job: str) -> bool:
    return client.job(job)["state"] == "executing"


def by_account(record: Record) -> dict[str, Record]:
    return {one["account"]: one for one in record["executors"]}


def test_a_spare_finishes_what_a_killed_executor_had_begun(
    five: LocalNetwork, tmp_path: Path
) -> None:
    with five.client(REQUESTER) as client:
        job = client.submit(long_job(tmp_path / "job"))
        assert wait_until(lambda: is_running(client, job.id), 30)
        drawn = client.job(job.id)
        victim = drawn["executors"][0]["account"]
        five.testnet(
            "kill", str(next(row["node"] for row in five.rows if row["account"] == victim))
        )
        assert is_running(client, job.id), "it was killed in the middle of the work"
        record = job.wait(60)
        result = client.result(job.id)
    assert record["state"] == "settled"
    assert result.count(b"\n") == 2
    executors = by_account(record)
    assert executors[victim]["status"] == "missed"
    spare = next(one for one in drawn["spares"] if one in executors)
    assert executors[spare]["status"] == "revealed"
    paid = {one["account"] for one in record["payouts"]}
    assert spare in paid
    assert victim not in paid
    assert record["slashes"] == [], "absence costs no stake"


def test_a_requester_whose_node_died_finds_its_result_paid_for_and_kept(
    five: LocalNetwork,
) -> None:
    with five.client(REQUESTER) as client:
        job = client.submit(EXAMPLE / "job.toml")
        assert wait_until(lambda: is_running(client, job.id), 30)
    five.testnet("kill", str(REQUESTER))
    with five.client(1) as client:
        assert wait_until(lambda: client.job(job.id)["state"] == "settled", 40)
        settled = client.job(job.id)
    assert settled["payouts"], "the executors are paid without the requester"
    five.testnet("restart", str(REQUESTER))
    with five.client(REQUESTER) as client:
        assert wait_until(lambda: client.status()["final_index"] >= five.index(1) - 2, 30)
        assert client.job(job.id)["payouts"] == settled["payouts"]
        assert client.result(job.id).count(b"\n") == 2
