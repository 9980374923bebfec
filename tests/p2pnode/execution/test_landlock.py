import pytest

from p2pnode.execution.landlock import ruleset_for


@pytest.mark.parametrize(
    ("version", "files", "network", "scopes", "size_bytes"),
    [
        (1, 13, 0, 0, 8),
        (2, 14, 0, 0, 8),
        (3, 15, 0, 0, 8),
        (4, 15, 0b11, 0, 16),
        (5, 16, 0b11, 0, 16),
        (6, 16, 0b11, 0b11, 24),
        (7, 16, 0b11, 0b11, 24),
        (99, 16, 0b11, 0b11, 24),
    ],
)
def test_all_rights_that_a_version_knows_are_taken_and_no_more(
    version: int, files: int, network: int, scopes: int, size_bytes: int
) -> None:
    rights, size = ruleset_for(version)
    assert (rights.files, rights.network, rights.scopes) == ((1 << files) - 1, network, scopes)
    assert size == size_bytes
