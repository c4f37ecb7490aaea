"""The pools of all venues: found, ranked where there are more than wanted, and completed with what prices them."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey

from sniperforge.discovery.anatomy import (
    TOKEN,
    TOKEN_2022,
    VENUES,
    Anatomy,
    NoPoolError,
    Venue,
    dissect,
)
from sniperforge.discovery.reader import Account, Call, Reader
from sniperforge.rpc import RpcError

REACH = 5
"""Arrays on each side of the price that are followed: three that a swap may use, and more for a price that moves."""

CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
_BALANCE = (64, 8)
_RANKED_PER_WANTED = 4
"""Pools whose vaults are read to choose from, for each that is wanted."""


@dataclass(frozen=True)
class Pool:
    """A pool with everything that prices it. Pairs are tokens a and b, as its program orders them."""

    venue: str
    address: Pubkey
    mints: tuple[Pubkey, Pubkey]
    token_programs: tuple[Pubkey, Pubkey]
    vaults: tuple[Pubkey, ...]
    """Those whose balance is part of the price, and a curve's token account, which says what its coin is."""
    shared: tuple[Pubkey, ...]
    """Configs."""
    own: tuple[Pubkey, ...]
    """Bitmap extension, oracle, tick or bin arrays around the price: those that exist."""


@dataclass(frozen=True)
class Found:
    """A pool of which only its own account has been read."""

    address: Pubkey
    venue: Venue
    anatomy: Anatomy
    account: Account


def find(address: Pubkey, account: Account, venues: Collection[str]) -> Found | None:
    """The pool in `account`, if it is one of `venues` that would swap."""
    try:
        venue, anatomy = dissect(address, account.owner, account.data)
    except NoPoolError:
        return None
    return Found(address, venue, anatomy, account) if venue.name in venues and anatomy.usable else None


def discover(
    call: Call,
    *,
    only: Sequence[str] | None = None,
    limit: int | None = None,
    venues: Collection[str] | None = None,
    say: Callable[[str], None] | None = None,
) -> list[Pool]:
    """Pools with what prices them, in a stable order: by venue and address, or as `only` names them.

    Accounts that are no pools, and pools that would not swap, are left out.

    Args:
        call: JSON-RPC of the node.
        only: addresses of pools; otherwise all that the node lists.
        limit: at most so many; of listed ones the most useful, of named ones the first.
        venues: names in `VENUES`; otherwise all.
        say: is told of a venue whose pools the node refuses to list; without it that is raised.

    Raises:
        NoPoolError: a name in `only` is no address.
        RpcError, RpcUnavailable: from `call`.
    """
    names = list(VENUES) if venues is None else [name for name in VENUES if name in venues]
    reader = Reader(call)
    if only is not None:
        found = _named(reader, only, names)[:limit]
    else:
        found = _listed(reader, names, say)
        if limit is not None and len(found) > limit:
            best = {pool.address for pool in _ranked(reader, found, limit)}
            found = [pool for pool in found if pool.address in best]
    return complete(reader, found)


def _named(reader: Reader, only: Sequence[str], venues: Collection[str]) -> list[Found]:
    addresses = [_address(text) for text in only]
    read = reader.accounts(addresses)
    pools = [find(address, read[address], venues) for address in dict.fromkeys(addresses) if address in read]
    return [pool for pool in pools if pool is not None]


def _address(text: str) -> Pubkey:
    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise NoPoolError(f"{text!r} is no address") from None


def _listed(reader: Reader, venues: Sequence[str], say: Callable[[str], None] | None) -> list[Found]:
    pools = []
    for name in venues:
        try:
            rows = reader.pools(VENUES[name])
        except RpcError as error:
            if say is None:
                raise
            say(f"pools of {name} are not listed: {error}")
            continue
        found = [find(address, rows[address], venues) for address in sorted(rows, key=str)]
        pools += [pool for pool in found if pool is not None]
    return pools


# -- the most useful -----------------------------------------------------------------------------------


def _ranked(reader: Reader, pools: Sequence[Found], limit: int) -> list[Found]:
    """The `limit` most useful of `pools`: first those on mints that other pools trade too, of these the deepest.

    A pool is as deep as the scarcer of its two sides: its share of all that the pools hold of that mint, times the
    number of those pools, so that 1 is an ordinary one whatever the mint is worth.
    """
    known = Counter(mint for pool in pools for mint in pool.anatomy.mints if mint is not None)

    def connections(pool: Found) -> int:
        return min(known[mint] for mint in pool.anatomy.mints if mint is not None)

    some = sorted(pools, key=connections, reverse=True)[: limit * _RANKED_PER_WANTED]
    vaults = [vault for pool in some for vault in pool.anatomy.vaults]
    balances = {
        vault: struct.unpack("<Q", account.data)[0]
        for vault, account in reader.accounts(vaults, _BALANCE).items()
        if len(account.data) == 8
    }
    held: Counter[Pubkey] = Counter()
    for pool in some:
        for mint, amount in _holdings(pool, balances):
            held[mint] += amount

    def depth(pool: Found) -> float:
        holdings = _holdings(pool, balances)
        return min((amount * known[mint] / held[mint] if held[mint] else 0.0) for mint, amount in holdings)

    return sorted(some, key=lambda pool: (connections(pool) > 1, depth(pool)), reverse=True)[:limit]


