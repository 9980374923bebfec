"""Parts of the library that no node uses, and that would take 12 MiB of each node's memory.

The library loads everything that it has: finding peers by multicast, and certificates for names
under a public domain, each with an HTTP client and a resolver of its own. They cannot be left out
by an option. So before the library is loaded, empty modules take their places; whoever called what
is in them would be told so. A release of the library that wants more of them fails at the start.
"""

import sys
from types import ModuleType
from typing import Final

SPARED: Final = {
    "libp2p.discovery.mdns.mdns": ("MDNSDiscovery", "create_mdns_discovery"),
    "libp2p.security.tls.autotls.acme": ("ACMEClient", "compute_b36_peer_id"),
    "libp2p.security.tls.autotls.broker": ("BrokerClient",),
}
"""Modules, and what the library wants to find in each when it is loaded."""


class Spared:
    """Stands where a class or function of the library would; nobody can make or call one."""

    def __init__(self, *_: object, **__: object) -> None:
        raise NotImplementedError("this part of the library is not loaded, since no node uses it")


def spare_unused() -> None:
    """Has the library find nothing in the places of what is not used; before it is loaded."""
    for name, wanted in SPARED.items():
        module = ModuleType(name)
        for one in wanted:
            setattr(module, one, Spared)
        sys.modules.setdefault(name, module)
