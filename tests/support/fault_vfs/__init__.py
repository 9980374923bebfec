"""A disk that fails on command, under the journal's own code: SQLite calls it, Python decides.

- `image`: what of a file is durable, and what a power loss makes of the rest.
- `disk`: the file system that SQLite opens its files on, with all faults.
- `signer`: a node's habits on a journal: sign the next slot, make it durable, then send it.
- `losses`: one seed is one history of lives and power losses; run as a program, many of them.
"""
