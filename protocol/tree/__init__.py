"""A Merkle tree by key hash: one root over all entries, and proofs of single ones."""
