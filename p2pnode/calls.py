"""What programs can ask a node over HTTP, as plain values, and how its answers are read.

Shared by the synchronous and the asynchronous client, which differ only in how they wait. Nothing
here sends anything.
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from p2pnode.interfaces import JobRequest
from p2pnode.job_file import Content, JobSpec, read_job_file
from p2pnode.settings import (
    API_ADDRESS_NAME,
    API_TOKEN_NAME,
    SettingsError,
    default_data_dir,
    split_address,
)

CONTENT_BYTES_MAX = 256 * 2**20
"""What a node takes in one upload; checked before a byte is sent."""
TIMEOUT_SECONDS = 30.0
RESULT_TIMEOUT_SECONDS = 120.0
"""A node may first have to fetch a result from its executors."""
POLL_SECONDS = 0.25
"""A round takes at least this long, so asking more often shows nothing new."""
UNKNOWN_DIGEST = bytes(32)
"""Stands for content that is not uploaded when only the price of a job is asked."""
ENDED_STATES = frozenset({"settled", "inconclusive", "refunded"})
"""States that nothing follows."""
ACCEPTED_STATE = "settled"
"""The one end in which something was accepted, be it that the run does not finish."""
FINISHED = "finished"
"""The one accepted outcome with an output."""

Record = dict[str, Any]
"""A JSON object as the node's documentation of the interface describes it."""


class ClientError(Exception):
    """Something between a program and its node went wrong; the text says what and what to do."""


class NodeUnreachable(ClientError):  # noqa: N818  named for what happened
    """No node answered at the address; nothing is known about whether a request was acted on."""


class TimedOut(ClientError):  # noqa: N818  as above
    """An answer or the end of a job did not come in time."""


class BadContent(ClientError):  # noqa: N818  as above
    """An artefact or input cannot be read or is too large."""


