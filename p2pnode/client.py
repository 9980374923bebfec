"""Clients for a running node: one that blocks, and one for trio or asyncio, with the same names.

Both raise the errors of `p2pnode.calls`; money is integer millionths, identifiers hexadecimal text.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import anyio
import httpx

from p2pnode.calls import (
    BadContent,
    Call,
    ClientError,
    Endpoint,
    JobFailed,
    NodeUnreachable,
    Record,
    Refused,
    TimedOut,
    accepted,
    arguments,
    content_bytes,
    decoded,
    ended,
    find_endpoint,
    handing_in,
    output_of,
    pause,
    payment,
    quotation,
    read_spec,
    submission,
    total_size,
    translated,
    upload,
    without_content,
)
from p2pnode.job_file import Content, JobSpec

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "BadContent",
    "Client",
    "ClientError",
    "Endpoint",
    "Job",
    "JobFailed",
    "NodeUnreachable",
    "Refused",
    "TimedOut",
    "connect",
    "find_endpoint",
]


Progress = Callable[[Record], None]
"""Called with the job's record each time it was asked for."""


def connect(
    address: str | None = None, token: str | None = None, data_dir: Path | None = None
) -> "AsyncClient":
    """Make a client for `async with`, by default for the node of the default data folder.

    Raises:
        NodeUnreachable: Nothing says where a node is.
    """
    if address is not None and token is not None:
        return AsyncClient(address, token)
    environment = dict(os.environ) if token is None else {**os.environ, "P2PNODE_TOKEN": token}
    endpoint = find_endpoint(address, data_dir, environment)
    return AsyncClient(endpoint.address, endpoint.token)


@dataclass(frozen=True, slots=True)
class Job:
    """A job that was submitted."""

    id: str
    client: "Client"

    def record(self) -> Record:
        """Ask for the job with its receipt so far."""
        return self.client.job(self.id)

    def wait(
        self, timeout_seconds: float | None = None, progress: Progress | None = None
    ) -> Record:
        """Wait for the end, as `Client.wait`."""
        return self.client.wait(self.id, timeout_seconds, progress)

    def result(self, timeout_seconds: float | None = None) -> bytes:
        """Wait for the end and fetch the output."""
        self.wait(timeout_seconds)
        return self.client.result(self.id)


