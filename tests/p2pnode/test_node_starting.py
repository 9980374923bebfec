"""Starts and ends of whole nodes: in peace, or with one sentence that says what to do."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import structlog

from p2pnode import node
from p2pnode.calls import ClientError
from p2pnode.client import Client, find_endpoint
from p2pnode.genesis import write_genesis
from p2pnode.network import peer_id_of
from p2pnode.settings import Settings
from p2pnode.storage import layout, locked, prepare_data_folder
from protocol.encoding import content_digest
from protocol.units import CREDIT
from tests.integration.local_network import running_network, wait_until
from tests.p2pnode.execution.builders import FOREVER, module
from tests.p2pnode.fake_ports import lone_genesis
from tests.support.builders import account_id

PEER = account_id(2)
LOOPBACK = ("/ip4/127.0.0.1/tcp/0",)
STOP_SECONDS = 5.0


# Starts that fail


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., str]]:
    """Starts a node that must not start, and gives the one sentence that it says."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    def start(settings: Settings, code: int = node.FAILED) -> str:
        assert node.run(settings) == code
        printed = capsys.readouterr().err
        assert "Traceback" not in printed
        rows = [json.loads(row) for row in printed.splitlines()]
        (refusal,) = (row for row in rows if row["event"] == "node_cannot_run")
        return str(refusal["detail"])

    yield start
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def settings(folder: Path, **changes: object) -> Settings:
    chosen = {"listen": LOOPBACK, "log_format": "json", "log_level": "error"} | changes
    return Settings(folder, **chosen)  # type: ignore[arg-type]  # as the fields are


@contextmanager
def busy_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


Complaint = Callable[..., str]


def test_a_busy_port_is_a_sentence(tmp_path: Path, complaint: Complaint) -> None:
    with busy_port() as port:
        listen = (f"/ip4/127.0.0.1/tcp/{port}",)
        text = complaint(settings(tmp_path, listen=listen))
    assert f"tcp/{port}: Address already in use" in text
    assert "--listen" in text


def test_a_busy_port_of_the_interface_is_a_sentence(tmp_path: Path, complaint: Complaint) -> None:
    with busy_port() as port:
        text = complaint(settings(tmp_path, api_port=port))
    assert text == f"127.0.0.1:{port}: Address already in use: choose another --api"


def test_a_locked_folder_is_a_sentence(tmp_path: Path, complaint: Complaint) -> None:
    with locked(prepare_data_folder(tmp_path).lock):
        assert "in use by process" in complaint(settings(tmp_path))


def test_a_damaged_genesis_is_a_sentence(tmp_path: Path, complaint: Complaint) -> None:
    prepare_data_folder(tmp_path).genesis.write_bytes(b"garbage")
    text = complaint(settings(tmp_path))
    assert str(layout(tmp_path).genesis) in text
    assert "not a genesis file" in text


@pytest.mark.parametrize("damage", ["garbage", "exposed", "folder"])
def test_an_unreadable_key_is_a_sentence(damage: str, tmp_path: Path, complaint: Complaint) -> None:
    key = prepare_data_folder(tmp_path).key
    if damage == "folder":
        key.mkdir()
    else:
        key.write_bytes(b"garbage")
        key.chmod(0o644 if damage == "exposed" else 0o600)
    assert "key" in complaint(settings(tmp_path))
    assert not layout(tmp_path).genesis.exists(), "nothing was begun"


def test_an_unreachable_bootstrap_is_a_sentence(tmp_path: Path, complaint: Complaint) -> None:
    with busy_port() as port:
        pass
    address = f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer_id_of(PEER)}"
    text = complaint(settings(tmp_path, bootstrap=(address,)), node.UNREACHABLE)
    assert "check that it runs" in text
    assert address in text


def test_a_wrong_network_is_a_sentence(tmp_path: Path, complaint: Complaint) -> None:
    write_genesis(prepare_data_folder(tmp_path).genesis, lone_genesis())
    assert "wrong network" in complaint(settings(tmp_path, network="0" * 64))
    assert "is neither" in complaint(settings(tmp_path, network="nonsense"))


@pytest.mark.parametrize("address", ["nonsense", "/ip4/127.0.0.1/tcp/99999"])
def test_a_bad_address_is_a_sentence(address: str, tmp_path: Path, complaint: Complaint) -> None:
    text = complaint(settings(tmp_path, listen=(address,)), node.BAD_INPUT)
    assert text.startswith("bad address: ")


