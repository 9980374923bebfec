"""What one operator chooses: defaults, then a TOML file, then the environment, then flags.

Read and checked once, as a whole, before anything starts; frozen afterwards. What all nodes of a
network must share is no setting: it is part of the network's genesis.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from p2pnode.money import parse_credits
from p2pnode.policy_file import PolicyFile, read_policy
from p2pnode.toml_text import TomlError, nearest, read_toml

PREFIX = "P2PNODE_"
"""Begins the name of every environment variable that is read here."""
CONFIG_NAME = "config.toml"
"""Read from the data folder when no file is named."""
API_ADDRESS_NAME = "api-address"
"""File in the data folder with the `HOST:PORT` that the running node serves."""
API_TOKEN_NAME = "api-token"  # noqa: S105  the name of a file
"""File in the data folder with the token, readable by its owner only."""
CLIENT_VARIABLES = ("P2PNODE_TOKEN",)
"""Read by the commands that talk to a node, not by the node."""
ROLES = ("worker", "validator", "requester", "checker")
STARTS = ("snapshot", "genesis")
LOG_FORMATS = ("console", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")
PARALLEL_MAX = 64
STORE_GIB_MAX = 1_000_000
KEEP_EPOCHS_MAX = 1_000_000
KEEP_HOURS_MAX = 1_000_000
ENTRIES_MAX = 1_000
"""The most values of a repeated setting."""

_DEVICE = re.compile(r"auto|cpu|cuda:[0-9]{1,3}(:[0-9]{1,2})?")


class SettingsError(ValueError):
    """A setting is wrong; the message says where it was written and what to change."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One operator's choices, checked."""

    data_dir: Path
    """Holds the key, the configuration, the ledger, content and the address file."""
    bootstrap: tuple[str, ...] = ()
    """Multiaddresses ending in `/p2p/<peer id>` of nodes to know first."""
    listen: tuple[str, ...] = ("/ip4/0.0.0.0/tcp/0",)
    """Multiaddresses to listen on; port 0 lets the system choose."""
    network: str = ""
    """Hash of a network or path of its genesis file; empty for the one in the data folder."""
    api_host: str = "127.0.0.1"
    api_port: int = 0
    """0 lets the system choose; the address file in the data folder says which."""
    roles: tuple[str, ...] = ROLES
    devices: tuple[str, ...] = ("auto",)
    """`auto`, or any of `cpu`, `cuda:N` and, for a MIG slice, `cuda:N:M`."""
    log_format: str = "console"
    log_level: str = "info"
    price: int = 1_000
    """Asked for a second of work, in millionths of a credit."""
    parallel: int = 1
    """Jobs run at the same time."""
    artefact_store_gib: int = 20
    """Gibibytes that artefacts, inputs and outputs may take."""
    output_keep_hours: int = 168
    """How long an output stays after it was made, while there is room; then it is removed."""
    keep_epochs: int | None = None
    """Epochs of history that stay before the newest snapshot; None keeps all."""
    keep_chain: int | None = None
    """Certificates of epochs that stay before the newest snapshot; None keeps all."""
    checkpoint: tuple[int, bytes] | None = None
    """Epoch and boundary digest of an end that the operator trusts; None trusts genesis alone."""
    start_from: str = "snapshot"
    """How a fresh folder comes to the newest state: `snapshot`, or `genesis` by all blocks."""
    unsafe_run_anything: bool = False
    """Run artefacts of strangers even where the sandbox does not suffice for them."""
    allowed_artefacts: tuple[bytes, ...] = ()
    """Digests of the only artefacts that may run here; when empty, the sandbox decides."""
    denied_artefacts: tuple[bytes, ...] = ()
    """Digests of artefacts that never run here."""
    policy: PolicyFile = field(default_factory=PolicyFile)
    """Whose work is taken and on which terms, as the operator's policy file says."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How one setting is read, wherever it is written."""

    field: str
    """Field of `Settings`; `api` is the one that fills two."""
    read: Callable[[object], object]
    """Raises ValueError with what is expected."""


