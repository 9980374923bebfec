import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from p2pnode.cli.entry import main
from p2pnode.cli.running import ending_of
from p2pnode.client import ClientError, Refused
from p2pnode.interfaces import ControlError
from tests.p2pnode.fake_node import (
    JOB,
    OPERATION,
    OTHER_JOB,
    PEER,
    FakeControl,
    job_record,
    served_in_thread,
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def control() -> FakeControl:
    return FakeControl()


@pytest.fixture
def run(control: FakeControl, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    def run_line(*line: str) -> tuple[int, str, str]:
        code = main([*line, "--data-dir", str(tmp_path)])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    with served_in_thread(control, tmp_path):
        yield run_line


@pytest.fixture
def job_file(tmp_path: Path) -> str:
    (tmp_path / "code.wasm").write_bytes(b"code")
    (tmp_path / "job.toml").write_text('kind = "wasm"\nartefact = "code.wasm"\n')
    return str(tmp_path / "job.toml")


def test_views_print_json_for_programs(run: Run, control: FakeControl) -> None:
    views = {
        ("status",): control.status(),
        ("peers",): control.peers(),
        ("devices",): control.devices(),
        ("balance",): control.account(None),
        ("jobs",): control.jobs(50),
        ("job", JOB): job_record(),
        ("why", JOB): control.why(bytes.fromhex(JOB)),
        ("operation", OPERATION): control.operation(bytes.fromhex(OPERATION)),
    }
    for line, expected in views.items():
        code, out, err = run(*line, "--json")
        assert (code, json.loads(out), err) == (0, expected, "")


def test_views_print_text_for_people(run: Run) -> None:
    assert "quorum           yes" in run("status")[1]
    assert "\nstorage\nbounded     yes\nkeep_chain  9\n" in run("status")[1]
    assert PEER[:16] in run("peers")[1]
    assert "processor" in run("devices")[1]
    assert run("jobs")[1].splitlines()[0].split() == ["id", "state"]
    balance = run("balance", PEER[:8])[1]
    assert run("stake")[1] == run("balance")[1], "without an amount it moves nothing"
    assert "available  12.5\n" in balance
    assert "unbonding  amount 5, due_ms 10\n" in balance


def test_a_table_of_jobs_is_short_and_its_identifiers_can_be_typed_back(
    run: Run, control: FakeControl
) -> None:
    control.line = {"confidence": 9_878}
    names, row = run("jobs")[1].splitlines()
    assert names.split() == ["id", "state", "confidence"]
    assert row.split() == [JOB[:16], "settled", "98.78", "%"]
    assert run("job", row.split()[0])[0] == 0


def test_a_table_of_devices_has_units_and_says_what_is_wrong(
    run: Run, control: FakeControl
) -> None:
    reading = {"temperature_celsius": 91, "power_milliwatts": 75_500, "processes": [[7, 8], [9, 1]]}
    memory = {"memory_bytes": 24 * 2**30, "memory_used_bytes": 2**20, "lent_bytes": 2**21}
    hot = {"identifier": "cuda:0", "problem": "it has 91 °C"}
    control.gpus.append(hot | reading | memory)
    names, _, row = run("devices")[1].splitlines()
    assert names.split() == [
        *("identifier", "name", "memory_mib", "temperature_celsius", "memory_used_mib"),
        *("lent_mib", "watts", "processes", "problem"),
    ]
    assert " ".join(row.split()) == "cuda:0 - 24576 91 1 2 75 2 it has 91 °C"
    assert json.loads(run("devices", "--json")[1]) == control.devices()


def test_a_table_of_peers_fits_a_line_and_says_for_how_long(run: Run, control: FakeControl) -> None:
    control.peer = {
        "peer_id": "12D3Koo" * 8,
        "address": "/ip4/255.255.255.255/tcp/65535/p2p/" + "12D3Koo" * 8,
        "direction": "outbound",
        "joined": True,
        "connected_since": time.time() - 75,
        "rtt_ms": 1.23456789,
        "messages_in": 10**9,
        "messages_out": 10**9,
        "bytes_in": 10**12,
        "bytes_out": 10**12,
        "rejected": 0,
        "same_network": True,
    }
    names, row = run("peers")[1].splitlines()
    shown = dict(zip(names.split(), row.split(), strict=True))
    assert shown["account"] == PEER[:16]
    assert shown["address"] == "/ip4/255.255.255.255/tcp/65535"
    assert 75 <= int(shown["seconds"]) < 90
    assert (shown["rtt_ms"], shown["same_network"]) == ("1.2", "yes")
    assert len(row) <= 160


def test_what_is_remembered_is_told_in_order_and_ends_with_the_receipt(run: Run) -> None:
    lines = run("why", JOB)[1].splitlines()
    assert lines[0] == f"this node remembers of {JOB}"
    assert lines[1] == "      1.250 s  job_advanced  phase bidding"
    assert lines[2:] == run("job", JOB)[1].splitlines()[: len(lines) - 2]
    assert lines[-1].split() == ["refund", "0.425"]


def test_why_an_account_has_what_it_has_ends_with_its_balances(run: Run) -> None:
    lines = run("why", PEER)[1].splitlines()
    assert lines[0] == f"this node remembers of {PEER}"
    assert lines[1:] == run("balance", PEER)[1].splitlines()


def test_a_receipt_names_executors_money_and_phases(run: Run) -> None:
    code, out, _ = run("job", JOB[:10])
    assert code == 0
    assert out == (
        f"job {JOB}\n"
        "  state       settled (final)\n"
        f"  result      blake2b:{'ee' * 32}\n"
        "  confidence  98.60 % from 1 replicas\n"
        f"  executors   {PEER}: drawn first of 4 bids\n"
        f"  payouts     1.5 {PEER}: base pay\n"
        "  fee         0.075\n"
        "  refund      0.425\n"
        "  - bidding (round 10)\n"
        "  - settled (round 20)\n"
    )


def test_money_is_typed_in_credits(run: Run, control: FakeControl) -> None:
    assert run("transfer", PEER, "1.25")[0] == 0
    assert run("stake", "1000")[0] == 0
    _, out, _ = run("unstake", "0.000001")
    assert out == f"unbonding 0.000001 credits\nfollow it with: p2pnode operation {OPERATION}\n"
    assert json.loads(run("faucet", "--json")[1])["operation"] == OPERATION
    assert control.moved == [
        ("transfer", PEER, 1_250_000),
        ("stake", "", 1_000_000_000),
        ("unstake", "", 1),
    ]


def test_what_was_signed_elsewhere_is_handed_in(run: Run, tmp_path: Path) -> None:
    signed = tmp_path / "signed"
    signed.write_text("c0ffee\n")
    code, out, _ = run("send", str(signed))
    assert (code, out) == (0, f"handed in\nfollow it with: p2pnode operation {OPERATION}\n")
    signed.write_text("c0ffee\n00\n")
    code, out, err = run("send", str(signed))
    assert (code, out.count("handed in"), err) == (5, 1, "p2pnode: refused: it is empty inside\n")
    assert json.loads(run("send", str(signed), "--json")[1])[0] == {"operation": OPERATION}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("", "is empty"), ("not hex", "holds no signed operation"), (None, "No such file")],
)
def test_a_file_without_signed_operations_is_refused(
    run: Run, tmp_path: Path, content: str | None, complaint: str
) -> None:
    if content is not None:
        (tmp_path / "signed").write_text(content)
    code, _, err = run("send", str(tmp_path / "signed"))
    assert code == 2
    assert complaint in err


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (("stake", "ten"), "'ten' is not an amount of credits"),
        (("transfer", PEER[:10], "1"), "write all of its 64 hexadecimal digits"),
        (("job", "c1c1c1"), "is no job: write its 64"),
        (("job", "ffffffffff"), "no listed job begins with ffffffffff"),
        (("jobs", "--limit", "0"), "--limit must be from 1 to 1000"),
        (("submit", "none.toml"), "none.toml: No such file"),
        (("submit", "none.toml", "--out", "x"), "--out and --timeout need --wait"),
        (("submit", "a", "--wait", "--timeout", "nan"), "--timeout must be a number"),
        (("submit", "a", "--wait", "--out", "no/such/x"), "there is no folder no/such"),
    ],
)
def test_bad_input_exits_with_2_and_says_what_to_type(
    run: Run, control: FakeControl, line: tuple[str, ...], complaint: str
) -> None:
    code, out, err = run(*line)
    assert (code, out) == (2, "")
    assert complaint in err
    assert err.startswith("p2pnode: ")
    assert err.count("\n") == 1
    assert control.moved == []


