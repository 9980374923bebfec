import io
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx
import pytest
import structlog
import trio

from p2pnode.api.security import Limits
from p2pnode.api.server import (
    GRACE_SECONDS,
    STREAMS_END_SECONDS,
    ApiSettings,
    ApiUnavailable,
    serve_api,
)
from p2pnode.api.stream import FAREWELL_SECONDS, HEARTBEAT_SECONDS
from p2pnode.interfaces import ControlError
from p2pnode.logs import configure_logs
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
)

IDLE_SECONDS = 5.0
"""How long the server's library keeps a connection that asks nothing."""


@contextmanager
def captured_logs(stream: io.StringIO) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    configure_logs("json", "error", stream)
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()


async def test_the_views_of_the_node_are_served_as_json() -> None:
    control = FakeControl()
    async with serve(control) as served, served.client() as client:
        assert (await client.get("/v1/status")).json() == control.status()
        assert (await client.get("/v1/peers")).json() == control.peers()
        assert (await client.get("/v1/devices")).json() == control.devices()
        assert (await client.get("/v1/accounts/me")).json()["account"] == OWN
        assert (await client.get(f"/v1/accounts/{PEER}")).json()["account"] == PEER
        assert (await client.get(f"/v1/operations/{OPERATION}")).json()["state"] == "final"
        assert (await client.get(f"/v1/why/{JOB}")).json()["id"] == JOB
        assert (await client.get("/v1/jobs")).json() == [{"id": JOB, "state": "settled"}]
        assert (await client.get(f"/v1/jobs/{JOB}")).json() == job_record()


async def test_a_result_comes_as_the_bytes_it_is() -> None:
    async with serve(FakeControl(output=b"\0\xff")) as served, served.client() as client:
        response = await client.get(f"/v1/jobs/{JOB}/result")
    assert response.content == b"\0\xff"
    assert response.headers["content-type"] == "application/octet-stream"


async def test_readiness_follows_the_quorum_and_health_does_not() -> None:
    async with serve(FakeControl(quorum=False)) as served, served.client(token=None) as client:
        assert (await client.get("/healthz")).status_code == 200
        ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"ready": False})


async def test_metrics_are_prometheus_text() -> None:
    async with serve(FakeControl()) as served, served.client() as client:
        text = (await client.get("/metrics")).text
    assert text == (
        "# TYPE p2pnode_connected_peers gauge\np2pnode_connected_peers 3\n"
        "# TYPE p2pnode_gossip_refused_total counter\np2pnode_gossip_refused_total 7.0\n"
    )


async def test_the_interface_describes_itself() -> None:
    async with serve(FakeControl()) as served, served.client() as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    assert {"/v1/jobs", "/v1/events", "/v1/artefacts", "/v1/faucet"} <= set(paths)


async def test_a_refusal_of_the_node_keeps_its_code_and_status() -> None:
    async with serve(FakeControl()) as served, served.client() as client:
        response = await client.get(f"/v1/jobs/{OTHER_JOB}")
    assert response.status_code == 404
    assert response.json() == {
        "error": {"code": "unknown_job", "message": "no such job is known", "detail": None}
    }


async def test_what_nobody_foresaw_is_answered_in_the_same_form_without_its_detail() -> None:
    log = io.StringIO()
    with captured_logs(log):
        async with serve(FakeControl(broken=True)) as served, served.client() as client:
            response = await client.get("/v1/status")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal"
    assert "secret" not in response.text
    records = [json.loads(line) for line in log.getvalue().splitlines()]
    ours = [record for record in records if record["event"] == "request failed"]
    assert [(record["path"], record["level"]) for record in ours] == [("/v1/status", "error")]
    assert "secret detail" in json.dumps(ours[0]["exception"])


async def test_every_error_has_the_one_form() -> None:
    cases = [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("DELETE", "/v1/jobs", 405, "method_not_allowed"),
        ("GET", "/v1/jobs/xyz", 422, "invalid_request"),
        ("GET", "/v1/jobs?limit=0", 422, "invalid_request"),
        ("POST", "/v1/stake", 422, "invalid_request"),
    ]
    async with serve(FakeControl()) as served, served.client() as client:
        for method, path, status, code in cases:
            response = await client.request(method, path)
            assert response.status_code == status
            assert response.json()["error"]["code"] == code
            assert set(response.json()["error"]) == {"code", "message", "detail"}


async def test_a_body_with_an_unknown_field_or_a_float_is_refused_with_its_place() -> None:
    control = FakeControl()
    async with serve(control) as served, served.client() as client:
        unknown = await client.post("/v1/stake", json={"amount": 1, "amonut": 2})
        inexact = await client.post("/v1/stake", json={"amount": 1.5})
    assert unknown.json()["error"]["detail"][0]["place"] == "body.amonut"
    assert inexact.json()["error"]["detail"][0]["place"] == "body.amount"
    assert control.moved == []


