"""Benchmarks of the project: one module per area, run by `make bench`."""
