"""The interface for programs: HTTP with JSON on the loopback address, served inside the node.

It knows the node only as the port `Control`; everything it says about the network comes from there.
"""
