"""Scenarios of the simulator on real node processes.

`shape` says what of a scenario processes can play, `run` plays it. What lies between the nodes is
one of three kinds of `wires`: the shaper inside each node, which needs no rights, or namespaces of
the kernel, joined by its own bridge (`bridge`) or by a program that delays and loses (`switch`).
"""
