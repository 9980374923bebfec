"""Rules of a job: who is drawn for it, what it may cost, which result counts and who is paid.

These rules judge what anyone did; none of them knows which account this node holds.
"""
