"""Serves the interface inside the node's own nursery, and stops it in the right order.

The streams end first, then the server stops accepting and waits shortly for what is under way.
Stopping by cancellation works too, but cuts off requests that are being answered.
"""

import logging
import socket
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import structlog
import trio
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from hypercorn.config import Config
from hypercorn.trio import serve
from starlette.exceptions import HTTPException

from p2pnode import __version__
from p2pnode.api.routes import build_router
from p2pnode.api.security import Gate, Limits, error_body
from p2pnode.interfaces import Control, ControlError

GRACE_SECONDS = 0.7
"""How long a request under way may take after the node began to stop."""
STREAMS_END_SECONDS = 0.05
"""Head start of the streams, whose connections would otherwise count as requests under way."""

_logger = structlog.get_logger("p2pnode.api")


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Where to serve and who may ask."""

    host: str
    """An address or a name of this machine; loopback unless the operator chose otherwise."""
    port: int
    """0 lets the system choose."""
    token: str = field(repr=False)
    """What every request must carry; at least 16 characters."""
    limits: Limits = field(default_factory=Limits)


class Starting(Protocol):
    """What a nursery hands to a task that it starts and waits for."""

    def started(self, value: str) -> None:
        """Say that the task is ready, with its address."""


class ApiUnavailable(Exception):  # noqa: N818  named for what happened
    """The interface cannot be served at the chosen address; the message says why."""


async def serve_api(
    control: Control,
    settings: ApiSettings,
    shutdown: trio.Event,
    *,
    task_status: Starting = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until the event is set, reporting the bound `HOST:PORT` when ready.

    Raises:
        ApiUnavailable: The address is taken or not of this machine.
    """
    listener = await _bind(settings.host, settings.port)
    host, port = listener.getsockname()[:2]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = GRACE_SECONDS
    config.include_server_header = False
    config.errorlog = logging.getLogger("hypercorn.error")

    async def after_streams() -> None:
        await shutdown.wait()
        await trio.sleep(STREAMS_END_SECONDS)

    app = build_app(control, settings, shutdown)
    async with trio.open_nursery() as nursery:
        # The two libraries spell an application's type differently.
        run = partial(serve, app, config, shutdown_trigger=after_streams)  # type: ignore[arg-type]
        await nursery.start(run)
        task_status.started(address)


def build_app(control: Control, settings: ApiSettings, shutdown: trio.Event) -> FastAPI:
    """Build the application: gate, routes and one form for all errors."""
    app = FastAPI(
        title="p2pnode",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.add_middleware(Gate, token=settings.token, host=settings.host, limits=settings.limits)
    app.include_router(build_router(control, shutdown))

    @app.exception_handler(ControlError)
    async def refused(request: Request, error: ControlError) -> JSONResponse:
        return JSONResponse(error_body(error.code, error.message), error.status)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        detail = [
            {"place": ".".join(map(str, item["loc"])), "problem": item["msg"]}
            for item in error.errors()
        ]
        first = f"{detail[0]['place']}: {detail[0]['problem']}" if detail else "unreadable"
        return JSONResponse(error_body("invalid_request", first, detail), 422)

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> JSONResponse:
        codes = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
        code = codes.get(error.status_code, "bad_request")
        return JSONResponse(error_body(code, str(error.detail)), error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        _logger.error("request failed", path=request.url.path, exc_info=error)
        message = "the node failed to answer: see its log"
        return JSONResponse(error_body("internal", message), 500)

    return app


async def _bind(host: str, port: int) -> socket.socket:
    """Bind here, so that a wrong address is our error and not one deep inside the server."""
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ApiUnavailable(f"{host}:{port}: {error.strerror}: choose another --api") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise ApiUnavailable(f"{host}:{port}: {error.strerror}: choose another --api") from error
    return listener
