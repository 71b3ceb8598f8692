"""`ludb` moves every customer whole, or not at all."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("ludb")
except PackageNotFoundError:  # a source tree that was not installed
    __version__ = "0"

__all__ = ["__version__"]
