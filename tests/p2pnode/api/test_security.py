import pytest

from p2pnode.api.security import Gate, Limits
from tests.p2pnode.fake_node import TOKEN, FakeControl, serve


@pytest.mark.parametrize("token", [None, "wrong", TOKEN + "0", TOKEN[:-1]])
async def test_nothing_but_health_is_told_without_the_token(token: str | None) -> None:
    async with serve(FakeControl()) as served, served.client(token=token) as client:
        for path in ("/v1/status", "/metrics", "/openapi.json", "/nothing"):
            response = await client.get(path)
            assert response.status_code == 401
            assert response.json()["error"]["code"] == "unauthorized"
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200


async def test_a_request_under_a_foreign_name_is_refused_even_with_the_token() -> None:
    async with serve(FakeControl()) as served, served.client() as client:
        for name in ("evil.example", "evil.example:80", "localhost.evil.example", ""):
            response = await client.get("/v1/status", headers={"Host": name})
            health = await client.get("/healthz", headers={"Host": name})
            assert (response.status_code, health.status_code) == (403, 403)
            assert response.json()["error"]["code"] == "bad_host"


async def test_addresses_and_localhost_are_own_names() -> None:
    async with serve(FakeControl()) as served, served.client() as client:
        for name in ("localhost:1", "LOCALHOST", "127.0.0.1", "[::1]:80", "10.0.0.7"):
            response = await client.get("/v1/status", headers={"Host": name})
            assert response.status_code == 200


async def test_nothing_is_allowed_across_origins() -> None:
    headers = {"Origin": "http://evil.example"}
    async with serve(FakeControl()) as served, served.client(headers=headers) as client:
        response = await client.get("/v1/status")
        preflight = await client.options("/v1/status")
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert preflight.status_code == 405


async def test_a_repeated_credential_is_refused() -> None:
    async with serve(FakeControl()) as served, served.client(token=None) as client:
        twice = [("Authorization", "Bearer other"), ("Authorization", f"Bearer {TOKEN}")]
        response = await client.request("GET", "/v1/status", headers=twice)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "bad_request"


def test_a_short_token_is_a_mistake_of_ours() -> None:
    async def nothing(scope: object, receive: object, send: object) -> None:
        raise AssertionError

    with pytest.raises(ValueError, match="at least 16"):
        Gate(nothing, "short", "127.0.0.1", Limits())
