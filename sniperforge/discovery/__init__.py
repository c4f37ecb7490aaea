"""Which pools there are, and the accounts that price them: found over JSON-RPC at the start, watched while running."""

from __future__ import annotations

from sniperforge.discovery.anatomy import BY_PROGRAM, VENUES, Anatomy, NoPoolError, Venue, dissect
from sniperforge.discovery.pools import Pool, accounts, accounts_file, discover, mints
from sniperforge.discovery.reader import Account, Call, Reader
from sniperforge.discovery.watcher import Pace, Watcher

__all__ = [
    "BY_PROGRAM",
    "VENUES",
    "Account",
    "Anatomy",
    "Call",
    "NoPoolError",
    "Pace",
    "Pool",
    "Reader",
    "Venue",
    "Watcher",
    "accounts",
    "accounts_file",
    "discover",
    "dissect",
    "mints",
]
