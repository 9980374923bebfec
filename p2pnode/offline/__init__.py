"""Commands that need no running node: keys, genesis, and the ledger's books for anyone to check.

Nothing here opens a connection. What a command finds wrong in somebody's data is its answer and
ends it with 1; what was typed wrongly ends it with 2.
"""
