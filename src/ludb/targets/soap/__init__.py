"""Calls to SOAP services: the `soap` system type."""

from ludb.targets.soap.target import SoapTarget

__all__ = ["SoapTarget"]
