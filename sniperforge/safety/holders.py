"""Who holds a token: owners behind the largest token accounts, without vaults, curves and burnt tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from solders.pubkey import Pubkey

from sniperforge.safety.layouts import PROGRAMS, VAULT_OWNERS
from sniperforge.safety.mint import NotAMintError, decode, holding
from sniperforge.safety.pools import Lp
from sniperforge.safety.reader import Reader

BURNT = frozenset({Pubkey.from_string("1nc1nerator11111111111111111111111111111111"), Pubkey.default()})
"""Owners that nobody has the key of."""

_BPS = 10_000


class Holders(NamedTuple):
    """What the twenty largest token accounts say.

    Attributes:
        owners: owner and amount, the largest first.
        pooled: in vaults and curves of venues we know.
        burnt: owned by addresses without a key.
    """

    slot: int
    owners: list[tuple[Pubkey, int]]
    pooled: int
    burnt: int


class _Held(NamedTuple):
    """One of the largest token accounts: who owns it, and the program of the owner's own account."""

    account: Pubkey
    owner: Pubkey
    program: Pubkey | None
    amount: int


def _largest(reader: Reader, mint: Pubkey) -> tuple[int, list[_Held]]:
    largest = reader.largest(mint)
    read = reader.accounts([key for key, _ in largest.accounts])
    held: list[tuple[Pubkey, Pubkey, int]] = []
    for (key, _), account in zip(largest.accounts, read.accounts, strict=True):
        found = holding(account.owner, account.data) if account is not None else None
        if found is not None and found.mint == mint:
            held.append((key, found.owner, found.amount))
    owners = reader.accounts([owner for _, owner, _ in held])
    slot = min(each for each in (largest.slot, read.slot, owners.slot) if each)
    return slot, [
        _Held(key, owner, account.owner if account is not None else None, amount)
        for (key, owner, amount), account in zip(held, owners.accounts, strict=True)
    ]


def holders(reader: Reader, mint: Pubkey, vaults: Iterable[Pubkey]) -> Holders:
    """The owners of `mint`; `vaults` are those of the pool at hand."""
    slot, largest = _largest(reader, mint)
    pooled = burnt = 0
    owners: dict[Pubkey, int] = {}
    ours = set(vaults)
    for held in largest:
        if held.owner in BURNT:
            burnt += held.amount
        elif held.account in ours or held.owner in VAULT_OWNERS or held.program in PROGRAMS:
            pooled += held.amount
        else:
            owners[held.owner] = owners.get(held.owner, 0) + held.amount
    ranked = sorted(owners.items(), key=lambda item: (-item[1], str(item[0])))
    return Holders(slot, ranked, pooled, burnt)


def locked_bps(reader: Reader, lp: Lp, lockers: Sequence[str]) -> tuple[int, int]:
    """The slot, and the share of a pool's LP tokens that is burnt or held by a locker.

    What the pool has given out and is not in the LP mint's supply any more was burnt past the pool: its liquidity
    stays for ever.
    """
    read = reader.accounts([lp.mint])
    account = read.accounts[0]
    if account is None:
        return read.slot, 0
    try:
        supply = decode(account.owner, account.data).supply
    except NotAMintError:
        return read.slot, 0
    slot, safe = read.slot, max(0, lp.given_out - supply)
    if supply:
        slot, largest = _largest(reader, lp.mint)
        trusted = {Pubkey.from_string(key) for key in lockers}
        safe += sum(held.amount for held in largest if held.owner in BURNT | trusted or held.program in trusted)
    whole = max(lp.given_out, supply)
    return slot, safe * _BPS // whole if whole else 0
