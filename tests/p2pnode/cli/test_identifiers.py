import pytest

from p2pnode.cli.endings import BadInput
from p2pnode.cli.identifiers import resolve, whole

FIRST, SECOND = "abcdef0011" + "0" * 54, "abcdef0022" + "0" * 54


def test_a_unique_beginning_is_completed_and_the_whole_asks_nobody() -> None:
    assert resolve("ABCDEF0011", lambda: [FIRST, SECOND, FIRST], "job") == FIRST
    assert resolve(SECOND.upper(), lambda: pytest.fail("asked"), "job") == SECOND


@pytest.mark.parametrize("text", ["abcdef0", "abcdefgh", FIRST + "0", "", "12345678 "])
def test_what_is_no_identifier_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is no job"):
        resolve(text, lambda: [FIRST], "job")


def test_a_beginning_of_several_or_of_none_is_refused() -> None:
    with pytest.raises(BadInput, match="2 jobs begin with abcdef00"):
        resolve("abcdef00", lambda: [FIRST, SECOND], "job")
    with pytest.raises(BadInput, match="no listed job"):
        resolve("00000000", lambda: [FIRST, SECOND], "job")


def test_some_identifiers_must_be_whole() -> None:
    assert whole(FIRST.upper(), "account") == FIRST
    with pytest.raises(BadInput, match="write all of its 64"):
        whole("abcdef00", "account")
