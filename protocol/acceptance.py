"""What a worker does not take, and why: the one place that decides it.

The operator's lists and terms, the sandbox and the state of the devices all arrive as one
`WorkerOffered`. The worker asks here before it bids and before it begins what it is drawn for, and
the node once more before it fetches and runs anything.
"""

from protocol.events import Terms, WorkerOffered
from protocol.messages import Offer
from protocol.units import AccountId

MIB = 2**20
SECOND_MS = 1_000


def price_of(offered: WorkerOffered, kind: str) -> int:
    """Returns what a worker asks for a second of a kind, in millionths of a credit."""
    return terms_of(offered, kind).price


def terms_of(offered: WorkerOffered, kind: str) -> Terms:
    """Returns the terms of a kind: its own, or the price for everything and no bounds."""
    found = (terms for terms in offered.terms if terms.kind == kind)
    return next(found, Terms(kind, offered.price))


def refusal(offered: WorkerOffered, offer: Offer, requester: AccountId) -> str:
    """Says why a worker does not take an offer, in words for people; empty when it does.

    The price is not looked at: it depends on who asks whom.
    """
    terms = terms_of(offered, offer.kind)
    if terms.refusal:
        return terms.refusal
    if offer.kind not in offered.kinds:
        return f"this node does not run the kind {offer.kind!r}"
    if offered.sandbox_level < offer.sandbox_level:
        return f"this node's sandbox level is below {offer.sandbox_level}, which the offer asks"
    return (
        _refusal_of_requester(offered, requester)
        or _refusal_of_artefact(offered, offer)
        or _refusal_of_limits(terms, offer)
    )


def _refusal_of_requester(offered: WorkerOffered, requester: AccountId) -> str:
    if requester in offered.denied_requesters:
        return f"the account {requester.hex()} is on this node's deny-list"
    if offered.requesters is None or requester in offered.requesters:
        return ""
    return f"the account {requester.hex()} is not on this node's allow-list of requesters"


def _refusal_of_artefact(offered: WorkerOffered, offer: Offer) -> str:
    artefact, allowed = offer.artefact, offered.allowed
    if artefact in offered.denied:
        return f"the artefact {artefact.hex()} is on this node's deny-list"
    if allowed is None or artefact in allowed:
        return ""
    return (
        f"the artefact {artefact.hex()} is not on this node's allow-list: add it "
        "with --allow-artefact, or allow none by name"
    )


def _refusal_of_limits(terms: Terms, offer: Offer) -> str:
    limits = offer.limits
    for asked, most, unit, name in (
        (limits.time_ms, terms.time_ms_max, SECOND_MS, "s"),
        (limits.memory_bytes, terms.memory_bytes_max, MIB, "MiB of memory"),
        (limits.output_bytes, terms.output_bytes_max, MIB, "MiB of output"),
    ):
        if asked > most:
            # Rounded up and down, so that two different amounts never look the same.
            return (
                f"the job may take {-(-asked // unit)} {name}, and this node takes at most "
                f"{most // unit} {name} for the kind {offer.kind!r}"
            )
    return ""
