"""The kernel's own delays: what the tools are told, and what this machine's tools make of it."""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest

from p2pnode.lab.processes import ProcessId
from p2pnode.lab.real import netem
from p2pnode.lab.real.namespaces import Hosts
from p2pnode.lab.real.netem import WHOLE, NetemWires, lines_of, queue_of, why_no_netem
from p2pnode.lab.real.wires import WireCounts
from p2pnode.network import LinkRule
from tests.support.tools import NEEDS

HOSTS = Hosts(ProcessId(7, 9), 3, 201)
COUNTERS = [
    {"counter": {"name": "cut0", "packets": 4}},
    {"counter": {"name": "cut1", "packets": 0}},
]
QUEUES = [{"kind": "htb", "drops": 9}, {"kind": "netem", "drops": 2}, {"kind": "netem", "drops": 3}]
STAND_IN = f"""#!/bin/sh
printf "%s" "TOOL $*" >> TOLD
case "$*" in *-batch*|*-f*) sed "s/^/\\n  /" | tr -d "\\n" >> TOLD;; esac
echo >> TOLD
case "$*" in
  *counters*) echo '{json.dumps({"nftables": COUNTERS})}';;
  *"qdisc show"*) echo '{json.dumps(QUEUES)}';;
esac
"""
NO_KERNEL = "Error: Specified qdisc kind is unknown."
RULES = [
    LinkRule(),
    LinkRule(mute=True),
    LinkRule(delay_ms=30),
    LinkRule(delay_ms=20, jitter_ms=40),
    LinkRule(loss=0.05),
    LinkRule(rate_bps=64_000, delay_ms=1.5),
]


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Stand-ins for the system's tools, which write down what they are told."""
    told = tmp_path / "told"
    for tool in ("ip", "nft", "tc"):
        path = tmp_path / "bin" / tool
        path.parent.mkdir(exist_ok=True)
        path.write_text(STAND_IN.replace("TOOL", tool).replace("TOLD", str(told)))
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return lambda: told.read_text().splitlines() if told.exists() else []


def shaping(lines, node):
    """What `tc` was told about one node's links."""
    wanted = f"tc -n {HOSTS.name(node)} -batch -"
    return [line.removeprefix(wanted).split("  ")[1:] for line in lines if line.startswith(wanted)]


def test_a_rule_becomes_a_queue_that_keeps_packets_in_order():
    assert [queue_of(rule) for rule in RULES] == [
        WHOLE,
        WHOLE,
        f"{WHOLE} delay 30000us",
        f"{WHOLE} delay 40000us 20000us rate 10000000000bit",
        f"{WHOLE} loss 5.0000%",
        "netem limit 10 delay 1500us rate 64000bit",
    ]


def test_each_pair_has_a_class_a_filter_and_a_queue_that_changes_in_place(tools):
    wires = NetemWires(HOSTS)
    wires.apply({(0, 1): LinkRule(delay_ms=30), (0, 2): LinkRule(mute=True)})
    wires.apply({(0, 1): LinkRule(delay_ms=50)})
    wires.apply({})
    root, first, second, third = shaping(tools(), 0)
    assert root == ["qdisc add dev eth0 root handle 1: htb default 0"]
    chosen = "u32 match ip dst 10.201.0.2/32 flowid 1:2"
    assert first == [
        "class add dev eth0 parent 1: classid 1:2 htb rate 10gbit quantum 60000",
        f"filter add dev eth0 parent 1: protocol ip prio 1 {chosen}",
        "qdisc replace dev eth0 parent 1:2 handle 101: netem limit 100000 delay 30000us",
    ]
    assert second == [
        "qdisc replace dev eth0 parent 1:2 handle 101: netem limit 100000 delay 50000us"
    ]
    assert third == ["qdisc replace dev eth0 parent 1:2 handle 101: netem limit 100000"]
    assert shaping(tools(), 1) == [root]


def test_cuts_stay_with_the_bridge_and_both_are_counted(tools):
    wires = NetemWires(HOSTS)
    wires.apply({(0, 1): LinkRule(mute=True, delay_ms=5)})
    assert any(
        "add element bridge laboratory cuts { 10.201.0.1 . 10.201.0.2 }" in line for line in tools()
    )
    assert wires.counts() == {0: WireCounts(4, 5), 1: WireCounts(0, 5)}


@pytest.mark.usefixtures("tools")
def test_a_kernel_that_takes_the_trial_has_netem(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert why_no_netem() is None


def test_the_trial_is_made_in_a_namespace_that_is_thrown_away(tools, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    why_no_netem()
    added, tried, removed = tools()
    name = added.removeprefix("ip netns add ")
    assert tried == f"tc -n {name} qdisc add dev lo root netem delay 1ms"
    assert removed == f"ip netns delete {name}"


def test_a_kernel_that_refuses_has_none_and_says_why(tools, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "bin" / "tc").write_text(f"#!/bin/sh\necho '{NO_KERNEL}' >&2\nexit 2\n")
    assert NO_KERNEL in why_no_netem()
    assert tools()[-1].startswith("ip netns delete")


def test_without_rights_or_tool_nothing_is_tried(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1_000)
    assert why_no_netem() == "netem needs root"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(netem.shutil, "which", lambda tool: None)
    assert why_no_netem() == "netem needs tc"


def _cannot_try() -> str:
    tools = [tool for tool in ("ip", "tc") if shutil.which(tool) is None]
    return f"{NEEDS}root" if os.geteuid() else f"{NEEDS}{tools[0]}" if tools else ""


@contextmanager
def namespace():
    name = f"p2pnode-test-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)

    def tell(*words, text=""):
        command = ["tc", "-n", name, *words]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)

    try:
        yield tell
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.mark.skipif(bool(_cannot_try()), reason=_cannot_try())
def test_the_real_tool_understands_every_queue():
    add = ["qdisc", "replace", "dev", "lo", "root"]
    with namespace() as tell:
        for rule in RULES:
            done = tell(*add, *queue_of(rule).split())
            assert done.returncode == 0 or "kind is unknown" in done.stderr, done.stderr
        assert "kind is unknown" not in tell(*add, "netem", "nonsense").stderr


@pytest.mark.skipif(bool(_cannot_try()), reason=_cannot_try())
def test_the_kernel_takes_classes_and_filters_and_queues_that_change_in_place():
    hosts = Hosts(ProcessId(7, 9), 2, 201)
    pair, queue = (0, 1), "pfifo limit {}"  # a queue that any kernel has
    lines = ["qdisc add dev eth0 root handle 1: htb default 0"]
    lines += lines_of(hosts, 0, {pair: queue.format(100)}, set())
    lines += lines_of(hosts, 0, {pair: queue.format(200)}, {pair})
    with namespace() as tell:
        text = "".join(line.replace("dev eth0", "dev lo") + "\n" for line in lines)
        done = tell("-batch", "-", text=text)
        assert (done.returncode, done.stderr) == (0, "")
        assert "pfifo 101: parent 1:2 limit 200p" in tell("qdisc", "show", "dev", "lo").stdout
        assert "0ac90002" in tell("filter", "show", "dev", "lo").stdout
