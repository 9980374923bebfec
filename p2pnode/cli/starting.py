"""Runs a node: settles its settings, then hands over."""

import argparse
import importlib
import os

from p2pnode.cli.endings import Ending
from p2pnode.cli.output import complain
from p2pnode.cli.parser import NODE_FLAGS
from p2pnode.settings import SettingsError, load_settings


def run_node(arguments: argparse.Namespace) -> int:
    """Run a node until it is interrupted, and return its exit code."""
    flags = {name: getattr(arguments, name) for name in NODE_FLAGS}
    try:
        settings = load_settings(flags, os.environ)
    except SettingsError as error:
        complain(str(error))
        return Ending.BAD_INPUT
    # Imported by name here, as it brings the whole network stack with it.
    return int(importlib.import_module("p2pnode.node").run(settings))
