import os

import pytest

from p2pnode.lab.processes import identify
from p2pnode.lab.real.namespaces import make_hosts
from p2pnode.lab.real.switch import SwitchWires, lateness_of
from p2pnode.network import LinkRule
from tests.support.namespace_sockets import seconds_to, socket_in
from tests.support.namespaces import needs_namespaces

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


@needs_namespaces()
def test_the_switch_delays_cuts_and_loses_by_directed_pair(tmp_path):
    wires = SwitchWires(hosts := make_hosts(identify(os.getpid()), 2), tmp_path)
    try:
        one, two = (socket_in(hosts.name(node), hosts.address(node)) for node in range(2))
        assert seconds_to(one, two) < 0.1
        wires.apply({(0, 1): LinkRule(delay_ms=150)})
        assert seconds_to(one, two) >= 0.15
        assert seconds_to(two, one) < 0.1
        wires.apply({(0, 1): LinkRule(mute=True)})
        assert seconds_to(one, two) is None
        assert seconds_to(two, one) is not None
        wires.apply({(0, 1): LinkRule(loss=1.0)})
        assert seconds_to(one, two) is None
        wires.apply({})
        assert seconds_to(one, two) is not None
        counted = wires.counts()[0]
        assert (counted.cut, counted.lost) == (1, 1)
        assert lateness_of(tmp_path)["packets"] >= 1
    finally:
        wires.close()


def test_where_no_switch_was_nobody_says_how_punctual_it_was(tmp_path):
    assert lateness_of(tmp_path) is None