def _holdings(pool: Found, balances: Mapping[Pubkey, int]) -> list[tuple[Pubkey, int]]:
    coin, other = pool.anatomy.mints
    if coin is None:  # a curve: what has been paid into it
        return [(other, struct.unpack_from("<Q", pool.account.data, 32)[0])]
    mints = (coin, other)
    return [(mint, balances.get(vault, 0)) for mint, vault in zip(mints, pool.anatomy.vaults, strict=True)]


# -- what prices them ----------------------------------------------------------------------------------


def complete(reader: Reader, found: Sequence[Found]) -> list[Pool]:
    """`found` with mints, token programs and those of their accounts that exist; pools on no tokens are left out."""
    coins = {pool.address: reader.coin(pool.address) for pool in found if pool.anatomy.mints[0] is None}
    extensions = reader.accounts(pool.anatomy.extension for pool in found if pool.anatomy.extension is not None)
    arrays = {pool.address: array_addresses(pool, extensions) for pool in found}
    wanted: list[Pubkey] = []
    for pool in found:
        coin = coins.get(pool.address)
        wanted += [mint for mint in (*pool.anatomy.mints, *(coin or ())) if mint is not None]
        wanted += [*pool.anatomy.shared, *arrays[pool.address]]
        if pool.anatomy.oracle is not None:
            wanted.append(pool.anatomy.oracle)
    owners = reader.owners(wanted)
    pools = [_completed(pool, coins.get(pool.address), extensions, arrays[pool.address], owners) for pool in found]
    return [pool for pool in pools if pool is not None]


def array_addresses(pool: Found, extensions: Mapping[Pubkey, Account]) -> list[Pubkey]:
    """Where the arrays around a pool's price are; none if its venue has no such thing, or its bytes are broken."""
    if pool.venue.arrays is None:
        return []
    extension = extensions.get(pool.anatomy.extension) if pool.anatomy.extension is not None else None
    try:
        data = extension.data if extension is not None else b""
        return pool.venue.arrays(pool.address, pool.account.data, data, REACH)
    except ValueError:
        return []


def _completed(
    pool: Found,
    coin: tuple[Pubkey, Pubkey] | None,
    extensions: Mapping[Pubkey, Account],
    arrays: Sequence[Pubkey],
    owners: Mapping[Pubkey, Pubkey],
) -> Pool | None:
    first, second = pool.anatomy.mints
    vaults = pool.anatomy.vaults if pool.venue.vaults_price else ()
    if first is None:
        if coin is None:
            return None
        first, vaults = coin[0], coin[1:]
    programs = owners.get(first), owners.get(second)
    if programs[0] not in (TOKEN, TOKEN_2022) or programs[1] not in (TOKEN, TOKEN_2022):
        return None
    own = [account for account in (pool.anatomy.extension,) if account in extensions]
    own += [account for account in (pool.anatomy.oracle, *arrays) if account in owners]
    return Pool(
        venue=pool.venue.name,
        address=pool.address,
        mints=(first, second),
        token_programs=(programs[0], programs[1]),
        vaults=vaults,
        shared=tuple(account for account in pool.anatomy.shared if account in owners),
        own=tuple(account for account in own if account is not None),
    )


# -- what the engine follows ---------------------------------------------------------------------------


def mints(pools: Iterable[Pool]) -> list[tuple[Pubkey, Pubkey]]:
    """Every mint of `pools` once, with its token program, in the order met."""
    return list(dict.fromkeys(pair for pool in pools for pair in zip(pool.mints, pool.token_programs, strict=True)))


def accounts(pools: Sequence[Pool]) -> list[Pubkey]:
    """The accounts that price `pools`, each once, as the engine must meet them: a pool before what is its own."""
    return list(
        dict.fromkeys(
            [
                *(pool.address for pool in pools),
                *(account for pool in pools for account in pool.shared),
                *(account for pool in pools for account in pool.vaults),
                *(account for pool in pools for account in pool.own),
                *(mint for mint, _ in mints(pools)),
            ]
        )
    )


def accounts_file(pools: Sequence[Pool]) -> str:
    """Text of the feed's accounts file: one address a line, the chain's clock, then those of `accounts` in order."""
    counts = Counter(pool.venue for pool in pools)
    told = ", ".join(f"{count} of {venue}" for venue, count in counts.items())
    return f"# {len(pools)} pools: {told}\n" + "".join(f"{address}\n" for address in [CLOCK, *accounts(pools)])
