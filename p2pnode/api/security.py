"""The gate in front of every route: who asks, under which name, and how much they send.

Browsers are the danger on a loopback address: a page of any site can send requests to it. So a
request must carry the token, which no page knows, and must be addressed to a name that no foreign
name server can point here. Nothing is ever allowed across origins.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import cast

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FREE_PATHS = ("/healthz", "/readyz")
"""Answered without a token, for supervisors; they tell nothing but yes or no."""
CONTENT_PATH = "/v1/artefacts"
"""The one route that takes large bodies."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may send."""

    json_bytes: int = 256 * 1024
    """A job with 64 inputs takes 6 KiB."""
    content_bytes: int = 256 * 2**20
    """An artefact or an input, which is written to the disk as it arrives."""


def error_body(code: str, message: str, detail: object = None) -> dict[str, object]:
    """Build the one form that every error has."""
    return {"error": {"code": code, "message": message, "detail": detail}}


class Gate:
    """Lets a request through to the application, or answers it."""

    def __init__(self, app: ASGIApp, token: str, host: str, limits: Limits) -> None:
        if len(token) < 16:
            raise ValueError("the token must have at least 16 characters")
        self._app = app
        self._credentials = f"Bearer {token}".encode()
        self._names = frozenset({"localhost", host.lower()})
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope as ASGI has it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, _limited(receive, self._limit(scope["path"])), send)
        else:
            await refusal(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = _headers(scope)
        if headers is None:
            return _answer(400, "bad_request", "a header that must stand once is repeated")
        if not self._is_own_name(headers.get(b"host", b"")):
            return _answer(
                403, "bad_host", "this host name is not the node's: use its address or localhost"
            )
        given = headers.get(b"authorization", b"")
        if scope["path"] not in FREE_PATHS and not hmac.compare_digest(given, self._credentials):
            message = "the token is missing or wrong: send the content of the file api-token"
            return _answer(401, "unauthorized", message, {"www-authenticate": "Bearer"})
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._limit(scope["path"]):
            limit = self._limit(scope["path"])
            return _answer(413, "body_too_large", f"the body is larger than {limit} bytes")
        return None

    def _limit(self, path: str) -> int:
        return self._limits.content_bytes if path == CONTENT_PATH else self._limits.json_bytes

    def _is_own_name(self, header: bytes) -> bool:
        """Accept addresses, which no name server can rebind, and the names that are ours."""
        name = header.decode("latin-1").lower()
        if name.startswith("["):
            name = name[1:].partition("]")[0]
        elif ":" in name:
            name = name.rpartition(":")[0]
        if name in self._names:
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True


def _headers(scope: Scope) -> Mapping[bytes, bytes] | None:
    once = {b"host", b"authorization", b"content-length"}
    found: dict[bytes, bytes] = {}
    for name, value in cast("list[tuple[bytes, bytes]]", scope["headers"]):
        if name in once and name in found:
            return None
        found[name] = value
    return found


def _answer(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(error_body(code, message), status, headers)


def _limited(receive: Receive, limit: int) -> Receive:
    """Count what arrives, for bodies that do not say their length."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(413, f"the body is larger than {limit} bytes")
        return message

    return limited