class Client:
    """Asks a node and blocks until it answers; for scripts and notebooks."""

    def __init__(self, address: str, token: str) -> None:
        self._endpoint = Endpoint(address, token)
        self._http = httpx.Client(trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def status(self) -> Record:
        """Where the node and its network stand."""
        return self._record(Call("GET", "/v1/status"))

    def peers(self) -> list[Record]:
        """The connected peers."""
        return self._records(Call("GET", "/v1/peers"))

    def devices(self) -> list[Record]:
        """The devices that the node found."""
        return self._records(Call("GET", "/v1/devices"))

    def jobs(self, limit: int = 50) -> list[Record]:
        """Newest jobs first."""
        return self._records(Call("GET", f"/v1/jobs?limit={limit}"))

    def job(self, job: str) -> Record:
        """One job with its receipt."""
        return self._record(Call("GET", f"/v1/jobs/{job}"))

    def balance(self, account: str | None = None) -> Record:
        """Balances of an account, or of the node's own."""
        return self._record(Call("GET", f"/v1/accounts/{account or 'me'}"))

    def why(self, identifier: str) -> Record:
        """Recorded reasons about an operation or a job."""
        return self._record(Call("GET", f"/v1/why/{identifier}"))

    def operation(self, identifier: str) -> Record:
        """How far an operation got."""
        return self._record(Call("GET", f"/v1/operations/{identifier}"))

    def transfer(self, recipient: str, amount: int) -> Record:
        """Send credits."""
        body = {"recipient": recipient, "amount": amount}
        return self._record(payment("/v1/transfer", body))

    def stake(self, amount: int) -> Record:
        """Move credits into stake."""
        return self._record(payment("/v1/stake", {"amount": amount}))

    def unstake(self, amount: int) -> Record:
        """Start to unbond stake."""
        return self._record(payment("/v1/unstake", {"amount": amount}))

    def submit_operations(self, signed: Sequence[bytes]) -> list[Record]:
        """Bring operations that any accounts have signed; each is answered for itself."""
        return self._records(handing_in(signed))

    def faucet(self) -> Record:
        """Ask the network's faucet for credits."""
        return self._record(Call("POST", "/v1/faucet"))

    def cancel(self, job: str) -> Record:
        """Withdraw an offer whose bidding is open."""
        return self._record(Call("POST", f"/v1/jobs/{job}/cancel"))

    def claim(self, job: str) -> Record:
        """Say that an accepted output cannot be fetched, while its payouts wait."""
        return self._record(Call("POST", f"/v1/jobs/{job}/claim"))

    def result(self, job: str) -> bytes:
        """The accepted output of a job."""
        return self._send(output_of(job)).content

    def quote(self, job: JobSpec | Path | str) -> Record:
        """What a job would cost; nothing is sent but its terms."""
        return self._record(quotation(without_content(read_spec(job))))

    def upload(self, content: bytes) -> bytes:
        """Put content into the node's store and return its digest."""
        return bytes.fromhex(self._record(upload(content))["digest"])

    def submit(self, job: JobSpec | Path | str, key: str | None = None) -> Job:
        """Upload what the job names and offer it to the network.

        With a key of the caller's, a running node takes the same job no more than once.

        Raises:
            JobFileError: The job file is wrong.
        """
        spec = read_spec(job)
        sizes: dict[Path, int] = {}
        parts = [self._stored(part, sizes) for part in (spec.artefact, *spec.inputs)]
        request = spec.request(parts[0], parts[1:], total_size(spec, sizes))
        return Job(self._record(submission(request, key))["id"], self)

    def wait(
        self, job: str, timeout_seconds: float | None = None, progress: Progress | None = None
    ) -> Record:
        """Wait until a job has ended with an accepted result.

        Raises:
            JobFailed: It ended without one.
            TimedOut: It has not ended in time; it goes on and can be waited for again.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            record = self.job(job)
            if progress is not None:
                progress(record)
            if ended(record):
                return record
            time.sleep(pause(job, deadline))

    def _stored(self, content: Content, sizes: dict[Path, int]) -> bytes:
        if isinstance(content, bytes):
            return content
        read = content_bytes(content)
        sizes[content] = len(read)
        return self.upload(read)

    def _send(self, call: Call) -> httpx.Response:
        try:
            response = self._http.request(**arguments(self._endpoint, call))
        except httpx.HTTPError as error:
            raise translated(error, self._endpoint) from error
        return accepted(response, self._endpoint)

    def _record(self, call: Call) -> Record:
        return dict(decoded(self._send(call), self._endpoint))

    def _records(self, call: Call) -> list[Record]:
        return list(decoded(self._send(call), self._endpoint))


@dataclass(frozen=True, slots=True)
class AsyncJob:
    """A job that was submitted."""

    id: str
    client: "AsyncClient"

    async def record(self) -> Record:
        """Ask for the job with its receipt so far."""
        return await self.client.job(self.id)

    async def wait(
        self, timeout_seconds: float | None = None, progress: Progress | None = None
    ) -> Record:
        """Wait for the end, as `AsyncClient.wait`."""
        return await self.client.wait(self.id, timeout_seconds, progress)

    async def result(self, timeout_seconds: float | None = None) -> bytes:
        """Wait for the end and fetch the output."""
        await self.wait(timeout_seconds)
        return await self.client.result(self.id)


class AsyncClient:
    """Asks a node under trio or asyncio; every method does what `Client`'s of that name does."""

    def __init__(self, address: str, token: str) -> None:
        self._endpoint = Endpoint(address, token)
        self._http = httpx.AsyncClient(trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def status(self) -> Record:
        """Where the node and its network stand."""
        return await self._record(Call("GET", "/v1/status"))

    async def peers(self) -> list[Record]:
        """The connected peers."""
        return await self._records(Call("GET", "/v1/peers"))

    async def devices(self) -> list[Record]:
        """The devices that the node found."""
        return await self._records(Call("GET", "/v1/devices"))

    async def jobs(self, limit: int = 50) -> list[Record]:
        """Newest jobs first."""
        return await self._records(Call("GET", f"/v1/jobs?limit={limit}"))

    async def job(self, job: str) -> Record:
        """One job with its receipt."""
        return await self._record(Call("GET", f"/v1/jobs/{job}"))

    async def balance(self, account: str | None = None) -> Record:
        """Balances of an account, or of the node's own."""
        return await self._record(Call("GET", f"/v1/accounts/{account or 'me'}"))

    async def why(self, identifier: str) -> Record:
        """Recorded reasons about an operation or a job."""
        return await self._record(Call("GET", f"/v1/why/{identifier}"))

    async def operation(self, identifier: str) -> Record:
        """How far an operation got."""
        return await self._record(Call("GET", f"/v1/operations/{identifier}"))

    async def transfer(self, recipient: str, amount: int) -> Record:
        """Send credits."""
        body = {"recipient": recipient, "amount": amount}
        return await self._record(payment("/v1/transfer", body))

    async def stake(self, amount: int) -> Record:
        """Move credits into stake."""
        return await self._record(payment("/v1/stake", {"amount": amount}))

    async def unstake(self, amount: int) -> Record:
        """Start to unbond stake."""
        return await self._record(payment("/v1/unstake", {"amount": amount}))

    async def submit_operations(self, signed: Sequence[bytes]) -> list[Record]:
        """Bring operations that any accounts have signed; each is answered for itself."""
        return await self._records(handing_in(signed))

    async def faucet(self) -> Record:
        """Ask the network's faucet for credits."""
        return await self._record(Call("POST", "/v1/faucet"))

    async def cancel(self, job: str) -> Record:
        """Withdraw an offer whose bidding is open."""
        return await self._record(Call("POST", f"/v1/jobs/{job}/cancel"))

    async def claim(self, job: str) -> Record:
        """Say that an accepted output cannot be fetched, while its payouts wait."""
        return await self._record(Call("POST", f"/v1/jobs/{job}/claim"))

    async def result(self, job: str) -> bytes:
        """The accepted output of a job."""
        return (await self._send(output_of(job))).content

    async def quote(self, job: JobSpec | Path | str) -> Record:
        """What a job would cost; nothing is sent but its terms."""
        return await self._record(quotation(without_content(read_spec(job))))

    async def upload(self, content: bytes) -> bytes:
        """Put content into the node's store and return its digest."""
        return bytes.fromhex((await self._record(upload(content)))["digest"])

    async def submit(self, job: JobSpec | Path | str, key: str | None = None) -> AsyncJob:
        """Upload what the job names and offer it to the network."""
        spec = read_spec(job)
        sizes: dict[Path, int] = {}
        parts = [await self._stored(part, sizes) for part in (spec.artefact, *spec.inputs)]
        request = spec.request(parts[0], parts[1:], total_size(spec, sizes))
        return AsyncJob((await self._record(submission(request, key)))["id"], self)

    async def wait(
        self, job: str, timeout_seconds: float | None = None, progress: Progress | None = None
    ) -> Record:
        """Wait until a job has ended with an accepted result."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            record = await self.job(job)
            if progress is not None:
                progress(record)
            if ended(record):
                return record
            await anyio.sleep(pause(job, deadline))

    async def _stored(self, content: Content, sizes: dict[Path, int]) -> bytes:
        if isinstance(content, bytes):
            return content
        read = await anyio.to_thread.run_sync(content_bytes, content)
        sizes[content] = len(read)
        return await self.upload(read)

    async def _send(self, call: Call) -> httpx.Response:
        try:
            response = await self._http.request(**arguments(self._endpoint, call))
        except httpx.HTTPError as error:
            raise translated(error, self._endpoint) from error
        return accepted(response, self._endpoint)

    async def _record(self, call: Call) -> Record:
        return dict(decoded(await self._send(call), self._endpoint))

    async def _records(self, call: Call) -> list[Record]:
        return list(decoded(await self._send(call), self._endpoint))
