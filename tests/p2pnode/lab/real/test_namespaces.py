import os
import subprocess
import sys

import pytest

from p2pnode.lab.processes import identify
from p2pnode.lab.real import namespaces
from p2pnode.lab.real.bridge import BridgeWires
from p2pnode.lab.real.namespaces import HUB, make_hosts, remove_hosts, remove_stale, run
from p2pnode.network import LinkRule
from tests.support.namespace_sockets import seconds_to, socket_in
from tests.support.namespaces import needs_namespaces

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


def names() -> set[str]:
    return {row.partition(" ")[0] for row in run(["ip", "netns", "list"]).splitlines()}


def test_what_is_missing_is_said_by_name(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1_000)
    assert namespaces.why_impossible() == "needs root"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(namespaces, "TOOLS", ("no-such-tool",))
    assert namespaces.why_impossible() == "needs no-such-tool"


@needs_namespaces()
def test_the_bridge_cuts_directed_pairs_counts_them_and_leaves_nothing_behind():
    owner = identify(os.getpid())
    hosts = make_hosts(owner, 3)
    try:
        wires = BridgeWires(hosts)
        sockets = [socket_in(hosts.name(node), hosts.address(node)) for node in range(3)]
        one, two, three = sockets
        assert seconds_to(one, two) is not None
        wires.apply({(0, 1): LinkRule(mute=True)})
        assert seconds_to(one, two) is None
        assert seconds_to(two, one) is not None
        assert seconds_to(one, three) is not None
        assert wires.counts()[0].cut == 1
        wires.apply({})
        assert seconds_to(one, two) is not None
        for each in sockets:
            each.close()
    finally:
        remove_hosts(owner)
    ours = [name for name in names() if str(owner.pid) in name]
    assert ours == []
    assert f"p2pn{owner.pid}" not in run(["ip", "link", "show"])


@needs_namespaces()
def test_what_a_dead_owner_left_is_removed_and_what_a_living_one_has_is_kept():
    code = (
        "import os, signal\n"
        "from p2pnode.lab.processes import identify\n"
        "from p2pnode.lab.real.namespaces import make_hosts\n"
        "print(make_hosts(identify(os.getpid()), 2).name(0), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    left = dead.stdout.strip()
    assert left in names(), "the owner left nothing, so nothing was tested"
    owner = identify(os.getpid())
    kept = make_hosts(owner, 1)
    try:
        assert left in remove_stale()
        assert left not in names()
        assert {kept.name(HUB), kept.name(0)} <= names()
    finally:
        remove_hosts(owner)
