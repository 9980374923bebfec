"""The node: turns the world (network, disk, processes, people) into events and effects."""

__version__ = "0.1.0"
