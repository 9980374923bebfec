"""Whole networks of real cores in virtual time: the protocol's own proving ground.

A `Scenario` fixes everything; `run` plays it and returns a verdict. The same scenario always gives
the same trace, on any machine, so a failing seed is a complete bug report.
"""
