"""Marks tests that make network namespaces, which takes root and tools."""

import functools

import pytest

from p2pnode.lab.real.namespaces import TUN_DEVICE, why_impossible
from tests.support.tools import NEEDS


def needs_namespaces() -> pytest.MarkDecorator:
    """Mark a test that runs only where namespaces with nodes in them can be made."""
    missing = _missing()
    return pytest.mark.skipif(missing is not None, reason=str(missing))


@functools.cache
def _missing() -> str | None:
    missing = why_impossible()
    if missing is None and not TUN_DEVICE.exists():
        return f"{NEEDS}{TUN_DEVICE}"
    return missing
