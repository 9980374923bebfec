"""What a newcomer asks and what it is told: forms, kinds and limits of both sides."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from protocol.encoding import decode
from protocol.ledger.certified import CERTIFICATE_BYTES_MAX
from protocol.messages import Hash, Position

STANDING_KIND: Final = "standing"
CERTIFICATES_KIND: Final = "certificates"
PAGE_LIST_KIND: Final = "snapshot-pages"
PAGE_KIND: Final = "snapshot-page"

CERTIFICATES_MAX: Final = 512
"""Certificates in one answer."""
CERTIFICATES_BYTES: Final = 2 * 1024 * 1024
"""What an answer with certificates is filled up to: half of what the network carries."""
SNAPSHOTS_MAX: Final = 4
"""Snapshots that a peer may say it has; ours keeps two."""
PAGES_MAX: Final = 65_536
"""Pages of one snapshot: 16 GiB, and a list of two megabytes."""
QUESTION_BYTES_MAX: Final = 64
STANDING_BYTES_MAX: Final = 256
PAGE_LIST_BYTES_MAX: Final = PAGES_MAX * 34 + 16
CERTIFICATES_ANSWER_MAX: Final = CERTIFICATES_BYTES + CERTIFICATE_BYTES_MAX + 4 * CERTIFICATES_MAX

NO_EPOCH: Final = -1
"""Stands where a peer has no certificate or no block at all."""

Span = Annotated[int, Meta(ge=NO_EPOCH, le=2**53)]


class Standing(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a peer says it has."""

    first_certificate: Span
    """Epoch of its oldest certificate; a node that began at a trusted end has none before it."""
    newest_certificate: Span
    """Of an epoch that was never certified there is none, and asking for it is refused."""
    first_blocks: Span
    """The oldest epoch whose blocks it can still send."""
    snapshots: Annotated[tuple[Position, ...], Meta(max_length=SNAPSHOTS_MAX)]
    """Epochs at whose end it has the whole state in pages, ascending; some not certified yet."""


class CertificatesQuestion(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Asks for the certificates of an epoch and the ones after it."""

    first: Position
    count: Annotated[int, Meta(ge=1, le=CERTIFICATES_MAX)]


class Certificates(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Certificates of consecutive epochs, from the one that was asked for; some, if not all."""

    raws: Annotated[
        tuple[Annotated[bytes, Meta(max_length=CERTIFICATE_BYTES_MAX)], ...],
        Meta(max_length=CERTIFICATES_MAX),
    ]


class PageListQuestion(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Asks what pages the snapshot at an epoch's end has."""

    epoch: Position


class PageList(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The digest of each page, in order. Equal states have equal lists."""

    digests: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=PAGES_MAX)]


class PageQuestion(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Asks for one page; the answer is its bytes."""

    epoch: Position
    number: Annotated[int, Meta(ge=0, lt=PAGES_MAX)]


def open_standing(raw: bytes) -> Standing:
    """Reads what a peer says it has.

    Raises:
        Rejected: `TOO_LARGE`, `MALFORMED` or `NOT_CANONICAL`; so do the others here.
    """
    return decode(raw, Standing, STANDING_BYTES_MAX)


def open_certificates(raw: bytes) -> Certificates:
    """Reads an answer with certificates."""
    return decode(raw, Certificates, CERTIFICATES_ANSWER_MAX)


def open_page_list(raw: bytes) -> PageList:
    """Reads a list of pages."""
    return decode(raw, PageList, PAGE_LIST_BYTES_MAX)
