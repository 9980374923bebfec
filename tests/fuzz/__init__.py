"""Hostile bytes for everything that decodes."""
