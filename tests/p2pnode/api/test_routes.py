import trio

from p2pnode.interfaces import ControlError
from tests.p2pnode.fake_node import JOB, FakeControl, serve

BODY = {
    "kind": "wasm",
    "artefact": "ab" * 32,
    "inputs": ["cd" * 32],
    "size_bytes": 10,
    "device": "cpu",
    "time_limit_ms": 1_000,
    "memory_limit_bytes": 2**20,
    "output_limit_bytes": 1_024,
    "fuel_limit": 5,
    "result_class": "exact",
    "tolerated_error_ppm": 1_000,
    "replicas": 3,
    "replicas_max": 5,
    "price_cap": 7,
    "deadline_ms": 9,
}


async def test_a_job_reaches_the_node_whole() -> None:
    control = FakeControl()
    async with serve(control) as served, served.client() as client:
        response = await client.post("/v1/jobs", json=BODY)
    assert (response.status_code, response.json()) == (201, {"id": JOB})
    request = control.submitted[0]
    assert request.artefact == b"\xab" * 32
    assert request.inputs == (b"\xcd" * 32,)
    assert (request.price_cap, request.budget, request.sandbox_level) == (7, 0, 0)


async def test_a_quote_takes_the_same_body_and_submits_nothing() -> None:
    control = FakeControl()
    async with serve(control) as served, served.client() as client:
        response = await client.post("/v1/quote", json=BODY)
    assert response.json()["highest_price"] == 2_000_000
    assert control.submitted == []


async def test_a_repeated_request_with_one_key_acts_once() -> None:
    control = FakeControl()
    async with serve(control) as served, served.client() as client:
        headers = {"Idempotency-Key": "k1"}
        answers = []

        async def submit() -> None:
            answers.append((await client.post("/v1/jobs", json=BODY, headers=headers)).json())

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(submit)
        other = await client.post("/v1/jobs", json=BODY | {"price_cap": 8}, headers=headers)
    assert answers == [{"id": JOB}] * 3
    assert len(control.submitted) == 1
    assert other.json()["error"]["code"] == "idempotency_conflict"


async def test_a_failure_is_not_kept_under_its_key() -> None:
    control = FakeControl(refusal=ControlError("pool_full", "later", 409))
    headers = {"Idempotency-Key": "k2"}
    async with serve(control) as served, served.client() as client:
        first = await client.post("/v1/stake", json={"amount": 1}, headers=headers)
        control.refusal = None
        second = await client.post("/v1/stake", json={"amount": 1}, headers=headers)
    assert (first.status_code, second.status_code) == (409, 202)
