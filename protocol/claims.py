"""What may be said of a job after its end; part of the messages that are signed."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.units import JobId

# Operations after a job's end


class Unavailable(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=24):
    """Says that an accepted output cannot be fetched: first its requester, then drawn checkers."""

    job: Annotated[JobId, Meta(min_length=32, max_length=32)]