def load_settings(flags: Mapping[str, object], environment: Mapping[str, str]) -> Settings:
    """Merge all sources.

    Args:
        flags: Values of the command line by the name of the setting; None where not given.
        environment: The process's environment.

    Raises:
        SettingsError: A value is wrong, a key is unknown, or the file cannot be read.
    """
    from_environment = _environment(environment)
    given = {key: value for key, value in flags.items() if value is not None}
    chosen = _config_path(given, from_environment)
    data_dir = _data_dir(given, from_environment)
    config = chosen or (data_dir or default_data_dir(environment)) / CONFIG_NAME
    found: dict[str, object] = {"data_dir": data_dir or default_data_dir(environment)}
    if chosen is not None or config.is_file():
        found |= _file(config)
    for key, value in from_environment.items():
        found |= _read(key, value, f"environment variable {PREFIX}{key.upper()}")
    for key, choice in given.items():
        found |= _read(key, choice, f"--{key.replace('_', '-')}")
    return Settings(**found)  # type: ignore[arg-type]  # the table maps each field to its reader


def default_data_dir(environment: Mapping[str, str]) -> Path:
    """The folder of a node that was told no other, as the XDG base directories have it."""
    home = environment.get("XDG_DATA_HOME", "")
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "share"
    return base / "p2pnode" / "default"


def split_address(text: object) -> tuple[str, int]:
    """Take `HOST:PORT` apart, with square brackets around an IPv6 host.

    Raises:
        ValueError: The text is no such pair.
    """
    host, colon, port = str(text).rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:8080")
    return host, int(port)


def read_checkpoint(value: object) -> tuple[int, bytes]:
    """Take `EPOCH:HASH` apart: an epoch, and the digest of how it ended.

    Raises:
        ValueError: The text is no such pair.
    """
    found = re.fullmatch("([0-9]{1,15}):([0-9a-fA-F]{64})", str(value))
    if found is None:
        raise ValueError(
            f"{value!r} is not EPOCH:HASH, such as `p2pnode status` of a node that you trust "
            "shows as checkpoint"
        )
    return int(found[1]), bytes.fromhex(found[2])


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in CLIENT_VARIABLES:
            continue
        key = name.removeprefix(PREFIX).lower()
        if key not in SETTINGS and key != "config":
            hint = nearest(name, [*(PREFIX + key.upper() for key in SETTINGS), f"{PREFIX}CONFIG"])
            raise SettingsError(f"unknown environment variable {name}: {hint}")
        found[key] = value
    return found


def _config_path(given: dict[str, object], environment: dict[str, str]) -> Path | None:
    by_flag, by_variable = given.pop("config", None), environment.pop("config", None)
    chosen = by_flag or by_variable
    return Path(str(chosen)).expanduser() if chosen else None


def _data_dir(given: Mapping[str, object], environment: Mapping[str, str]) -> Path | None:
    chosen = given.get("data_dir") or environment.get("data_dir")
    return Path(str(chosen)).expanduser() if chosen else None


def _file(path: Path) -> dict[str, object]:
    try:
        document = read_toml(path)
    except TomlError as error:
        raise SettingsError(str(error)) from error
    found: dict[str, object] = {}
    for key, value in document.values.items():
        if key not in SETTINGS:
            hint = nearest(key, SETTINGS)
            raise SettingsError(f"{document.place(key)}: unknown key {key!r}: {hint}")
        found |= _read(key, value, f"{document.place(key)}: {key!r}")
    return found


def _read(key: str, value: object, place: str) -> dict[str, object]:
    if key not in SETTINGS:
        raise SettingsError(f"unknown setting {key!r}: {nearest(key, SETTINGS)}")
    setting = SETTINGS[key]
    try:
        read = setting.read(value)
    except ValueError as error:
        raise SettingsError(f"{place}: {error}") from error
    if setting.field == "api" and isinstance(read, tuple):
        return {"api_host": read[0], "api_port": read[1]}
    return {setting.field: read}


def _texts(value: object) -> tuple[str, ...]:
    """Take a list from TOML or flags, or a text with commas from the environment."""
    if isinstance(value, str):
        value = [part for part in value.replace(",", " ").split() if part]
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError("expected texts")
    parts = tuple(part for item in value for part in str(item).replace(",", " ").split())
    if len(parts) > ENTRIES_MAX:
        raise ValueError(f"more than {ENTRIES_MAX} values")
    return parts


def _multiaddresses(value: object) -> tuple[str, ...]:
    addresses = _texts(value)
    for address in addresses:
        if not address.startswith("/"):
            raise ValueError(f"{address!r} is no multiaddress such as /ip4/192.0.2.1/tcp/4001")
    return addresses