def test_a_beginning_of_two_jobs_is_refused(run: Run, control: FakeControl) -> None:
    twin = JOB[:60] + "0000"
    control.records[twin] = job_record(twin)
    code, _, err = run("job", JOB[:8])
    assert code == 2
    assert "2 jobs begin with" in err


def test_a_job_file_error_names_its_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('kind = "wasm"\nartefcat = "x"\n')
    code, _, err = run("submit", str(tmp_path / "bad.toml"))
    assert code == 2
    assert "bad.toml, line 2: unknown key 'artefcat': did you mean 'artefact'?" in err


def test_a_refusal_exits_with_5_and_gives_the_code(run: Run, control: FakeControl) -> None:
    control.refusal = ControlError("insufficient_funds", "the balance is too small", 409)
    code, _, err = run("stake", "5")
    assert (code, err) == (5, "p2pnode: the balance is too small [insufficient_funds]\n")
    code, _, err = run("job", OTHER_JOB)
    assert (code, err) == (5, "p2pnode: no such job is known [unknown_job]\n")


def test_a_failure_inside_the_node_exits_with_1(run: Run, control: FakeControl) -> None:
    control.broken = True
    with capture_logs() as logged:
        code, _, err = run("status")
    assert [entry["event"] for entry in logged] == ["request failed"]
    assert (code, err) == (1, "p2pnode: the node failed to answer: see its log [internal]\n")


