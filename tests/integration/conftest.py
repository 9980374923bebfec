"""One network of five real nodes for all tests here, and no longer; each test finds it whole."""

from collections.abc import Iterator

import pytest

from tests.integration.local_network import LocalNetwork, running_network


@pytest.fixture(scope="package")
def _started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalNetwork]:
    with running_network(tmp_path_factory.mktemp("network") / "net", 5) as network:
        yield network


@pytest.fixture
def five(_started: LocalNetwork) -> LocalNetwork:
    _started.make_whole()
    return _started
