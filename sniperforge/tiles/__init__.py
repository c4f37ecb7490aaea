"""Tiles in Python: `confirm`, which books what the chain says, and `strategies`, which hosts the Python bots."""
