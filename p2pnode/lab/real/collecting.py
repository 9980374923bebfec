"""Follows facts and counters of every node, through crashes and pauses, while a run lasts."""

import json

import httpx
import trio

from p2pnode.calls import ClientError
from p2pnode.lab.readiness import endpoint_of, read_metrics
from p2pnode.lab.real.watch import Watch
from p2pnode.lab.testnet import Member

RETRY_SECONDS = 0.1
CONNECT_SECONDS = 2.0
SAMPLE_SECONDS = 2.0
MARK = "data: "


async def collect(member: Member, watch: Watch) -> None:
    """Follow one node for ever; what it reports while nobody is connected is lost, and noted."""
    # A paused node says nothing for as long as it likes, so only connecting has a deadline.
    timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
    async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:
        while True:
            try:
                await _follow(client, member, watch)
            except (ClientError, httpx.HTTPError):
                await trio.sleep(RETRY_SECONDS)


async def sample(member: Member, watch: Watch) -> None:
    """Ask one node for its counters again and again, for ever."""
    async with httpx.AsyncClient(timeout=SAMPLE_SECONDS, trust_env=False) as client:
        while True:
            try:
                endpoint = endpoint_of(member)
                headers = {"Authorization": f"Bearer {endpoint.token}"}
                answer = await client.get(f"http://{endpoint.address}/metrics", headers=headers)
                watch.sample(member.node, read_metrics(answer.text))
            except (ClientError, httpx.HTTPError):
                pass  # a gap in the samples says that the node did not answer
            await trio.sleep(SAMPLE_SECONDS)


async def _follow(client: httpx.AsyncClient, member: Member, watch: Watch) -> None:
    endpoint = endpoint_of(member)
    headers = {"Authorization": f"Bearer {endpoint.token}"}
    url = f"http://{endpoint.address}/v1/events"
    async with client.stream("GET", url, headers=headers) as response:
        response.raise_for_status()
        watch.stream(member.node, is_open=True)
        try:
            await _read(response, member.node, watch)
        finally:
            watch.stream(member.node, is_open=False)


async def _read(response: httpx.Response, node: int, watch: Watch) -> None:
    async for line in response.aiter_lines():
        if line.startswith(MARK):
            watch.fact(node, json.loads(line.removeprefix(MARK)))
