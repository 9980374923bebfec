"""`python -m p2pnode` and the command `p2pnode`."""

import sys


def main() -> int:
    """Run the command line of this process and return its exit code."""
    from p2pnode.cli.entry import main as run  # noqa: PLC0415  tools import this module cheaply

    return run()


if __name__ == "__main__":
    sys.exit(main())
