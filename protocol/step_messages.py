"""The message with which the executors of a job look for the first step that they differ in."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.units import Digest, JobId

Hash = Annotated[Digest, Meta(min_length=32, max_length=32)]
Small = Annotated[int, Meta(ge=0, le=255)]


# Disputes


class StepPair(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=22):
    """Opens a trace by one level, in a dispute about the job's result."""

    job: Annotated[JobId, Meta(min_length=32, max_length=32)]
    dispute: Small
    """Its number among the disputes of the job, from 0."""
    level: Small
    """How many levels were opened before."""
    left: Hash
    right: Hash
    before: Annotated[tuple[Hash, ...], Meta(max_length=16)]
    """On the last level, from the first side: what the step before both left, and its neighbours
    on the way up; empty elsewhere."""
