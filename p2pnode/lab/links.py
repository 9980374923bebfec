"""The kinds of links that a real network can be asked to have."""

from enum import Enum


class Links(Enum):
    """What lies between the processes of a network."""

    AUTO = "auto"
    """Namespaces where they can be had, else the shaper."""
    NAMESPACES = "namespaces"
    """Each node has a network of its own, as a host would, and all are joined outside of them."""
    SHAPER = "shaper"
    """All nodes share this machine's network and disturb their own links."""
