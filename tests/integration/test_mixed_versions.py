"""RELIABILITY C9 with real processes: nodes of two versions of the program in one network."""

import os
from pathlib import Path

import pytest

from p2pnode import __version__
from p2pnode.calls import ClientError
from protocol.messages import VERSION
from tests.integration.killing import living, log_of, talking
from tests.integration.local_network import LocalNetwork, Record, fresh_account, wait_until
from tests.support.versions import another_version

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

UPGRADES = int(os.environ.get("UPGRADES", "2"))
"""Of the five nodes; `make kill` upgrades all of them."""
NEWER = "9.9.9"
WAIT_SECONDS = 60.0


def status_of(folder: Path) -> Record:
    with talking(folder) as client:
        return client.status()


def reaches(folder: Path, index: int) -> bool:
    try:
        return int(status_of(folder)["final_index"]) >= index
    except ClientError:
        return False


def test_a_node_of_another_protocol_is_refused_in_words_by_both_sides(tmp_path: Path) -> None:
    lone, other = tmp_path / "lone" / "node", tmp_path / "other" / "node"
    for folder in (lone, other):
        folder.mkdir(parents=True)
    newer = another_version(tmp_path / "program", NEWER, VERSION + 1)
    with living(lone):
        told = status_of(lone)
        options = ("--bootstrap", str(told["addresses"][0]), "--network", str(told["network"]))
        with living(other, *options, environment=newer):
            for folder in (lone, other):
                assert wait_until(lambda of=folder: "another_version" in log_of(of), WAIT_SECONDS)
            index = int(status_of(lone)["final_index"])
            assert wait_until(lambda: reaches(lone, index + 3), WAIT_SECONDS), "the network goes on"
            refused = status_of(other)
            assert (refused["version"], refused["final_index"]) == (NEWER, 0)
            assert not refused["halted"]
        assert f"its_version={VERSION + 1}" in log_of(lone)
        assert "its operator has to update it" not in log_of(lone)
        assert f"its_version={VERSION} " in log_of(other)
        assert "its operator has to update it" in log_of(other)
        with living(other, *options):
            assert wait_until(lambda: reaches(other, index + 3), WAIT_SECONDS), (
                "with the right program"
            )


def test_nodes_killed_and_upgraded_one_by_one_work_with_the_others(
    five: LocalNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two programs with the same rules: no halt, and payments become final all along."""
    newer = another_version(tmp_path / "program", NEWER)
    with monkeypatch.context() as patch:
        for name in ("PYTHONPATH", "PYTHONSAFEPATH"):
            patch.setenv(name, newer[name])
        for node in range(UPGRADES):
            _restart_beside_payments(five, node)
    versions = [five.status(node)["version"] for node in five.nodes]
    assert versions == [NEWER] * UPGRADES + [__version__] * (len(versions) - UPGRADES)
    five.agreed_index(WAIT_SECONDS)
    assert not any(five.status(node)["halted"] for node in five.nodes)
    for node in range(UPGRADES):
        _restart_beside_payments(five, node)
    assert {five.status(node)["version"] for node in five.nodes} == {__version__}


def _restart_beside_payments(five: LocalNetwork, node: int) -> None:
    """Kill a node and start it from its folder; meanwhile a payment becomes final elsewhere."""
    others = [one for one in five.nodes if one != node]
    meanwhile, afterwards = fresh_account(), fresh_account()
    five.testnet("kill", str(node))
    five.pay(others[0], meanwhile)
    assert wait_until(lambda: five.everywhere(meanwhile, others), WAIT_SECONDS)
    five.testnet("restart", str(node))
    assert wait_until(lambda: five.everywhere(meanwhile, [node]), WAIT_SECONDS)
    five.pay(node, afterwards)
    assert wait_until(lambda: five.everywhere(afterwards, five.nodes), WAIT_SECONDS)
