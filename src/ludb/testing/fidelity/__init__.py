"""Nasty values, by number: what a system can hold, and in which form it is compared once it has moved."""
