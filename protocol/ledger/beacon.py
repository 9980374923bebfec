"""The chain of random values that leaders extend, and the draw of leaders from its start.

A committed leader adds the output of its verifiable random function, which has exactly one value
for its slot: a leader may withhold it with its whole block, but cannot choose another.
"""

from protocol.encoding import digest_of
from protocol.units import Digest, Round, Weight

INTEGER_BYTES = 8
"""Width of integers inside digests, big-endian."""


def next_beacon(previous: Digest, output: bytes, leader_round: Round) -> Digest:
    """Extends the beacon by one committed leader.

    Args:
        previous: The beacon before this commit.
        output: The 64-byte output that the leader's proof proves.
        leader_round: The leader's round, so that equal outputs of two slots differ in effect.
    """
    return digest_of(b"beacon", previous, output, leader_round.to_bytes(INTEGER_BYTES, "big"))


def leader_ticket(beacon: Digest, leader_round: Round, total: Weight) -> int:
    """Draws a point in `[0, total)`; the member whose weight covers it leads the round.

    The remainder of 256 random bits is uniform but for one part in 2**200 at any real total.
    """
    drawn = digest_of(b"leader", beacon, leader_round.to_bytes(INTEGER_BYTES, "big"))
    return int.from_bytes(drawn, "big") % total
