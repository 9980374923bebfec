from pathlib import Path

import pytest

from p2pnode.lab import running
from p2pnode.lab.link_file import LINKS_NAME, read_rules
from p2pnode.lab.testnet import LabError, LabNetwork
from p2pnode.network import LinkRule
from tests.p2pnode.lab import builders


def cut_links(testnet: LabNetwork) -> set[tuple[int, int]]:
    numbers = {bytes.fromhex(member.account): member.node for member in testnet.members}
    return {
        (member.node, numbers[account])
        for member in testnet.members
        for account, rule in read_rules(member.data_dir / LINKS_NAME).items()
        if rule == LinkRule(cut=True)
    }


def test_a_cut_holds_between_groups_in_both_directions(tmp_path: Path) -> None:
    testnet = builders.network(tmp_path, nodes=5)
    running.cut(testnet, [[0, 1], [2, 3]])
    between = {(one, other) for one in (0, 1) for other in (2, 3)}
    assert cut_links(testnet) == between | {(other, one) for one, other in between}


def test_a_second_cut_replaces_the_first_and_healing_ends_all(tmp_path: Path) -> None:
    testnet = builders.network(tmp_path)
    running.cut(testnet, [[0], [1, 2, 3]])
    running.cut(testnet, [[0, 1, 2], [3]])
    assert (0, 1) not in cut_links(testnet)
    assert (0, 3) in cut_links(testnet)
    running.heal(testnet)
    assert cut_links(testnet) == set()


@pytest.mark.parametrize("groups", [[[0, 1], [1, 2]], [[0], [4]]])
def test_a_cut_that_cannot_be_meant_changes_nothing(
    tmp_path: Path, groups: list[list[int]]
) -> None:
    testnet = builders.network(tmp_path)
    with pytest.raises(LabError):
        running.cut(testnet, groups)
    assert not (testnet.members[0].data_dir / LINKS_NAME).exists()


def test_groups_are_read_as_they_are_written() -> None:
    assert running.parse_groups("0,1|2|3,4") == [[0, 1], [2], [3, 4]]


@pytest.mark.parametrize("text", ["", "0,1", "0|", "a|b", "0,,1|2"])
def test_other_groups_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  argparse says the rest
        running.parse_groups(text)


def test_what_does_not_run_cannot_be_killed_paused_or_resumed(tmp_path: Path) -> None:
    testnet = builders.network(tmp_path)
    for act in (running.kill, running.pause, running.resume):
        with pytest.raises(LabError, match="node 1 does not run"):
            act(testnet, 1)
