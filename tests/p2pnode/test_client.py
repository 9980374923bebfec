from collections.abc import Iterator
from pathlib import Path

import pytest

import p2pnode.calls
from p2pnode.client import (
    AsyncClient,
    BadContent,
    Client,
    JobFailed,
    NodeUnreachable,
    Refused,
    TimedOut,
    connect,
    find_endpoint,
)
from p2pnode.interfaces import ControlError
from p2pnode.settings import SettingsError
from protocol.job.record import TRANSITIONS
from tests.p2pnode.fake_node import (
    JOB,
    OPERATION,
    OTHER_JOB,
    OWN,
    PEER,
    TOKEN,
    FakeControl,
    job_record,
    serve,
    served_in_thread,
)


@pytest.fixture
def control() -> FakeControl:
    return FakeControl()


@pytest.fixture
def address(control: FakeControl, tmp_path: Path) -> Iterator[str]:
    with served_in_thread(control, tmp_path) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address, TOKEN) as client:
        yield client


@pytest.fixture
def job_file(tmp_path: Path) -> Path:
    (tmp_path / "code.wasm").write_bytes(b"code")
    (tmp_path / "in.bin").write_bytes(b"input!")
    path = tmp_path / "job.toml"
    path.write_text('kind = "wasm"\nartefact = "code.wasm"\ninputs = ["in.bin"]\n')
    return path


def test_the_ends_of_a_job_are_those_of_the_protocol() -> None:
    ends = {phase.value for phase, following in TRANSITIONS.items() if not following}
    assert ends == p2pnode.calls.ENDED_STATES


def test_every_question_is_answered(client: Client, control: FakeControl) -> None:
    assert client.status()["account"] == OWN
    assert client.peers()[0]["account"] == PEER
    assert client.devices()[0]["identifier"] == "cpu"
    assert client.jobs() == [{"id": JOB, "state": "settled"}]
    assert client.job(JOB) == job_record()
    assert client.balance()["account"] == OWN
    assert client.balance(PEER)["account"] == PEER
    assert client.why(JOB)["id"] == JOB
    assert client.operation(OPERATION)["state"] == "final"
    assert client.result(JOB) == b"output"
    assert client.faucet()["operation"] == OPERATION
    answers = [client.transfer(PEER, 1), client.stake(2), client.unstake(3), client.cancel(JOB)]
    answers.append(client.claim(JOB))
    assert answers == [{"operation": OPERATION}] * 5
    assert [amount for _, _, amount in control.moved] == [1, 2, 3, 0, 0]


def test_signed_operations_of_others_are_handed_in_and_answered_in_order(client: Client) -> None:
    first, second = client.submit_operations([b"signed", b"\0"])
    assert first == {"operation": OPERATION}
    assert second["error"]["code"] == "malformed"


def test_a_job_file_is_uploaded_and_offered(
    client: Client, control: FakeControl, job_file: Path
) -> None:
    job = client.submit(job_file)
    assert job.id == JOB
    assert control.stored == [b"code", b"input!"]
    request = control.submitted[0]
    assert request.artefact == (4).to_bytes(32, "big")
    assert request.inputs == ((6).to_bytes(32, "big"),)
    assert request.size_bytes == 10
    assert job.result() == b"output"


def test_a_quote_uploads_nothing(client: Client, control: FakeControl, job_file: Path) -> None:
    assert client.quote(job_file)["replicas"] == 3
    assert control.stored == []


def test_waiting_ends_with_the_job(client: Client, control: FakeControl) -> None:
    control.states = ["bidding", "executing", "settled"]
    seen: list[str] = []
    record = client.wait(JOB, 10, lambda record: seen.append(record["state"]))
    assert record == job_record()
    assert seen == ["bidding", "executing", "settled"]


def test_a_job_without_a_result_raises_with_its_record(
    client: Client, control: FakeControl
) -> None:
    control.states = ["inconclusive"]
    with pytest.raises(JobFailed, match="ended inconclusive") as raised:
        client.wait(JOB)
    assert raised.value.record == job_record(state="inconclusive")


def test_a_run_that_all_agree_does_not_finish_raises_though_it_is_settled(
    client: Client, control: FakeControl
) -> None:
    reason = "the executors agree that the run fails: check the artefact and the inputs"
    failed = job_record() | {"outcome": "failed", "result_digest": None, "reason": reason}
    control.records = {JOB: failed}
    with pytest.raises(JobFailed, match=f"ended without a result: {reason}") as raised:
        client.wait(JOB)
    assert raised.value.record == failed


