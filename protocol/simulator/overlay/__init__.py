"""Gossip over a graph of links: who passes what on to whom, for up to ten thousand nodes.

Published protocols and simple strategies run here without a ledger, alone with virtual time; in a
`World` the same routers carry blocks and operations between real cores.
"""