def test_a_missing_device_is_a_sentence(tmp_path: Path, complaint: Complaint) -> None:
    assert "there is: cpu" in complaint(settings(tmp_path, devices=("cuda:77",)))


def test_a_folder_that_cannot_be_made_is_not_blamed_on_space(complaint: Complaint) -> None:
    text = complaint(settings(Path("/proc/foo")))
    assert "/proc/foo" in text
    assert "check that the path exists" in text
    assert "space" not in text


def test_a_folder_of_something_else_is_a_sentence(tmp_path: Path, complaint: Complaint) -> None:
    (tmp_path / "holiday.jpg").touch()
    assert "no data folder" in complaint(settings(tmp_path))


# Real processes


@contextmanager
def process(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A node of its own development network."""
    line = [sys.executable, "-m", "p2pnode", "--data-dir", str(folder), "--listen", *LOOPBACK]
    started = subprocess.Popen(line, stderr=(folder.parent / "log").open("ab"))
    try:
        assert wait_until(lambda: status(folder)["final_index"] > 0, 30)
        yield started
    finally:
        started.kill()
        started.wait(10)


def status(folder: Path) -> dict[str, Any]:
    with suppress(ClientError, OSError):
        return client_of(folder).status()
    return {"final_index": -1}


def client_of(folder: Path) -> Client:
    endpoint = find_endpoint(None, folder, {})
    return Client(endpoint.address, endpoint.token)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_node_in_time(number: signal.Signals, tmp_path: Path) -> None:
    with process(tmp_path / "data") as running:
        begun = time.monotonic()
        running.send_signal(number)
        assert running.wait(10) == 0
        assert time.monotonic() - begun < STOP_SECONDS
    assert not layout(tmp_path / "data").api_address.exists()
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_a_killed_node_continues_the_same_chain(tmp_path: Path) -> None:
    data, recipient = tmp_path / "data", account_id(7).hex()
    with process(data) as running:
        client_of(data).transfer(recipient, CREDIT)
        assert wait_until(lambda: available(data, recipient) == CREDIT, 20)
        before = status(data)
        running.kill()
        running.wait(10)
    with process(data):
        after = status(data)
        assert after["network"] == before["network"]
        assert after["account"] == before["account"]
        assert after["final_index"] >= before["final_index"]
        assert available(data, recipient) == CREDIT
        client_of(data).transfer(recipient, CREDIT)
        assert wait_until(lambda: available(data, recipient) == 2 * CREDIT, 20)
    log = (tmp_path / "log").read_text()
    assert "journal_replayed" in log
    assert "sitting_out" not in log
    assert "Traceback" not in log


def available(folder: Path, account: str) -> int:
    return int(client_of(folder).balance(account)["available"])


@pytest.mark.slow
def test_a_node_that_runs_a_job_stops_in_time_and_takes_the_run_along(tmp_path: Path) -> None:
    artefact = tmp_path / "forever.wasm"
    artefact.write_bytes(module(FOREVER))
    job_file = tmp_path / "job.toml"
    job_file.write_text(ENDLESS_JOB)
    allowed = content_digest(artefact.read_bytes()).hex()
    options = ("--allow-artefact", allowed)
    with running_network(tmp_path / "net", 4, *options) as network:
        with network.client(0) as client:
            client.submit(job_file)
        pids = [int(row["pid"]) for row in network.rows]
        assert wait_until(lambda: any(map(workers_of, pids)), 40), "somebody runs the job"
        chosen = next(pid for pid in pids if workers_of(pid))
        workers = workers_of(chosen)
        begun = time.monotonic()
        os.kill(chosen, signal.SIGTERM)
        assert wait_until(lambda: not is_alive(chosen), 10)
        assert time.monotonic() - begun < STOP_SECONDS
        assert not [pid for pid in workers if is_alive(pid)], "nothing of the run survives"


ENDLESS_JOB = """
kind = "wasm"
artefact = "forever.wasm"
inputs = []

[limits]
seconds = 60
memory_mib = 16
output_kib = 1
fuel = 1_000_000_000_000

[result]
class = "exact"

[trust]
tolerated_error = "0.02"
replicas = 3
replicas_max = 3

[price]
per_second_max = "0.01"
budget = "100"
"""


def workers_of(pid: int) -> list[int]:
    """Children of a process."""
    with suppress(OSError):
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(one) for one in found]
    return []


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False
