"""The faults of one node's links, in a file of its data folder that may change while it runs.

JSON: for each peer id an object with any of the fields of `LinkRule`. The filter itself looks
at the file, at most every tenth of a second, because it is asked at every read and write anyway.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from p2pnode.network import LinkRule, Network, account_of

LINKS_NAME = "laboratory-links.json"
POLL_SECONDS = 0.1

_UNTOUCHED = LinkRule()


class LinkFile:
    """Asks the file which rule holds for a peer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rules: Mapping[bytes, LinkRule] = {}
        self._stamp: tuple[int, int] | None = None
        self._next_look = 0.0

    def attach(self, network: Network) -> None:
        """Put the file's rules below all connections of a node."""
        network.link_filter = self.rule

    def rule(self, account: bytes) -> LinkRule:
        """The rule for one peer at this moment."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + POLL_SECONDS
            self._look()
        return self._rules.get(account, _UNTOUCHED)

    def _look(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._rules, self._stamp = {}, None
            return
        stamp = (found.st_ino, found.st_mtime_ns)
        if stamp != self._stamp:
            self._rules, self._stamp = read_rules(self._path), stamp


def read_rules(path: Path) -> dict[bytes, LinkRule]:
    """Read the rules by account."""
    document = json.loads(path.read_text())
    return {account_of(peer_id): LinkRule(**rule) for peer_id, rule in document.items()}


def write_rules(path: Path, rules: Mapping[str, LinkRule]) -> None:
    """Replace the rules, by peer id, as a whole."""
    text = json.dumps({peer_id: asdict(rule) for peer_id, rule in rules.items()}, indent=2)
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    temporary.replace(path)
