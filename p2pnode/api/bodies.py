"""The bodies that the interface takes, checked field by field before the node sees them."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from p2pnode.interfaces import JobRequest

AMOUNT_MAX = 2**53
"""The largest integer that every JSON reader keeps exact."""
INPUTS_MAX = 64
SANDBOX_LEVEL_MAX = 4
OPERATIONS_MAX = 256
"""As many as the core takes in between two writes to the store."""
DIGITS = r"^[0-9a-f]{64}$"
"""32 bytes in lower-case hexadecimal."""

Hexadecimal = Annotated[str, Field(pattern=r"^([0-9a-f]{2})+$")]
Identifier = Annotated[str, Field(pattern=DIGITS)]
Amount = Annotated[int, Field(ge=1, le=AMOUNT_MAX)]
Count = Annotated[int, Field(ge=0, le=AMOUNT_MAX)]
Replicas = Annotated[int, Field(ge=1, le=64)]


def _plain(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError("only printable ASCII characters")
    return text


Name = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_plain)]


class JobBody(BaseModel):
    """A job whose artefact and inputs are already in the node's store."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: Name
    artefact: Identifier
    inputs: Annotated[list[Identifier], Field(max_length=INPUTS_MAX)] = []
    size_bytes: Count = 0
    device: Name = "any"
    time_limit_ms: Amount
    memory_limit_bytes: Amount
    output_limit_bytes: Amount
    fuel_limit: Annotated[int, Field(ge=0, le=2**62)]
    result_class: Name = "exact"
    tolerated_error_ppm: Annotated[int, Field(ge=1, le=500_000)]
    replicas: Replicas
    replicas_max: Replicas
    price_cap: Amount
    budget: Count = 0
    bid_window_rounds: Annotated[int, Field(ge=0, le=10_000)] = 0
    deadline_ms: Annotated[int, Field(ge=1, le=2**31 - 1)]
    speed_target_ms: Count = 0
    sandbox_level: Annotated[int, Field(ge=0, le=SANDBOX_LEVEL_MAX)] = 0
    retention_ms: Count = 0

    def request(self) -> JobRequest:
        """Hand over as the value that the node takes."""
        fields = self.model_dump()
        fields["artefact"] = bytes.fromhex(self.artefact)
        fields["inputs"] = tuple(bytes.fromhex(digest) for digest in self.inputs)
        return JobRequest(**fields)


class TransferBody(BaseModel):
    """Credits for another account."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    recipient: Identifier
    amount: Amount


class OperationsBody(BaseModel):
    """Signed operations of any accounts, canonical bytes in lower-case hexadecimal."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    operations: Annotated[list[Hexadecimal], Field(min_length=1, max_length=OPERATIONS_MAX)]


class AmountBody(BaseModel):
    """Credits to stake or to unbond."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    amount: Amount
