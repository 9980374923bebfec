"""The job file: what a person writes down about a job, read and checked before anything is sent.

Values keep their exact decimals, and every complaint names the line and what to write instead.
Whether a network accepts the terms is judged by the node, not here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from p2pnode.interfaces import JobRequest
from p2pnode.kinds import known
from p2pnode.money import MoneyError, parse_credits
from p2pnode.toml_text import TomlError, TomlText, nearest, parse_toml, read_toml
from protocol.job.stepped import steps_of

DEVICES = ("any", "cpu", "cuda")
RESULT_CLASSES = ("exact", "class-exact")
INPUTS_MAX = 64
"""The most inputs that an offer can name."""
REPLICAS_MAX = 64
RETENTION_SECONDS_MAX = 24 * 3_600
SANDBOX_LEVEL_MAX = 4
PARTS_KEY = "map"
"""Begins the parts of an array of jobs; see `p2pnode.map_file`."""
DIGEST_PREFIX = "blake2b:"
DIGEST_BYTES = 32
MILLION = 1_000_000

Content = Path | bytes
"""A file to upload, or the 32-byte digest of content that the node has or can fetch."""


class JobFileError(ValueError):
    """A job file is wrong; the message names file and line and what to change."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job as written down; content still lies in files."""

    kind: str
    artefact: Content
    inputs: tuple[Content, ...] = ()
    device: str = "any"
    time_limit_ms: int = 60_000
    memory_limit_bytes: int = 256 * 2**20
    output_limit_bytes: int = 1024 * 2**10
    fuel_limit: int = 10_000_000_000
    """Instructions of a `wasm` artefact; the default lasts for some seconds."""
    result_class: str = "exact"
    tolerated_error_ppm: int = 20_000
    replicas: int = 3
    replicas_max: int = 5
    price_cap: int = MILLION
    """Millionths of a credit per second."""
    budget: int = 0
    """Millionths of a credit; 0 asks for the smallest budget that the terms allow."""
    bid_window_rounds: int = 0
    """0 asks for the network's shortest window."""
    deadline_ms: int = 300_000
    speed_target_ms: int = 0
    """0 for no bonus for speed."""
    sandbox_level: int = 0
    """Lowest level that a bid may name."""
    retention_ms: int = 60_000
    """Ledger time for which the output stays available and payouts wait; 0 for neither."""

    def request(
        self, artefact: bytes, inputs: Sequence[bytes] = (), size_bytes: int = 0
    ) -> JobRequest:
        """Complete the description with the digests of its content.

        Args:
            artefact: Digest of the artefact.
            inputs: Digests of the inputs, in order.
            size_bytes: Artefact and inputs together; 0 where content was named by digest only.
        """
        return JobRequest(
            kind=self.kind,
            artefact=artefact,
            inputs=tuple(inputs),
            size_bytes=size_bytes,
            device=self.device,
            time_limit_ms=self.time_limit_ms,
            memory_limit_bytes=self.memory_limit_bytes,
            output_limit_bytes=self.output_limit_bytes,
            fuel_limit=self.fuel_limit,
            result_class=self.result_class,
            tolerated_error_ppm=self.tolerated_error_ppm,
            replicas=self.replicas,
            replicas_max=self.replicas_max,
            price_cap=self.price_cap,
            budget=self.budget,
            bid_window_rounds=self.bid_window_rounds,
            deadline_ms=self.deadline_ms,
            speed_target_ms=self.speed_target_ms,
            sandbox_level=self.sandbox_level,
            retention_ms=self.retention_ms,
        )


@dataclass(frozen=True, slots=True)
class Field:
    """Where a key's value goes, and how it is read."""

    target: str
    """Field of `JobSpec`."""
    read: Callable[[object], object]
    """Raises ValueError with a sentence about what is expected."""


def read_job_file(path: Path) -> JobSpec:
    """Read a job file; paths inside it are relative to its folder.

    Raises:
        JobFileError: The file, one of its values or a file that it names is wrong.
    """
    try:
        return build_spec(read_toml(path), path.parent)
    except TomlError as error:
        raise JobFileError(str(error)) from error


def parse_job(text: str, folder: Path, name: str = "job file") -> JobSpec:
    """Read the text of a job file whose paths are relative to a folder.

    Raises:
        JobFileError: As for `read_job_file`.
    """
    try:
        return build_spec(parse_toml(text, name), folder)
    except TomlError as error:
        raise JobFileError(str(error)) from error


def build_spec(document: TomlText, folder: Path) -> JobSpec:
    """Make a job of a file's values.

    Raises:
        JobFileError: As for `read_job_file`.
    """
    if PARTS_KEY in document.values:
        raise JobFileError(
            f"{document.place(PARTS_KEY)}: this file describes an array of jobs: "
            "offer it with `p2pnode map`"
        )
    top, tables = _schema(folder)
    found = _read_table(document, (), document.values, top, tuple(tables))
    for name, checks in tables.items():
        table = document.values.get(name, {})
        if not isinstance(table, Mapping):
            raise JobFileError(f"{document.place(name)}: {name!r} is a table: write [{name}]")
        found |= _read_table(document, (name,), table, checks, ())
    for key in ("kind", "artefact"):
        if key not in found:
            raise JobFileError(f"{document.name}: {key!r} is missing: it has no default")
    spec = JobSpec(**found)  # type: ignore[arg-type]  # the schema maps each field to its reader
    if "replicas_max" not in found and spec.replicas > spec.replicas_max:
        found["replicas_max"] = spec.replicas
    elif spec.replicas > spec.replicas_max:
        raise JobFileError(
            f"{document.place('trust', 'replicas_max')}: 'replicas_max' ({spec.replicas_max}) "
            f"is below 'replicas' ({spec.replicas})"
        )
    return JobSpec(**found)  # type: ignore[arg-type]  # as above


