"""What can be done to a local network: start, end, crash, pause and divide it."""

import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from p2pnode.lab.link_file import LINKS_NAME, write_rules
from p2pnode.lab.processes import Life, ProcessId, send_signal, spawn, stop
from p2pnode.lab.testnet import (
    LabError,
    LabNetwork,
    Member,
    changing,
    load,
    save,
    with_process,
)
from p2pnode.network import LinkRule
from p2pnode.settings import API_ADDRESS_NAME, PREFIX

STOP_SECONDS = 5.0
"""What a node needs at most for a clean stop; then it is killed."""


def start(testnet: LabNetwork, nodes: Iterable[int]) -> LabNetwork:
    """Start the processes of some nodes and note them, one by one, so that none can be lost."""
    for node in nodes:
        member = testnet.member(node)
        (member.data_dir / API_ADDRESS_NAME).unlink(missing_ok=True)
        testnet = with_process(testnet, node, _spawn(testnet, member))
        save(testnet)
    return testnet


def end(testnet: LabNetwork) -> int:
    """Stop all processes; returns how many had to be killed."""
    return stop([member.process for member in testnet.members], STOP_SECONDS)


def kill(testnet: LabNetwork, node: int) -> None:
    """Let a node crash.

    Raises:
        LabError: It does not run.
    """
    process = _living(testnet, node)
    send_signal(process, signal.SIGKILL)
    stop([process], STOP_SECONDS)


def pause(testnet: LabNetwork, node: int) -> None:
    """Stop a node's process without ending it; its connections stay open.

    Raises:
        LabError: It does not run.
    """
    send_signal(_living(testnet, node), signal.SIGSTOP)


def resume(testnet: LabNetwork, node: int) -> None:
    """Let a paused node go on.

    Raises:
        LabError: It does not run.
    """
    send_signal(_living(testnet, node), signal.SIGCONT)


def restart(folder: Path, node: int) -> LabNetwork:
    """Start a node that is gone, or stop it first and then start it."""
    stop([load(folder).member(node).process], STOP_SECONDS)
    with changing(folder):
        return start(load(folder), [node])


def cut(testnet: LabNetwork, groups: Sequence[Sequence[int]]) -> None:
    """Let nothing pass between nodes of different groups; other links are whole afterwards.

    Raises:
        LabError: A node does not exist or stands in two groups.
    """
    named = [node for group in groups for node in group]
    for node in named:
        testnet.member(node)
    if len(named) != len(set(named)):
        raise LabError("a node can stand in one group only")
    for member in testnet.members:
        own = next((group for group in groups if member.node in group), None)
        others = [] if own is None else [node for node in named if node not in own]
        rules = {testnet.member(node).peer_id: LinkRule(cut=True) for node in others}
        write_rules(member.data_dir / LINKS_NAME, rules)


def heal(testnet: LabNetwork) -> None:
    """Make all links whole."""
    cut(testnet, ())


def parse_groups(text: str) -> list[list[int]]:
    """Read `0,1|2,3`: nodes behind commas, groups behind bars.

    Raises:
        ValueError: It is not written so, or there are not two groups.
    """
    groups = [[int(node) for node in group.split(",")] for group in text.split("|")]
    if len(groups) < 2:
        raise ValueError("name at least two groups, as in 0,1|2,3")
    return groups


def _living(testnet: LabNetwork, node: int) -> ProcessId:
    member = testnet.member(node)
    if member.process is None or member.life is Life.GONE:
        raise LabError(f"node {node} does not run")
    return member.process


def _spawn(testnet: LabNetwork, member: Member) -> ProcessId:
    inside = ["ip", "netns", "exec", member.namespace] if member.namespace else []
    module = "p2pnode.lab.node"
    command = [*inside, sys.executable, "-m", module, "--data-dir", str(member.data_dir)]
    if member.liar:
        command.append("--liar")
        command += ["--colluding"] if testnet.colluding else []
    if testnet.owner is not None:
        command += ["--owner", str(testnet.owner)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return spawn(command, member.log, kept)
