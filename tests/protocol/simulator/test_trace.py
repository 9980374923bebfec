from protocol import effects as fx
from protocol import events as ev
from protocol.simulator.trace import Trace
from protocol.units import AccountId


def digest(*entries: tuple[int, int, ev.Event]) -> str:
    trace = Trace()
    for time, node, event in entries:
        trace.event(time, node, event)
    return trace.digest


def test_time_node_kind_and_content_all_count() -> None:
    peer, other = AccountId(b"p" * 32), AccountId(b"q" * 32)
    digests = {
        digest((1, 0, ev.PeerJoined(peer))),
        digest((2, 0, ev.PeerJoined(peer))),
        digest((1, 1, ev.PeerJoined(peer))),
        digest((1, 0, ev.PeerLeft(peer))),
        digest((1, 0, ev.PeerJoined(other))),
        digest((1, 0, ev.PeerJoined(peer)), (1, 0, ev.Tick())),
    }
    assert len(digests) == 6


def test_equal_runs_have_equal_traces() -> None:
    one, other = Trace(), Trace()
    for trace in (one, other):
        trace.event(1, 0, ev.Tick())
        trace.effect(1, 0, fx.WakeAt(9))
    assert one.digest == other.digest
    assert one.entries == 2


def test_the_order_of_sets_does_not_count() -> None:
    offered = ev.WorkerOffered(frozenset({"a", "b"}), frozenset(), 1, None, 1, 1)
    assert digest((1, 0, offered)) == digest((1, 0, offered))