def test_no_node_exits_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--data-dir", str(tmp_path)]) == 3
    assert "start one with `p2pnode --data-dir" in capsys.readouterr().err
    (tmp_path / "api-token").write_text("0" * 32)
    assert main(["--data-dir", str(tmp_path), "status", "--api", "127.0.0.1:1"]) == 3
    assert "cannot reach a node at 127.0.0.1:1" in capsys.readouterr().err
    assert main(["status", "--data-dir", str(tmp_path), "--api", "nonsense"]) == 2


def test_a_wrong_token_exits_with_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P2PNODE_TOKEN", "f" * 32)
    code, _, err = run("status")
    assert code == 3
    assert "does not accept this token" in err


def test_submitting_prints_the_identifier(run: Run, control: FakeControl, job_file: str) -> None:
    code, out, _ = run("submit", job_file)
    assert (code, out.splitlines()[0]) == (0, f"submitted job {JOB}")
    assert json.loads(run("submit", job_file, "--json")[1]) == {"id": JOB}
    assert len(control.submitted) == 2


def test_waiting_shows_phases_apart_from_the_receipt(
    run: Run, control: FakeControl, job_file: str, tmp_path: Path
) -> None:
    control.states = ["bidding", "settled"]
    out_file = tmp_path / "output.bin"
    code, out, err = run("submit", job_file, "--wait", "--json", "--out", str(out_file))
    assert (code, json.loads(out)) == (0, job_record())
    first, *phases = err.splitlines()
    assert first == f"submitted job {JOB}", "before anything is waited for"
    assert phases == ["bidding (round 10)", "settled (round 20)"]
    assert out_file.read_bytes() == b"output"
    assert run("submit", job_file, "--wait")[1].startswith(f"job {JOB}\n  state       settled")


def test_a_job_without_a_result_exits_with_6_and_shows_the_receipt(
    run: Run, control: FakeControl, job_file: str, tmp_path: Path
) -> None:
    control.states = ["inconclusive"]
    code, out, err = run("submit", job_file, "--wait", "--out", str(tmp_path / "x"))
    assert code == 6
    assert "state       inconclusive (final)" in out
    assert f"p2pnode: job {JOB} ended inconclusive" in err
    assert not (tmp_path / "x").exists()


def test_waiting_too_long_exits_with_4(run: Run, control: FakeControl, job_file: str) -> None:
    control.states = ["bidding"] * 100
    code, _, err = run("submit", job_file, "--wait", "--timeout", "0.3")
    assert code == 4
    assert f"look again with `p2pnode job {JOB}`" in err


def test_a_quote_shows_credits(run: Run, job_file: str) -> None:
    assert "highest_price   2\n" in run("quote", job_file)[1]
    assert json.loads(run("quote", job_file, "--json")[1])["highest_price"] == 2_000_000


def test_a_result_goes_to_a_file_or_as_it_is_to_the_output(
    run: Run, control: FakeControl, tmp_path: Path
) -> None:
    assert run("result", JOB) == (0, "output", "")
    assert run("result", JOB, "--out", str(tmp_path / "r"))[0] == 0
    assert (tmp_path / "r").read_bytes() == b"output"
    assert json.loads(run("result", JOB, "--json")[1])["output_hex"] == b"output".hex()
    code, _, err = run("result", JOB, "--out", str(tmp_path))
    assert (code, "choose another --out" in err) == (1, True)


@pytest.mark.parametrize("is_over", [False, True])
def test_a_receipt_says_while_payouts_wait(run: Run, control: FakeControl, is_over: bool) -> None:
    control.records[JOB]["delivery"] = {"is_over": is_over}
    code, out, _ = run("job", JOB)
    assert (code, "payouts wait" in out) == (0, not is_over)


def test_cancelling_names_the_operation(run: Run, control: FakeControl) -> None:
    code, out, _ = run("cancel", JOB[:8])
    assert (code, OPERATION in out) == (0, True)
    assert control.moved == [("cancel", JOB, 0)]


def test_a_claim_says_what_happens_next(run: Run, control: FakeControl) -> None:
    code, out, _ = run("claim", JOB[:8])
    assert (code, OPERATION in out, "checkers" in out) == (0, True, True)
    assert control.moved == [("claim", JOB, 0)]


def test_control_characters_of_others_never_reach_the_terminal(
    run: Run, control: FakeControl
) -> None:
    control.records[JOB] |= {"reason": "\x1b[2Jcleared"}
    assert "because     ?[2Jcleared" in run("job", JOB)[1]


@pytest.mark.parametrize(
    ("code", "status", "ending"),
    [
        ("bad_terms", 422, 5),
        ("invalid_request", 422, 2),
        ("body_too_large", 413, 2),
        ("not_found", 404, 2),
        ("bad_host", 403, 3),
        ("too_many_streams", 503, 1),
        ("idempotency_conflict", 409, 5),
    ],
)
def test_each_refusal_has_its_exit_code(code: str, status: int, ending: int) -> None:
    assert ending_of(Refused(code, "", status)) == ending


def test_an_unforeseen_client_error_is_a_failure() -> None:
    assert ending_of(ClientError("?")) == 1
