import pytest

from p2pnode.lab.real.evidence import store_trouble


@pytest.mark.parametrize(
    ("agree", "audited", "difference", "first_bad", "told"),
    [
        (True, True, None, None, ""),
        (False, True, "at commit 3", None, "at commit 3"),
        (True, False, None, "block ab", "block ab"),
        (None, None, "node 2 has no whole ledger", None, "node 2 has no whole ledger"),
        (None, True, None, None, "the stores were not compared"),
    ],
)
def test_stores_that_do_not_agree_or_are_not_whole_are_named(
    agree, audited, difference, first_bad, told
):
    names = ("agree", "audited", "difference", "first_bad")
    stores = dict(zip(names, (agree, audited, difference, first_bad), strict=True))
    assert store_trouble(stores) == told
