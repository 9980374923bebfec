"""The deterministic protocol: everything that every node must compute alike, and nothing else.

Reading order, bottom to top (each module uses only those above it in this list):

1. `units`, `errors`, `parameters`, `encoding`: names for things, and their one binary form.
2. `signing`, `vrf`: who said it, and a verifiable random output.
3. `messages`, `accounts`: every message in the order in which a job produces them; the money.
4. `economy`, `job`, `ledger`: the rules of pay and reputation, of a job, and of the block DAG.
5. `state`: ordered entries become jobs and balances.
6. `events`, `effects`: everything that can happen to a node, everything it may ask of the world.
7. `roles`, `core`: what this node does about it; `Core.step` is the only door.
8. `simulator`: many cores in virtual time.
"""
