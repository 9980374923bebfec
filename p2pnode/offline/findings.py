"""What is found wrong in a ledger, and what keeps a command from looking."""


class BadEntry(Exception):  # noqa: N818  named for what was found
    """The first entry of a ledger that breaks a rule; nothing after it was looked at.

    Attributes:
        index: Its number; the first is 1, and 0 stands for what comes before the entries.
        code: The rule, in lower case: a member of `protocol.errors.Reason` or one of this package.
        detail: What exactly was wrong, for people.
    """

    def __init__(self, index: int, code: str, detail: str) -> None:
        super().__init__(f"entry {index}: {detail} [{code}]")
        self.index = index
        self.code = code
        self.detail = detail

    def record(self) -> dict[str, object]:
        """Makes a mapping, ready for JSON."""
        return {"index": self.index, "code": self.code, "detail": self.detail}


class Unreadable(Exception):  # noqa: N818  as above
    """The disk or the store refused, so that nothing can be said."""
