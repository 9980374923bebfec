"""The routes: each turns a request into one question to the node and its answer into JSON."""

from typing import Annotated

import trio
from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from p2pnode.api.bodies import DIGITS, AmountBody, JobBody, OperationsBody, TransferBody
from p2pnode.api.repeats import Answer, Repeats
from p2pnode.api.security import CONTENT_PATH
from p2pnode.api.stream import EventStream
from p2pnode.interfaces import Control, ControlError

STREAMS_MAX = 16
"""Readers of the stream of facts at one time."""
UPLOADS_MAX = 4
"""Uploads at one time; more of them wait."""
JOBS_MAX = 1_000

Json = dict[str, object]
Identifier = Annotated[str, Path(pattern=DIGITS)]
Account = Annotated[str, Path(pattern=rf"^me$|{DIGITS}")]
Key = Annotated[str | None, Header(alias="Idempotency-Key")]


def build_router(control: Control, shutdown: trio.Event) -> APIRouter:
    """Build all routes.

    Args:
        control: The node.
        shutdown: Set when the node stops; ends the streams.
    """
    router = APIRouter()
    _add_health(router, control)
    _add_views(router, control)
    _add_jobs(router, control, repeats := Repeats())
    _add_content(router, control)
    _add_money(router, control, repeats)
    _add_events(router, control, shutdown)
    return router


def _add_health(router: APIRouter, control: Control) -> None:
    @router.get("/healthz")
    async def alive() -> Json:
        return {"alive": True}

    @router.get("/readyz")
    async def ready() -> JSONResponse:
        can_finalise = bool(control.status().get("quorum", False))
        return JSONResponse({"ready": can_finalise}, 200 if can_finalise else 503)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> PlainTextResponse:
        lines = []
        for name, value in sorted(control.metrics().items()):
            full = name if name.startswith("p2pnode_") else f"p2pnode_{name}"
            kind = "counter" if name.endswith("_total") else "gauge"
            lines.append(f"# TYPE {full} {kind}\n{full} {value}\n")
        return PlainTextResponse("".join(lines), media_type="text/plain; version=0.0.4")


def _add_views(router: APIRouter, control: Control) -> None:
    @router.get("/v1/status")
    async def status() -> Json:
        return dict(control.status())

    @router.get("/v1/peers")
    async def peers() -> list[Json]:
        return [dict(peer) for peer in control.peers()]

    @router.get("/v1/devices")
    async def devices() -> list[Json]:
        return [dict(device) for device in control.devices()]

    @router.get("/v1/accounts/{account}")
    async def account(account: Account) -> Json:
        return dict(control.account(None if account == "me" else bytes.fromhex(account)))

    @router.get("/v1/operations/{identifier}")
    async def operation(identifier: Identifier) -> Json:
        return dict(control.operation(bytes.fromhex(identifier)))

    @router.get("/v1/why/{identifier}")
    async def why(identifier: Identifier) -> Json:
        return dict(control.why(bytes.fromhex(identifier)))


def _add_jobs(router: APIRouter, control: Control, repeats: Repeats) -> None:
    @router.get("/v1/jobs")
    async def jobs(limit: Annotated[int, Query(ge=1, le=JOBS_MAX)] = 50) -> list[Json]:
        return [dict(job) for job in control.jobs(limit)]

    @router.post("/v1/jobs", status_code=201)
    async def submit(body: JobBody, key: Key = None) -> Answer:
        async def act() -> Answer:
            return {"id": (await control.submit(body.request())).hex()}

        return await repeats.once(key, ("submit", body), act)

    @router.get("/v1/jobs/{identifier}")
    async def job(identifier: Identifier) -> Json:
        return dict(control.job(bytes.fromhex(identifier)))

    @router.get("/v1/jobs/{identifier}/result", response_class=Response)
    async def result(identifier: Identifier) -> Response:
        output = await control.result(bytes.fromhex(identifier))
        return Response(output, media_type="application/octet-stream")

    @router.post("/v1/jobs/{identifier}/cancel", status_code=202)
    async def cancel(identifier: Identifier) -> Answer:
        return {"operation": (await control.cancel(bytes.fromhex(identifier))).hex()}

    @router.post("/v1/jobs/{identifier}/claim", status_code=202)
    async def claim(identifier: Identifier) -> Answer:
        return {"operation": (await control.claim(bytes.fromhex(identifier))).hex()}

    @router.post("/v1/quote")
    async def quote(body: JobBody) -> Json:
        return dict(control.quote(body.request()))


def _add_content(router: APIRouter, control: Control) -> None:
    uploads = trio.CapacityLimiter(UPLOADS_MAX)

    @router.post(CONTENT_PATH, status_code=201)
    async def store(request: Request) -> Json:
        async with uploads:
            digest, size_bytes = await control.store(request.stream())
        return {"digest": digest.hex(), "size_bytes": size_bytes}


def _add_money(router: APIRouter, control: Control, repeats: Repeats) -> None:
    @router.post("/v1/transfer", status_code=202)
    async def transfer(body: TransferBody, key: Key = None) -> Answer:
        async def act() -> Answer:
            recipient = bytes.fromhex(body.recipient)
            return {"operation": (await control.transfer(recipient, body.amount)).hex()}

        return await repeats.once(key, ("transfer", body), act)

    @router.post("/v1/stake", status_code=202)
    async def stake(body: AmountBody, key: Key = None) -> Answer:
        async def act() -> Answer:
            return {"operation": (await control.stake(body.amount)).hex()}

        return await repeats.once(key, ("stake", body), act)

    @router.post("/v1/unstake", status_code=202)
    async def unstake(body: AmountBody, key: Key = None) -> Answer:
        async def act() -> Answer:
            return {"operation": (await control.unstake(body.amount)).hex()}

        return await repeats.once(key, ("unstake", body), act)

    @router.post("/v1/operations", status_code=202)
    async def operations(body: OperationsBody) -> list[Json]:
        signed = [bytes.fromhex(one) for one in body.operations]
        return [dict(answer) for answer in await control.submit_operations(signed)]

    @router.post("/v1/faucet", status_code=202)
    async def faucet() -> Json:
        return dict(await control.ask_faucet())


def _add_events(router: APIRouter, control: Control, shutdown: trio.Event) -> None:
    streams = trio.CapacityLimiter(STREAMS_MAX)

    @router.get("/v1/events", response_class=Response)
    async def events() -> EventStream:
        if streams.available_tokens == 0:
            raise ControlError("too_many_streams", "too many readers of events: close one", 503)
        return EventStream(control.facts(), shutdown, streams)
