"""Programs of the bench that run in environments of their own, and the lists that pin these."""