def _schema(folder: Path) -> tuple[dict[str, Field], dict[str, dict[str, Field]]]:
    top = {
        "kind": Field("kind", _one_of(known())),
        "artefact": Field("artefact", lambda value: _content(value, folder)),
        "inputs": Field("inputs", lambda value: _contents(value, folder)),
        "device": Field("device", _one_of(DEVICES)),
        "bid_window_rounds": Field("bid_window_rounds", _whole(0, 10_000)),
        "deadline_s": Field("deadline_ms", _scaled(1_000, "seconds")),
        "speed_target_s": Field("speed_target_ms", _scaled(1_000, "seconds")),
        "retention_s": Field("retention_ms", _whole_seconds),
    }
    tables = {
        "limits": {
            "seconds": Field("time_limit_ms", _scaled(1_000, "seconds")),
            "memory_mib": Field("memory_limit_bytes", _scaled(2**20, "MiB")),
            "output_kib": Field("output_limit_bytes", _scaled(2**10, "KiB")),
            "fuel": Field("fuel_limit", _whole(1, 2**62)),
        },
        "result": {"class": Field("result_class", _result_class)},
        "trust": {
            "tolerated_error": Field("tolerated_error_ppm", _share_ppm),
            "replicas": Field("replicas", _whole(1, REPLICAS_MAX)),
            "replicas_max": Field("replicas_max", _whole(1, REPLICAS_MAX)),
            "sandbox_level": Field("sandbox_level", _whole(0, SANDBOX_LEVEL_MAX)),
        },
        "price": {
            "per_second_max": Field("price_cap", _credits),
            "budget": Field("budget", _credits),
        },
    }
    return top, tables


def _read_table(
    document: TomlText,
    path: tuple[str, ...],
    table: Mapping[str, object],
    fields: Mapping[str, Field],
    tables: tuple[str, ...],
) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in table.items():
        place = document.place(*path, key)
        if key in tables:
            continue
        if key not in fields:
            where = f" in [{path[0]}]" if path else ""
            hint = nearest(key, (*fields, *tables))
            raise JobFileError(f"{place}: unknown key {key!r}{where}: {hint}")
        try:
            found[fields[key].target] = fields[key].read(value)
        except ValueError as error:
            raise JobFileError(f"{place}: {key!r}: {error}") from error
    return found


def _one_of(known: tuple[str, ...]) -> Callable[[object], object]:
    def read(value: object) -> str:
        if value not in known:
            raise ValueError(f"{value!r} is not one of {', '.join(known)}")
        return str(value)

    return read


def _result_class(value: object) -> str:
    if steps_of(str(value)) is None and value not in RESULT_CLASSES:
        known = ", ".join(RESULT_CLASSES)
        raise ValueError(f"{value!r} is not one of {known}, or 'stepped/' and a number of steps")
    return str(value)


def _whole(lowest: int, highest: int) -> Callable[[object], object]:
    def read(value: object) -> int:
        if type(value) is not int or not lowest <= value <= highest:
            raise ValueError(f"expected a whole number from {lowest} to {highest}")
        return value

    return read


def _scaled(factor: int, unit: str) -> Callable[[object], object]:
    def read(value: object) -> int:
        number = _decimal(value)
        if number is None or not 0 < number <= 2**40 or (number * factor) % 1:
            raise ValueError(f"expected a number of {unit} above 0, such as 30 or 0.5")
        return int(number * factor)

    return read


def _share_ppm(value: object) -> int:
    number = _decimal(value)
    if number is None or not 0 < number <= Decimal("0.5") or (number * MILLION) % 1:
        raise ValueError("expected a probability from 0.000001 to 0.5, such as '0.01'")
    return int(number * MILLION)


def _whole_seconds(value: object) -> int:
    if type(value) is not int or not 0 <= value <= RETENTION_SECONDS_MAX:
        raise ValueError(f"expected whole seconds from 0 to {RETENTION_SECONDS_MAX}")
    return value * 1_000


def _credits(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("expected an amount of credits, such as '0.25'")
    try:
        amount = parse_credits(value)
    except MoneyError as error:
        raise ValueError(str(error)) from error
    if amount == 0:
        raise ValueError("expected an amount above 0")
    return amount


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        number = Decimal(value)
    except ArithmeticError:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 30 else None


def _content(value: object, folder: Path) -> Content:
    if not isinstance(value, str) or not value:
        raise ValueError("expected a path or 'blake2b:' with 64 hexadecimal digits")
    if value.startswith(DIGEST_PREFIX):
        return _digest(value.removeprefix(DIGEST_PREFIX))
    path = folder / Path(value).expanduser()
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_BYTES:
        raise ValueError("'blake2b:' must be followed by 64 hexadecimal digits")
    return digest


def _contents(value: object, folder: Path) -> tuple[Content, ...]:
    if not isinstance(value, list) or len(value) > INPUTS_MAX:
        raise ValueError(f"expected a list of at most {INPUTS_MAX} paths or digests")
    return tuple(_content(item, folder) for item in value)
