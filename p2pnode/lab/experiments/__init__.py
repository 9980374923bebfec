"""Experiments whose answers are known before they begin, run on this project's own code."""
