from p2pnode.lab import fault_file
from p2pnode.lab.fault_file import FaultFile, NodeFaults, read_faults, write_faults


def test_nothing_is_wrong_until_somebody_writes_so(tmp_path, monkeypatch):
    monkeypatch.setattr(fault_file, "POLL_SECONDS", 0.0)
    path = tmp_path / "faults.json"
    file = FaultFile(path)
    assert file.now() == NodeFaults()
    wrong = NodeFaults(clock_error_ns=-5, store_fails=True)
    write_faults(path, wrong)
    assert (file.now(), read_faults(path)) == (wrong, wrong)
    write_faults(path, NodeFaults())
    assert file.now() == NodeFaults()
    assert list(tmp_path.iterdir()) == [path]
