"""Strategies in Python: the base class, and the strategies that come with the engine, one per file."""

from sniperforge.strategies.base import (
    LAMPORTS,
    Balance,
    Denied,
    Fill,
    Held,
    Hop,
    Intent,
    PoolUpdate,
    PoolUpdates,
    Strategy,
    Token,
    Verdict,
)

__all__ = [
    "LAMPORTS",
    "Balance",
    "Denied",
    "Fill",
    "Held",
    "Hop",
    "Intent",
    "PoolUpdate",
    "PoolUpdates",
    "Strategy",
    "Token",
    "Verdict",
]
