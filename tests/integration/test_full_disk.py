"""A real node on a file system of a few mebibytes that fills up, and has space again later."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from p2pnode.calls import ClientError
from p2pnode.client import Client, find_endpoint
from protocol.units import CREDIT
from tests.integration.local_network import PROGRAM, fresh_account, wait_until
from tests.support.tools import NEEDS, needs_tool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), needs_tool("unshare")]

SIZE = "8m"
RESUME_SECONDS = 5.0
UNSHARE = ["unshare", "--map-root-user", "--mount"]


@cache
def why_not() -> str:
    """Why no file system can be mounted here, or an empty text."""
    trial = [*UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"]
    with suppress(OSError):
        done = subprocess.run(trial, capture_output=True, text=True, check=False, timeout=20)
        return "" if done.returncode == 0 else done.stderr.strip()
    return "unshare cannot be started"


@contextmanager
def node_on_small_disk(folder: Path, log: Path) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """Run a lone node; gives its process, and its file system as it looks from here."""
    folder.mkdir()
    script = f'mount -t tmpfs -o size={SIZE} none "$0" && exec "$@"'
    options = ["--data-dir", str(folder / "data"), "--listen", "/ip4/127.0.0.1/tcp/0"]
    line = [*UNSHARE, "sh", "-c", script, str(folder), *PROGRAM, *options, "--log-format", "json"]
    with log.open("wb") as output, subprocess.Popen(line, stderr=output) as process:
        try:
            disk = Path(f"/proc/{process.pid}/root{folder}")
            assert wait_until(lambda: status(disk)["final_index"] > 0, 40), log.read_text()
            yield process, disk
        finally:
            process.kill()
            process.wait(10)


def status(disk: Path) -> dict[str, Any]:
    with suppress(ClientError, OSError), talking(disk) as client:
        return client.status()
    return {"final_index": -1, "store_failure": None}


@contextmanager
def talking(disk: Path) -> Iterator[Client]:
    endpoint = find_endpoint(None, disk / "data", {})
    with Client(endpoint.address, endpoint.token) as client:
        yield client


def pay(disk: Path, paid: list[str]) -> None:
    with talking(disk) as client:
        paid.append(client.transfer(fresh_account(), CREDIT)["operation"])


def is_final(disk: Path, operation: str) -> bool:
    with talking(disk) as client:
        return bool(client.operation(operation)["finality"] == "final")


def balance(disk: Path) -> int:
    with talking(disk) as client:
        return int(client.balance()["available"])


def fill(path: Path) -> int:
    """Take all the space that is left; returns how much that was."""
    chunk, taken = bytes(4_096), 0
    with path.open("wb", buffering=0) as stream, suppress(OSError):
        while True:
            taken += stream.write(chunk)
    return taken


def test_a_node_on_a_full_disk_signs_nothing_serves_reads_and_resumes(tmp_path: Path) -> None:
    if why_not():
        pytest.skip(f"{NEEDS}a file system to mount: {why_not()}")
    log = tmp_path / "log"
    with node_on_small_disk(tmp_path / "disk", log) as (process, disk):
        assert status(disk)["store_failure"] == ""
        assert fill(disk / "filler") > 0
        paying = threading.Thread(target=pay, args=(disk, paid := []))
        paying.start()
        assert wait_until(lambda: status(disk)["store_failure"], 20), "the full disk mattered"
        stopped = status(disk)
        assert "free some space" in stopped["store_failure"]
        time.sleep(2.5)
        later = status(disk)
        assert balance(disk) > 0, "reads are served"
        assert (later["final_index"], later["round"]) == (stopped["final_index"], stopped["round"])
        (disk / "filler").unlink()
        begun = time.monotonic()
        assert wait_until(lambda: status(disk)["store_failure"] == "", RESUME_SECONDS)
        paying.join(20)
        assert wait_until(lambda: is_final(disk, paid[0]), 10), "what waited is done"
        print(f"final again {time.monotonic() - begun:.1f} s after there was space")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    events = [json.loads(row)["event"] for row in log.read_text().splitlines()]
    assert events.index("store_failed") < events.index("store_recovered")
    assert "Traceback" not in log.read_text()
