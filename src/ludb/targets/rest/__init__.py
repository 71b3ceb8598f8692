"""Calls to HTTP APIs that take JSON documents: the `rest` system type."""

from ludb.targets.rest.target import RestTarget

__all__ = ["RestTarget"]