async def test_money_moves_in_integer_millionths() -> None:
    control = FakeControl()
    async with serve(control) as served, served.client() as client:
        sent = await client.post("/v1/transfer", json={"recipient": PEER, "amount": 3})
        await client.post("/v1/stake", json={"amount": 4})
        await client.post("/v1/unstake", json={"amount": 5})
        await client.post(f"/v1/jobs/{JOB}/cancel")
        await client.post(f"/v1/jobs/{JOB}/claim")
        faucet = await client.post("/v1/faucet")
    assert (sent.status_code, sent.json()) == (202, {"operation": OPERATION})
    assert faucet.json()["amount"] == 100_000_000
    assert control.moved == [
        ("transfer", PEER, 3),
        ("stake", "", 4),
        ("unstake", "", 5),
        ("cancel", JOB, 0),
        ("claim", JOB, 0),
    ]


async def test_signed_operations_are_answered_one_by_one() -> None:
    async with serve(FakeControl()) as served, served.client() as client:
        sent = await client.post("/v1/operations", json={"operations": ["01", "00", "02"]})
        empty = await client.post("/v1/operations", json={"operations": []})
        odd = await client.post("/v1/operations", json={"operations": ["012"]})
    assert sent.status_code == 202
    assert [sorted(answer) for answer in sent.json()] == [["operation"], ["error"], ["operation"]]
    assert [empty.json()["error"]["code"], odd.json()["error"]["code"]] == ["invalid_request"] * 2


async def test_a_refused_payment_reaches_the_caller_with_the_reason() -> None:
    control = FakeControl(refusal=ControlError("insufficient_funds", "not enough", 409))
    async with serve(control) as served, served.client() as client:
        response = await client.post("/v1/transfer", json={"recipient": PEER, "amount": 3})
    assert response.json()["error"]["code"] == "insufficient_funds"


async def test_an_upload_returns_the_digest() -> None:
    control = FakeControl()
    async with serve(control) as served, served.client() as client:
        response = await client.post("/v1/artefacts", content=b"x" * 300_000)
    assert response.json() == {"digest": (300_000).to_bytes(32, "big").hex(), "size_bytes": 300_000}
    assert control.stored == [b"x" * 300_000]


async def test_an_upload_over_the_limit_is_refused_with_or_without_a_stated_length() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * 500

    control = FakeControl()
    async with serve(control, Limits(content_bytes=1_000)) as served, served.client() as client:
        stated = await client.post("/v1/artefacts", content=b"x" * 1_001)
        streamed = await client.post("/v1/artefacts", content=chunks())
        fits = await client.post("/v1/artefacts", content=b"x" * 1_000)
    assert (stated.status_code, streamed.status_code, fits.status_code) == (413, 413, 201)
    assert streamed.json()["error"]["code"] == "body_too_large"
    assert len(control.stored) == 1


async def test_a_json_body_over_the_limit_is_refused() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b'{"amount": 1'
        yield b" " * 200
        yield b"}"

    async with serve(FakeControl(), Limits(json_bytes=100)) as served, served.client() as client:
        response = await client.post("/v1/stake", content=chunks())
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "body_too_large"


async def test_a_taken_address_is_our_own_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ApiSettings("127.0.0.1", taken.getsockname()[1], TOKEN)
        with pytest.raises(ApiUnavailable, match="choose another --api"):
            await serve_api(FakeControl(), settings, trio.Event())


async def test_settings_never_show_the_token() -> None:
    assert TOKEN not in repr(ApiSettings("127.0.0.1", 0, TOKEN))


async def test_serving_stops_within_a_second_with_idle_clients_and_open_streams() -> None:
    assert STREAMS_END_SECONDS + FAREWELL_SECONDS + GRACE_SECONDS < 1
    control = FakeControl()
    async with serve(control) as served, served.client() as client:
        await client.get("/healthz")
        async with client.stream("GET", "/v1/events") as stream:
            lines = stream.aiter_lines()
            while not (line := await anext(lines)).startswith("data: "):
                pass
            assert json.loads(line[6:])["fact"] == "peer_joined"
            served.shutdown.set()
            start = trio.current_time()
            async for line in lines:
                assert not line.startswith("data: ")
        await trio.sleep(0.3)
        with pytest.raises(httpx.ConnectError):
            await client.get("/healthz")
    # Not measured against the second itself, which a busy machine takes for less.
    assert trio.current_time() - start < IDLE_SECONDS < HEARTBEAT_SECONDS
    assert (control.readers, control.readers_seen) == (0, 1)


async def test_a_reader_that_leaves_ends_its_stream() -> None:
    control = FakeControl()
    async with serve(control) as served, served.client() as client:
        async with client.stream("GET", "/v1/events") as stream:
            await anext(stream.aiter_lines())
            assert control.readers == 1
        with trio.fail_after(HEARTBEAT_SECONDS / 2):
            while control.readers:  # noqa: ASYNC110  the fake tells no event
                await trio.sleep(0.01)


async def test_serving_can_be_cancelled() -> None:
    control = FakeControl()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            settings = ApiSettings("127.0.0.1", 0, TOKEN)
            await nursery.start(serve_api, control, settings, trio.Event())
            nursery.cancel_scope.cancel()
