from pathlib import Path

import pytest

from p2pnode.lab import link_file
from p2pnode.lab.link_file import LinkFile, read_rules, write_rules
from p2pnode.network import LinkRule, peer_id_of

ONE, OTHER = bytes([1]) * 32, bytes([2]) * 32
CUT = LinkRule(cut=True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_file, "POLL_SECONDS", 0.0)


def test_rules_survive_the_file(tmp_path: Path) -> None:
    rule = LinkRule(delay_ms=20, loss=0.5)
    write_rules(tmp_path / "links.json", {peer_id_of(ONE): CUT, peer_id_of(OTHER): rule})
    assert read_rules(tmp_path / "links.json") == {ONE: CUT, OTHER: rule}


def test_a_rule_holds_for_its_peer_alone(tmp_path: Path) -> None:
    write_rules(tmp_path / "links.json", {peer_id_of(ONE): CUT})
    links = LinkFile(tmp_path / "links.json")
    assert (links.rule(ONE), links.rule(OTHER)) == (CUT, LinkRule())


@pytest.mark.usefixtures("impatient")
def test_a_change_of_the_file_is_noticed_by_a_running_node(tmp_path: Path) -> None:
    path = tmp_path / "links.json"
    links = LinkFile(path)
    assert links.rule(ONE) == LinkRule()
    write_rules(path, {peer_id_of(ONE): CUT})
    assert links.rule(ONE) == CUT
    write_rules(path, {})
    assert links.rule(ONE) == LinkRule()
    write_rules(path, {peer_id_of(ONE): CUT})
    path.unlink()
    assert links.rule(ONE) == LinkRule()


def test_the_file_is_not_looked_at_for_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "links.json"
    links = LinkFile(path)
    assert links.rule(ONE) == LinkRule()
    write_rules(path, {peer_id_of(ONE): CUT})
    assert links.rule(ONE) == LinkRule()
