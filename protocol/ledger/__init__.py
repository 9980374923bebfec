"""The replicated ledger: a block DAG in which every committee member proposes, and its one order.

Reading order, bottom to top (each module uses only those above it in this list):

1. `beacon`: the chain of random values, and the draw of leaders from it.
2. `committee`: who votes in an epoch, with what weight, and who leads each round.
3. `block`: what makes a block valid, on every node and for ever.
4. `dag`: accepted blocks, and the votes and certificates that they add up to.
5. `commit_rule`: which leaders are committed and which are skipped, read off the DAG alone.
6. `ordering`: a committed leader becomes a `Commit`: blocks in order, time, beacon.
7. `evidence`: two blocks of one author in one round, as proof for everybody.
8. `pending`: a bounded place to wait for blocks whose ancestors are not here yet.
9. `ledger`: all of it behind one door, `Ledger.accept`.

Operations are opaque bytes here; what they do is decided by `protocol.state`.
"""
