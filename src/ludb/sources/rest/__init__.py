"""HTTP APIs that give JSON documents: the `rest` system type as a source."""

from ludb.sources.rest.source import RestSource

__all__ = ["RestSource"]
