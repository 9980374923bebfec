"""What this node does about the rules: each role reads the state and asks for operations.

`validator` keeps blocks coming, `worker` bids, runs and answers, `requester` collects results.
The roles know nothing of one another; `protocol.core` feeds them and signs for them.
"""
