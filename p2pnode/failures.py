"""Why a node could not start or had to stop, in a sentence for its operator."""

from p2pnode.network import BadAddress, CannotListen


def leaves_of(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """All errors in a group, however deep."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found += leaves_of(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def explained(error: BaseException) -> str:
    """The sentence, with what to do."""
    if isinstance(error, BadAddress):
        return f"bad address: {error}"
    if isinstance(error, CannotListen):
        return f"{error}: choose another with --listen"
    return str(error)
