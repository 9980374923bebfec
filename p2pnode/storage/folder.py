"""The data folder of a node: what lies where in it, and whether it is fit to be used."""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from p2pnode.storage.database import JOURNAL_FILE
from p2pnode.storage.disk import PRIVATE_FOLDER, disk_errors, write_durably
from p2pnode.storage.errors import DamagedData, DataFolderExposed, NewerSchema, NotADataFolder

FOLDER_VERSION = 1
_NETWORK_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FOREIGN_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The paths of everything that a node keeps; naming one does not create it."""

    root: Path
    version: Path
    """Format of the folder, as a decimal number."""
    lock: Path
    key: Path
    journal: Path
    artifacts: Path
    arriving: Path
    """Pages of a snapshot that is being fetched; gone once it is here."""
    address_book: Path
    """Peers that were reached before."""
    api_address: Path
    """Where the running node's interface listens."""
    api_token: Path
    """Secret that the interface's callers have to present."""
    genesis: Path
    config: Path


def default_root(network_name: str, environment: Mapping[str, str]) -> Path:
    """Where the data of a network lies unless the operator says otherwise.

    Args:
        network_name: Lower-case letters, digits, dots, dashes and underlines.
        environment: The process's environment variables.

    Raises:
        ValueError: The name could lead out of the folder.

    Source: XDG Base Directory Specification: a relative path in the variable is ignored.
    """
    if not _NETWORK_NAME.fullmatch(network_name):
        raise ValueError(f"not a network name: {network_name!r}")
    stated = Path(environment.get("XDG_DATA_HOME", ""))
    data_home = stated if stated.is_absolute() else Path.home() / ".local" / "share"
    return data_home / "p2pnode" / network_name


def layout(root: Path) -> DataFolder:
    """The paths inside a data folder."""
    return DataFolder(
        root=root,
        version=root / "version",
        lock=root / "lock",
        key=root / "key",
        journal=root / JOURNAL_FILE,
        artifacts=root / "artifacts",
        arriving=root / "arriving",
        address_book=root / "address-book",
        api_address=root / "api-address",
        api_token=root / "api-token",
        genesis=root / "genesis",
        config=root / "config.toml",
    )


def prepare_data_folder(root: Path) -> DataFolder:
    """Creates a data folder, or checks the one that exists.

    Raises:
        NotADataFolder: It holds something else.
        DataFolderExposed: Other users may write into it.
        NewerSchema: A newer program wrote it.
        DamagedData: Its version cannot be read.
        StorageFailed: The disk refused.
    """
    folder = layout(root)
    with disk_errors():
        root.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        if not folder.version.exists():
            _claim(folder)
        if root.stat().st_mode & _FOREIGN_WRITE:
            raise DataFolderExposed(str(root))
        _check_version(folder.version.read_bytes())
    return folder


def _claim(folder: DataFolder) -> None:
    """Makes a folder ours that is empty or holds only what an operator provides beforehand.

    A crash in this function may have left an unfinished version file, too.
    """
    temporary = folder.root / f".version.{os.getpid()}"
    provided = {folder.config, folder.genesis, folder.key}
    others = set(folder.root.iterdir()) - provided
    if any(not path.name.startswith(".version.") for path in others):
        raise NotADataFolder(str(folder.root))
    folder.root.chmod(PRIVATE_FOLDER)
    temporary.unlink(missing_ok=True)
    write_durably(folder.version, str(FOLDER_VERSION).encode(), temporary)


def _check_version(content: bytes) -> None:
    if not content.isdigit():
        raise DamagedData("the data folder's version")
    if int(content) > FOLDER_VERSION:
        raise NewerSchema(int(content), FOLDER_VERSION)
