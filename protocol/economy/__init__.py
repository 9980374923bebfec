"""Pure rules of stake, reputation, pay and punishment; `protocol.accounts` moves all credits."""
