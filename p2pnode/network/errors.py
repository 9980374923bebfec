"""What can go wrong for a caller of the network; nothing of the library below escapes this folder."""


class NetworkError(Exception):
    """The base of every error of this folder."""


class BadAddress(NetworkError):
    """A text is not an address that this node could dial."""


class PeerUnreachable(NetworkError):
    """No connection could be made, or it broke: whether the peer acted on the message is unknown."""


class RequestRefused(NetworkError):
    """The peer answered that it will not answer; a handler raises it to say so."""


class RequestTimedOut(NetworkError):
    """No answer came within the time; whether the peer acted on the request is unknown."""


class PayloadTooLarge(NetworkError):
    """The caller asked to send more than the limits of `p2pnode.network.limits` allow."""
