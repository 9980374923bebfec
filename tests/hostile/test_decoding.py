import pytest

from tests.hostile import decoding
from tests.hostile.decoding import FoundError, Target


def test_spoiled_bytes_are_answered_by_every_decoder() -> None:
    counts = decoding.run(6_000, seed=7)
    assert sum(count.accepted + count.rejected for count in counts.values()) == 6_000
    for name, count in counts.items():
        assert count.rejected > 10, f"{name} was hardly tried"
    for name in ("outcome", "tensors", "model"):
        assert counts[name].accepted > 0, f"nothing got past the first checks of {name}"


def test_an_exception_that_is_no_rejection_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target("broken", (b"\x01\x02",), lambda raw: 1 // (raw[0] - 1), (ValueError,))
    monkeypatch.setattr(decoding, "targets", lambda: iter([target]))
    with pytest.raises(FoundError, match="broken raised"):
        decoding.run(100, seed=1)
