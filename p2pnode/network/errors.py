"""What can go wrong for a caller of the network; no error of the library leaves this folder."""


class NetworkError(Exception):
    """The base of every error of this folder."""


class BadAddress(NetworkError):  # noqa: N818 - named for what happened
    """A text is not an address that this node could dial."""


class CannotListen(NetworkError):  # noqa: N818 - named for what happened
    """An address of the settings cannot be listened on; another process may have the port."""


class PeerUnreachable(NetworkError):  # noqa: N818 - named for what happened
    """No connection could be made, or it broke: whether the peer acted is unknown."""


class RequestRefused(NetworkError):  # noqa: N818 - named for what happened
    """The peer answered that it will not answer; a handler raises it to say so."""


class RequestTimedOut(NetworkError):  # noqa: N818 - named for what happened
    """No answer came within the time; whether the peer acted on the request is unknown."""


class PayloadTooLarge(NetworkError):  # noqa: N818 - named for what happened
    """The caller asked to send more than the limits of `p2pnode.network.limits` allow."""
