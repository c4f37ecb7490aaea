"""What the checks found: one `Check` each, together a `Verdict`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

Outcome = Literal["pass", "warn", "refuse"]


class Check(msgspec.Struct, frozen=True):
    """One check: what it is called, what came of it, why, and the slot its data was read at."""

    name: str
    outcome: Outcome
    sentence: str
    slot: int


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether `mint` may be bought in `pool` with `amount` base units of the pool's other token.

    Attributes:
        pool: address of the pool that the checks looked at; empty if none was needed or found.
        slot: the oldest slot that data was read at.
        unix_s: the chain's own time at that read.
        exit_tokens: base units of the mint that the simulated exit sold; 0 if it did not come to that.
        exit_amount: what it gave, in base units of the other token.
        creators: the mint's and the pool's makers and authorities.
        mint_account: the mint's bytes at the check; empty if there is no such mint.
        depth: what the pool held of the other token.
        opened: unix seconds since when the pool is known to be there; 0 = not known.
    """

    mint: str
    pool: str
    amount: int
    slot: int
    unix_s: int
    checks: Sequence[Check]
    exit_tokens: int = 0
    exit_amount: int = 0
    creators: Sequence[str] = ()
    mint_account: bytes = b""
    depth: int = 0
    opened: int = 0

    @property
    def passes(self) -> bool:
        """Whether no check refused."""
        return all(check.outcome != "refuse" for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """The sentences of the checks that refused."""
        return [f"{check.name}: {check.sentence}" for check in self.checks if check.outcome == "refuse"]
