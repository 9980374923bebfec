"""Runs on other machines: a Dask cluster behind the executor interface of the standard library.

Dask is an optional extra. Its workers import this program, so all of them need the same version.
"""

import importlib
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import p2pnode
from p2pnode.lab.results import MissingExtra
from p2pnode.lab.simulation.library import ScenarioError

CONNECT_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Cluster:
    """Machines that take runs.

    Attributes:
        executor: Hands runs to them.
        slots: How many they play at the same time.
    """

    executor: Executor
    slots: int


@contextmanager
def joined(address: str) -> Iterator[Cluster]:
    """Lend the workers of a scheduler for a time; what they still play at its end is given up.

    Args:
        address: Of the scheduler, such as `tcp://10.0.0.1:8786`.

    Raises:
        MissingExtra: Dask is not installed.
        ScenarioError: Nobody answers, there are no workers, or one has another version.
    """
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise MissingExtra("a cluster needs dask: pip install 'p2pnode[dask]'") from error
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ScenarioError(f"no scheduler at {address}: {error}") from error
    with client:
        slots = sum(client.ncores().values())
        _check_versions(address, client.run(version) if slots else {})
        executor = client.get_executor(pure=False)
        try:
            yield Cluster(executor, slots)
        finally:
            executor.shutdown(wait=False)


def version() -> str:
    """Say which version a worker has."""
    return p2pnode.__version__


def _check_versions(address: str, versions: dict[str, Any]) -> None:
    if not versions:
        raise ScenarioError(f"the scheduler at {address} has no workers: start some")
    for worker, found in versions.items():
        if found != p2pnode.__version__:
            raise ScenarioError(
                f"the worker at {worker} has version {found} and not {p2pnode.__version__}"
            )
