"""What a local network consists of, in a state file that commands from any terminal read."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from p2pnode.lab.processes import Life, ProcessId, life_of, parse_process

STATE_NAME = "testnet.json"
STATE_VERSION = 2


class LabError(Exception):
    """A command about a local network cannot be done; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Member:
    """One node of a local network."""

    node: int
    """Its number in this network, from 0."""
    account: str
    peer_id: str
    address: str
    """Where others dial it."""
    api: str
    data_dir: Path
    liar: bool
    namespace: str = ""
    """The network namespace of its process; empty for this machine's own."""
    process: ProcessId | None = None
    """The last process that was started for it."""

    @property
    def life(self) -> Life:
        """What its process does."""
        return life_of(self.process)

    @property
    def log(self) -> Path:
        """What its process wrote."""
        return self.data_dir.with_name(f"{self.data_dir.name}.log")


@dataclass(frozen=True, slots=True)
class LabNetwork:
    """A local network, running or not."""

    folder: Path
    network: str
    """Digest of its genesis."""
    temporary: bool
    """Removed after its end, since nobody named a folder for it."""
    members: tuple[Member, ...]
    owner: ProcessId | None = None
    """The command that runs it in the foreground; without it nobody else may live."""
    colluding: bool = False

    def member(self, node: int) -> Member:
        """The member of a number.

        Raises:
            LabError: There is none.
        """
        if not 0 <= node < len(self.members):
            raise LabError(f"there is no node {node}: they are 0 to {len(self.members) - 1}")
        return self.members[node]

    @property
    def is_running(self) -> bool:
        """Whether any process of it lives."""
        lives = [life_of(self.owner), *(member.life for member in self.members)]
        return any(life is not Life.GONE for life in lives)


def default_folder(environment: Mapping[str, str]) -> Path:
    """Where a network lies for which no folder was named."""
    stated = Path(environment.get("XDG_DATA_HOME", ""))
    base = stated if stated.is_absolute() else Path.home() / ".local" / "share"
    return base / "p2pnode" / "testnet"


def load(folder: Path) -> LabNetwork:
    """Read the state of the network in a folder.

    Raises:
        LabError: There is none, or the file is damaged.
    """
    path = folder / STATE_NAME
    try:
        document = json.loads(path.read_text())
        if document["version"] != STATE_VERSION:
            raise LabError(f"{path} is of another version: remove {folder}")
        return LabNetwork(
            folder=folder,
            network=document["network"],
            temporary=document["temporary"],
            members=tuple(_member(row) for row in document["members"]),
            owner=_process(document["owner"]),
            colluding=document["colluding"],
        )
    except FileNotFoundError:
        text = f"no local network in {folder}: start one with `p2pnode testnet up`"
        raise LabError(text) from None
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(f"{path} is damaged ({error}): remove {folder}") from error


def save(testnet: LabNetwork) -> None:
    """Replace the state file."""
    document = {
        "version": STATE_VERSION,
        "network": testnet.network,
        "temporary": testnet.temporary,
        "owner": str(testnet.owner) if testnet.owner else None,
        "colluding": testnet.colluding,
        "members": [_row(member) for member in testnet.members],
    }
    path = testnet.folder / STATE_NAME
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(document, indent=2))
    temporary.replace(path)


def with_process(testnet: LabNetwork, node: int, process: ProcessId) -> LabNetwork:
    """The network with another process for one of its nodes."""
    members = tuple(
        replace(member, process=process) if member.node == node else member
        for member in testnet.members
    )
    return replace(testnet, members=members)


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Keep the state to oneself while reading and writing it; commands run side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _row(member: Member) -> dict[str, Any]:
    return {
        "node": member.node,
        "account": member.account,
        "peer_id": member.peer_id,
        "address": member.address,
        "api": member.api,
        "data_dir": str(member.data_dir),
        "liar": member.liar,
        "namespace": member.namespace,
        "process": str(member.process) if member.process else None,
    }


def _member(row: Mapping[str, Any]) -> Member:
    return Member(
        node=row["node"],
        account=row["account"],
        peer_id=row["peer_id"],
        address=row["address"],
        api=row["api"],
        data_dir=Path(row["data_dir"]),
        liar=row["liar"],
        namespace=row["namespace"],
        process=_process(row["process"]),
    )


def _process(text: str | None) -> ProcessId | None:
    return parse_process(text) if text else None
