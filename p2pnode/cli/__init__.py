"""The command line: runs a node, talks to a running one, and hands over to the other groups.

Everything that takes time to import is imported only by the command that needs it, so that help
and mistakes answer at once.
"""