def _bootstrap(value: object) -> tuple[str, ...]:
    addresses = _multiaddresses(value)
    for address in addresses:
        if "/p2p/" not in address:
            raise ValueError(f"{address!r} does not end in /p2p/ and the peer id: add it")
    return addresses


def _roles(value: object) -> tuple[str, ...]:
    roles = _texts(value)
    for role in roles:
        if role not in ROLES:
            raise ValueError(f"unknown role {role!r}: {nearest(role, ROLES)}")
    if not roles:
        raise ValueError(f"name at least one of {', '.join(ROLES)}")
    return tuple(role for role in ROLES if role in roles)


def _devices(value: object) -> tuple[str, ...]:
    devices = tuple(dict.fromkeys(_texts(value)))
    for device in devices:
        if _DEVICE.fullmatch(device) is None:
            raise ValueError(f"{device!r} is not auto, cpu, cuda:N or cuda:N:M")
    if not devices or ("auto" in devices and len(devices) > 1):
        raise ValueError("write auto alone, or any of cpu and cuda:N")
    return devices


def _digests(value: object) -> tuple[bytes, ...]:
    digests = []
    for text in _texts(value):
        digits = text.removeprefix("blake2b:")
        if re.fullmatch("[0-9a-fA-F]{64}", digits) is None:
            raise ValueError(f"{text!r} is not a digest: write its 64 hexadecimal digits")
        digests.append(bytes.fromhex(digits))
    return tuple(dict.fromkeys(digests))


def _choice(known: tuple[str, ...]) -> Callable[[object], object]:
    def read(value: object) -> str:
        if value not in known:
            raise ValueError(f"{value!r} is not one of {', '.join(known)}")
        return str(value)

    return read


def _switch(value: object) -> bool:
    switches = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    switch = switches.get(str(value).lower())
    if switch is None:
        raise ValueError("expected true or false")
    return switch


def _count(most: int) -> Callable[[object], object]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not str(value).isascii() or not str(value).isdigit():
            raise ValueError("expected a whole number")
        count = int(str(value))
        if not 1 <= count <= most:
            raise ValueError(f"expected 1 to {most}")
        return count

    return read


def _epochs(value: object) -> int | None:
    if value == "all":
        return None
    digits = str(value)
    is_number = not isinstance(value, bool) and digits.isascii() and digits.isdigit()
    if not is_number or int(digits) > KEEP_EPOCHS_MAX:
        raise ValueError(f"expected all, or a number of epochs from 0 to {KEEP_EPOCHS_MAX}")
    return int(digits)


def _price(value: object) -> int:
    price = parse_credits(str(value))
    if price < 1:
        raise ValueError("a price is more than nothing")
    return price


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a text")
    return value


def _policy(value: object) -> PolicyFile:
    return read_policy(_path(value))


def _path(value: object) -> Path:
    if not isinstance(value, str | os.PathLike) or not str(value):
        raise ValueError("expected a path")
    return Path(value).expanduser()


SETTINGS: Mapping[str, Setting] = {
    "allow_artefact": Setting("allowed_artefacts", _digests),
    "api": Setting("api", split_address),
    "artefact_store_gib": Setting("artefact_store_gib", _count(STORE_GIB_MAX)),
    "bootstrap": Setting("bootstrap", _bootstrap),
    "checkpoint": Setting("checkpoint", read_checkpoint),
    "data_dir": Setting("data_dir", _path),
    "deny_artefact": Setting("denied_artefacts", _digests),
    "device": Setting("devices", _devices),
    "keep": Setting("keep_epochs", _epochs),
    "keep_chain": Setting("keep_chain", _epochs),
    "listen": Setting("listen", _multiaddresses),
    "log_format": Setting("log_format", _choice(LOG_FORMATS)),
    "log_level": Setting("log_level", _choice(LOG_LEVELS)),
    "network": Setting("network", _text),
    "output_keep_hours": Setting("output_keep_hours", _count(KEEP_HOURS_MAX)),
    "parallel": Setting("parallel", _count(PARALLEL_MAX)),
    "policy": Setting("policy", _policy),
    "price": Setting("price", _price),
    "role": Setting("roles", _roles),
    "start_from": Setting("start_from", _choice(STARTS)),
    "unsafe_run_anything": Setting("unsafe_run_anything", _switch),
}
"""Every setting, by the name that files use; flags write dashes, the environment a prefix."""