class Refused(ClientError):  # noqa: N818  as above
    """The node understood the request and refused it.

    Attributes:
        code: Reason code in lower case, the protocol's own where the protocol refused.
        message: The reason, for people.
        status: HTTP status.
        detail: More about it, where there is more.
    """

    def __init__(self, code: str, message: str, status: int, detail: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.detail = detail


class JobFailed(ClientError):  # noqa: N818  as above
    """A job ended without a result; what was not earned is refunded.

    Attributes:
        record: The job with its receipt.
    """

    def __init__(self, record: Record) -> None:
        state = record.get("state")
        how = "without a result" if state == ACCEPTED_STATE else str(state)
        super().__init__(f"job {record.get('id')} ended {how}: {_reason(record)}")
        self.record = record


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a node serves programs, and the token that it expects."""

    address: str
    token: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    method: str
    path: str
    json: object = None
    content: bytes | None = None
    key: str | None = None
    """Makes a repeated request act once."""
    timeout_seconds: float = TIMEOUT_SECONDS


def find_endpoint(
    address: str | None, data_dir: Path | None, environment: Mapping[str, str]
) -> Endpoint:
    """Find the node to talk to: what was said, then the environment, then the data folder's files.

    Raises:
        NodeUnreachable: Nothing says where a node is, or its token cannot be read.
        SettingsError: The address is not HOST:PORT.
    """
    named = environment.get("P2PNODE_DATA_DIR")
    folder = data_dir or (Path(named).expanduser() if named else default_data_dir(environment))
    chosen = address or (None if data_dir else environment.get("P2PNODE_API"))
    token = environment.get("P2PNODE_TOKEN") or _file_text(folder / API_TOKEN_NAME)
    found = chosen or _file_text(folder / API_ADDRESS_NAME)
    if found is None:
        raise NodeUnreachable(
            f"no node runs in {folder}: start one with `p2pnode --data-dir {folder}`, "
            "or name another with --data-dir or --api"
        )
    if token is None:
        raise NodeUnreachable(
            f"no token in {folder / API_TOKEN_NAME}: name the node's folder with --data-dir, "
            "or set P2PNODE_TOKEN"
        )
    try:
        split_address(found)
    except ValueError as error:
        raise SettingsError(f"--api: {error}") from error
    return Endpoint(found, token)


def submission(request: JobRequest, key: str | None = None) -> Call:
    """Ask to offer a job, once even if sent again after a lost answer or, with a key, a crash."""
    return Call("POST", "/v1/jobs", json=_job_body(request), key=key or uuid.uuid4().hex)


def quotation(request: JobRequest) -> Call:
    """Ask what a job would cost."""
    return Call("POST", "/v1/quote", json=_job_body(request))


def payment(path: str, body: Record) -> Call:
    """Ask to move credits, once even if sent again after a lost answer."""
    return Call("POST", path, json=body, key=uuid.uuid4().hex)


def handing_in(signed: Sequence[bytes]) -> Call:
    """Bring signed operations; a repeated one is known by its identifier."""
    return Call("POST", "/v1/operations", json={"operations": [one.hex() for one in signed]})


def upload(content: bytes) -> Call:
    """Put content into the node's store."""
    return Call("POST", "/v1/artefacts", content=content, timeout_seconds=RESULT_TIMEOUT_SECONDS)


def output_of(job: str) -> Call:
    """Ask for the accepted output of a job."""
    return Call("GET", f"/v1/jobs/{job}/result", timeout_seconds=RESULT_TIMEOUT_SECONDS)


def read_spec(job: JobSpec | Path | str) -> JobSpec:
    """Take a job as it is, or read the file that a path names.

    Raises:
        JobFileError: The file is wrong.
    """
    return job if isinstance(job, JobSpec) else read_job_file(Path(job))


def content_bytes(content: Path) -> bytes:
    """Read a file to upload.

    Raises:
        BadContent: It cannot be read or is larger than a node takes.
    """
    try:
        with content.open("rb") as file:
            found = file.read(CONTENT_BYTES_MAX + 1)
    except OSError as error:
        raise BadContent(f"{content}: {error.strerror or 'cannot be read'}") from error
    if len(found) > CONTENT_BYTES_MAX:
        limit = CONTENT_BYTES_MAX // 2**20
        raise BadContent(f"{content} is larger than the {limit} MiB that a node takes: split it")
    return found


def total_size(spec: JobSpec, sizes: Mapping[Path, int]) -> int:
    """Add up the content; 0, which leaves it to the node, where a digest hides a size."""
    parts: tuple[Content, ...] = (spec.artefact, *spec.inputs)
    paths = [part for part in parts if isinstance(part, Path)]
    return sum(sizes[path] for path in paths) if len(paths) == len(parts) else 0


def arguments(endpoint: Endpoint, call: Call) -> Record:
    """Spell a call as httpx takes it."""
    headers = {"Authorization": f"Bearer {endpoint.token}"}
    if call.key is not None:
        headers["Idempotency-Key"] = call.key
    return {
        "method": call.method,
        "url": f"http://{endpoint.address}{call.path}",
        "json": call.json,
        "content": call.content,
        "headers": headers,
        "timeout": httpx.Timeout(call.timeout_seconds, connect=5.0),
    }


def translated(error: httpx.HTTPError, endpoint: Endpoint) -> ClientError:
    """Name the failure of a transport in our own words."""
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return TimedOut(f"the node at {endpoint.address} did not answer in time: try again")
    return NodeUnreachable(
        f"cannot reach a node at {endpoint.address}: check that it runs, or name another "
        "with --data-dir or --api"
    )


def accepted(response: httpx.Response, endpoint: Endpoint) -> httpx.Response:
    """Let an answer through.

    Raises:
        Refused: The node refused the request.
        NodeUnreachable: What answered is no node, or the token is not the node's.
    """
    if response.status_code < 400:
        return response
    error = _error(response)
    if error is None:
        raise NodeUnreachable(f"what answers at {endpoint.address} is not a node: check --api")
    code = str(error.get("code"))
    message = str(error.get("message"))
    if response.status_code == 401:
        message = (
            f"the node at {endpoint.address} does not accept this token: name the folder of "
            "that node with --data-dir, or set P2PNODE_TOKEN"
        )
    raise Refused(code, message, response.status_code, error.get("detail"))


def decoded(response: httpx.Response, endpoint: Endpoint) -> Any:  # noqa: ANN401  any JSON
    """Read JSON.

    Raises:
        NodeUnreachable: What answered is no node.
    """
    try:
        return response.json()
    except ValueError as error:
        message = f"what answers at {endpoint.address} is not a node: check --api"
        raise NodeUnreachable(message) from error


def ended(record: Record) -> bool:
    """Say whether a job is over.

    Raises:
        JobFailed: It is, without an accepted result, or the accepted one is that the run does
            not finish.
    """
    state = record.get("state")
    if state not in ENDED_STATES:
        return False
    if state != ACCEPTED_STATE or record.get("outcome") != FINISHED:
        raise JobFailed(record)
    return True


def without_content(spec: JobSpec) -> JobRequest:
    """Complete a job for a question about its price, which does not depend on the content."""
    parts = [
        part if isinstance(part, bytes) else UNKNOWN_DIGEST
        for part in (spec.artefact, *spec.inputs)
    ]
    return spec.request(parts[0], parts[1:])


def pause(job: str, deadline: float | None) -> float:
    """Say how many seconds to wait before asking again.

    Args:
        job: For the message.
        deadline: On the monotonic clock; None waits for ever.

    Raises:
        TimedOut: The deadline has passed.
    """
    if deadline is None:
        return POLL_SECONDS
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimedOut(f"job {job} has not ended yet: look again with `p2pnode job {job}`")
    return min(POLL_SECONDS, left)


def _job_body(request: JobRequest) -> Record:
    body = asdict(request)
    body["artefact"] = request.artefact.hex()
    body["inputs"] = [digest.hex() for digest in request.inputs]
    return body


def _error(response: httpx.Response) -> Record | None:
    try:
        body = response.json()
    except ValueError:
        return None
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else None


def _reason(record: Record) -> str:
    return str(record.get("reason") or "no result was accepted; unearned credits are refunded")


def _file_text(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except (OSError, UnicodeDecodeError):
        return None
