"""Namespaces joined by a program that delays, loses and limits packets, for want of netem.

The program is `p2pnode.lab.real.switching`, a process of its own; here it is started and told what
to do, by a file that it looks at.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from p2pnode.lab.processes import Life, life_of, spawn, stop
from p2pnode.lab.real.namespaces import Hosts, remove_hosts
from p2pnode.lab.real.wires import Rules, WireCounts
from p2pnode.lab.testnet import LabError

START_SECONDS = 20.0
STOP_SECONDS = 3.0
POLL_SECONDS = 0.02
APPLIED_SECONDS = 2.0


COUNTS_NAME = "switch-counts.json"


def lateness_of(folder: Path) -> dict[str, int] | None:
    """How punctual the program of a network was, as it said last; None where there was none."""
    try:
        found = json.loads((folder / COUNTS_NAME).read_text())
    except FileNotFoundError:
        return None
    return dict(found["lateness"])


class SwitchWires:
    """The program between the namespaces, and the two files by which it is spoken to."""

    def __init__(self, hosts: Hosts, folder: Path) -> None:
        self._hosts = hosts
        self._rules, self._counts = folder / "switch-rules.json", folder / COUNTS_NAME
        self._log = folder / "switch.log"
        self._number = 0
        self._write({})
        ports = [f"{hosts.name(node)}={hosts.address(node)}" for node in range(hosts.nodes)]
        module = "p2pnode.lab.real.switching"
        command = [sys.executable, "-m", module, "--owner", str(hosts.owner)]
        command += ["--rules", str(self._rules), "--counts", str(self._counts), *ports]
        self._process = spawn(command, self._log, os.environ)
        self._wait(START_SECONDS)

    def apply(self, rules: Rules) -> None:
        """Tell the program, and wait until it has obeyed."""
        self._write(rules)
        self._wait(APPLIED_SECONDS)

    def counts(self) -> Mapping[int, WireCounts]:
        """What the program has counted until a moment ago."""
        document = self._read()
        cut, lost = document.get("cut", {}), document.get("lost", {})
        return {int(node): WireCounts(cut.get(node, 0), lost.get(node, 0)) for node in cut | lost}

    def close(self) -> None:
        """End the program and remove the namespaces."""
        stop([self._process], STOP_SECONDS)
        remove_hosts(self._hosts.owner)

    def _write(self, rules: Rules) -> None:
        self._number += 1
        rows = [[source, target, asdict(rule)] for (source, target), rule in rules.items()]
        temporary = self._rules.with_suffix(".new")
        temporary.write_text(json.dumps({"number": self._number, "rules": rows}))
        temporary.replace(self._rules)

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._counts.read_text()))
        except FileNotFoundError:
            return {}

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._read().get("number") != self._number:
            if life_of(self._process) is Life.GONE or time.monotonic() > deadline:
                raise LabError(f"the switch between the namespaces failed: see {self._log}")
            time.sleep(POLL_SECONDS)
