"""Scenario texts, with defaults."""

NODES = """[nodes]
members = 5
"""
REST = """[links]
delay = { law = "uniform", low = "20 ms", high = "60 ms" }
[workload]
transfers = 4
jobs = 1
span = "4 s"
[stop]
safety = "8 s"
"""
FAULT = """[[fault]]
kind = "partition"
at = "3 s"
for = "3 s"
groups = "3/2"
"""


def text(*, name: str = "example", nodes: str = NODES, rest: str = REST, fault: str = FAULT) -> str:
    """A scenario file, whose first fault begins in line 12."""
    return f'name = "{name}"\n{nodes}{rest}{fault}'
