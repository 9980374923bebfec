from p2pnode.lab.real.tables import Seen, write_tables
from tests.p2pnode.lab import builders as networks
from tests.p2pnode.lab.real.builders import scenario


def test_where_no_tables_can_be_made_the_reason_is_given_and_nothing_written(tmp_path, monkeypatch):
    monkeypatch.setattr("p2pnode.lab.real.tables.RESULTS", "p2pnode.lab.no_such_package")
    testnet = networks.network(tmp_path / "net")
    seen = Seen(scenario(), testnet, tmp_path / "nodes", (), (), 0)
    assert write_tables(seen, tmp_path / "out", {}) == "this version makes no tables of real runs"
    assert not (tmp_path / "out").exists()
