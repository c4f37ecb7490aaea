"""Venues as Python sees them: one module per on-chain exchange program, with its arithmetic and its accounts."""