def test_waiting_too_long_raises(client: Client, control: FakeControl) -> None:
    control.states = ["bidding"] * 100
    with pytest.raises(TimedOut, match="has not ended yet"):
        client.wait(JOB, 0.3)


def test_a_refusal_carries_the_code(client: Client, control: FakeControl) -> None:
    control.refusal = ControlError("insufficient_funds", "not enough", 409)
    with pytest.raises(Refused, match="not enough") as raised:
        client.stake(1)
    assert (raised.value.code, raised.value.status) == ("insufficient_funds", 409)
    with pytest.raises(Refused) as unknown:
        client.job(OTHER_JOB)
    assert unknown.value.code == "unknown_job"


def test_a_wrong_token_says_what_to_do(address: str) -> None:
    with Client(address, "f" * 32) as client, pytest.raises(Refused, match="--data-dir") as raised:
        client.status()
    assert raised.value.status == 401


def test_nobody_at_the_address_is_its_own_error() -> None:
    with (
        Client("127.0.0.1:1", TOKEN) as client,
        pytest.raises(NodeUnreachable, match=r"127\.0\.0\.1:1"),
    ):
        client.status()


def test_content_that_cannot_be_sent_is_refused_before_sending(
    client: Client, control: FakeControl, job_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(p2pnode.calls, "CONTENT_BYTES_MAX", 5)
    with pytest.raises(BadContent, match=r"in\.bin is larger than"):
        client.submit(job_file)
    assert control.submitted == []


async def test_the_asynchronous_client_does_the_same(job_file: Path) -> None:
    control = FakeControl(states=["bidding", "settled"])
    async with serve(control) as served, AsyncClient(served.address, TOKEN) as client:
        job = await client.submit(job_file)
        assert await job.result() == b"output"
        assert await job.record() == job_record()
        assert (await client.status())["account"] == OWN
        assert (await client.peers())[0]["account"] == PEER
        assert (await client.devices())[0]["identifier"] == "cpu"
        assert await client.jobs() == [{"id": JOB, "state": "settled"}]
        assert (await client.balance())["account"] == OWN
        assert (await client.quote(job_file))["highest_price"] == 2_000_000
        assert (await client.why(JOB))["id"] == JOB
        assert (await client.operation(OPERATION))["state"] == "final"
        assert (await client.faucet())["amount"] == 100_000_000
        await client.transfer(PEER, 1)
        await client.stake(2)
        await client.unstake(3)
        await client.cancel(JOB)
        await client.claim(JOB)
        control.states = ["refunded"]
        with pytest.raises(JobFailed):
            await client.wait(JOB)
    assert [amount for _, _, amount in control.moved] == [1, 2, 3, 0, 0]
    assert control.submitted[0].size_bytes == 10


async def test_connect_finds_the_node_of_a_data_folder(tmp_path: Path) -> None:
    async with serve(FakeControl()) as served:
        (tmp_path / "api-address").write_text(served.address)
        (tmp_path / "api-token").write_text(TOKEN)
        async with connect(data_dir=tmp_path) as node:
            assert (await node.status())["account"] == OWN
        async with p2pnode.connect(served.address, TOKEN) as node:
            assert (await node.status())["account"] == OWN


def test_both_clients_have_the_same_names() -> None:
    def names(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert names(Client) == names(AsyncClient)


def test_what_was_said_wins_over_the_environment_and_the_files(tmp_path: Path) -> None:
    (tmp_path / "api-address").write_text("127.0.0.1:1\n")
    (tmp_path / "api-token").write_text("file\n")
    environment = {"P2PNODE_API": "127.0.0.1:2", "P2PNODE_DATA_DIR": str(tmp_path)}
    assert find_endpoint("127.0.0.1:3", None, environment).address == "127.0.0.1:3"
    assert find_endpoint(None, None, environment).address == "127.0.0.1:2"
    assert find_endpoint(None, tmp_path, environment).address == "127.0.0.1:1"
    assert find_endpoint(None, tmp_path, {"P2PNODE_TOKEN": TOKEN}).token == TOKEN
    with pytest.raises(SettingsError, match="HOST:PORT"):
        find_endpoint("nonsense", tmp_path, {})


def test_a_folder_without_a_running_node_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(NodeUnreachable, match="start one with `p2pnode --data-dir"):
        find_endpoint(None, tmp_path, {})
    (tmp_path / "api-address").write_text("127.0.0.1:1")
    with pytest.raises(NodeUnreachable, match="no token in"):
        find_endpoint(None, tmp_path, {})
