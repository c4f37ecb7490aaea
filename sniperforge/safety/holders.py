"""Who holds a token: the owners behind its accounts, and what no account that was read holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from solders.pubkey import Pubkey

from sniperforge.safety.mint import Mint, NotAMintError, decode, holding
from sniperforge.safety.pools import Lp
from sniperforge.safety.reader import Reader

BURNT = frozenset({Pubkey.from_string("1nc1nerator11111111111111111111111111111111"), Pubkey.default()})
"""Owners that nobody has the key of."""

_BPS = 10_000


class Holders(NamedTuple):
    """Who holds the supply of a mint, in base units; `pooled`, `burnt`, `unread` and the owners make up all of it.

    Attributes:
        owners: owner and amount, the largest first.
        pooled: in the vault of the pool at hand.
        burnt: owned by addresses without a key.
        unread: in no balance that was read: of other accounts, or withheld as transfer fees. It may all be one owner's.
    """

    slot: int
    owners: list[tuple[Pubkey, int]]
    pooled: int
    burnt: int
    unread: int

    @property
    def free(self) -> int:
        """What is not burnt."""
        return self.pooled + self.unread + sum(amount for _, amount in self.owners)

    def share_bps(self, count: int) -> int:
        """What the `count` largest owners hold of what is not burnt, as far as it was read."""
        return sum(amount for _, amount in self.owners[:count]) * _BPS // self.free if self.free else 0

    @property
    def unread_bps(self) -> int:
        """What was not read, of what is not burnt; rounded up."""
        return -(-self.unread * _BPS // self.free) if self.free else 0


class _Held(NamedTuple):
    """A token account: who owns it, and what is in it."""

    account: Pubkey
    owner: Pubkey
    amount: int


def largest(reader: Reader, mint: Pubkey, supply: int, vaults: Iterable[Pubkey]) -> Holders:
    """Who owns the twenty largest accounts of `mint`; `vaults` are those of the pool at hand."""
    slot, held = _largest(reader, mint)
    return _by_owner(slot, held, supply, vaults)


def all_of(reader: Reader, mint: Pubkey, state: Mint, vaults: Iterable[Pubkey]) -> Holders:
    """Who owns all accounts of `mint`, which reads `state`.

    Raises:
        RpcError, RpcUnavailable: the node does not list them, or there are too many.
    """
    read = reader.token_accounts(mint, state.program)
    held = [_Held(key, each.owner, each.amount) for key, each in read.accounts]
    return _by_owner(read.slot, held, state.supply, vaults)


def _by_owner(slot: int, accounts: Iterable[_Held], supply: int, vaults: Iterable[Pubkey]) -> Holders:
    pooled = burnt = 0
    owners: dict[Pubkey, int] = {}
    ours = set(vaults)
    for held in accounts:
        if held.owner in BURNT:
            burnt += held.amount
        elif held.account in ours:
            pooled += held.amount
        else:
            owners[held.owner] = owners.get(held.owner, 0) + held.amount
    ranked = sorted(owners.items(), key=lambda item: (-item[1], str(item[0])))
    return Holders(slot, ranked, pooled, burnt, max(0, supply - pooled - burnt - sum(owners.values())))


def _largest(reader: Reader, mint: Pubkey) -> tuple[int, list[_Held]]:
    told = reader.largest(mint)
    read = reader.accounts([key for key, _ in told.accounts])
    held: list[_Held] = []
    for (key, _), account in zip(told.accounts, read.accounts, strict=True):
        found = holding(account.owner, account.data) if account is not None else None
        if found is not None and found.mint == mint:
            held.append(_Held(key, found.owner, found.amount))
    return min(each for each in (told.slot, read.slot) if each), held


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
        slot, accounts = _largest(reader, lp.mint)
        owners = reader.accounts([held.owner for held in accounts])
        slot = min(each for each in (slot, owners.slot) if each)
        trusted = {Pubkey.from_string(key) for key in lockers}
        for held, owner in zip(accounts, owners.accounts, strict=True):
            if held.owner in BURNT | trusted or (owner is not None and owner.owner in trusted):
                safe += held.amount
    whole = max(lp.given_out, supply)
    return slot, safe * _BPS // whole if whole else 0
