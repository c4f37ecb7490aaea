"""Strategies in Python: the base class, and the strategies that come with the engine, one per file."""

from sniperforge.strategies.base import (
    LAMPORTS,
    Balance,
    Denied,
    Fill,
    Hop,
    Intent,
    PoolUpdate,
    PoolUpdates,
    Strategy,
    Token,
)

__all__ = [
    "LAMPORTS",
    "Balance",
    "Denied",
    "Fill",
    "Hop",
    "Intent",
    "PoolUpdate",
    "PoolUpdates",
    "Strategy",
    "Token",
]
