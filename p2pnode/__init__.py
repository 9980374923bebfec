"""The node: turns the world (network, disk, processes, people) into events and effects."""

import importlib
from pathlib import Path
from typing import Any

__version__ = "0.1.0"


def connect(
    address: str | None = None, token: str | None = None, data_dir: Path | None = None
) -> Any:  # noqa: ANN401  naming the type would make every module depend on the client
    """Make a client of a running node for `async with`: a `p2pnode.client.AsyncClient`."""
    return importlib.import_module("p2pnode.client").connect(address, token, data_dir)
