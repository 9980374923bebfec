"""What to say when the optional part of the installation is missing."""


class MissingExtra(RuntimeError):  # noqa: N818  named for what is wrong
    """A library that only the laboratory needs is not installed; the message says what to type."""


def missing(library: str, purpose: str) -> MissingExtra:
    """Says which library is missing, what for, and how to install it."""
    return MissingExtra(f"{purpose} needs {library}: pip install 'p2pnode[lab]'")
