"""The pool a token would be sold in: read from the chain with all that prices it, and found if none is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from solders.pubkey import Pubkey

from ipc.errors import CoreError
from sniperforge import base58
from sniperforge.rpc import RpcError
from sniperforge.safety import layouts
from sniperforge.safety.layouts import LAYOUTS, POOL_DISCRIMINATORS, key_at
from sniperforge.safety.mint import Holding, holding
from sniperforge.safety.reader import CLOCK, Account, Clock, Reader, clock
from sniperforge.venues import dumps as venue_dumps
from sniperforge.venues import pools as venue_pools
from sniperforge.venues import pump_fun, pump_swap
from sniperforge.venues.dumps import Dumps
from sniperforge.venues.pools import Priced
from sniperforge.venues.quote import Quote


class NoPoolError(ValueError):
    """There is no pool to sell the mint in, or the account named is none; the text says which."""


class Lp(NamedTuple):
    """The LP token of a pool, and how much of it there is to be redeemed by the pool's own count."""

    mint: Pubkey
    given_out: int


class Pool(NamedTuple):
    """A pool seen from the mint that is checked. Amounts are base units; `quote` is the mint it is sold for.

    Attributes:
        programs: token programs of the mint and of `quote`.
        vaults: where the pool holds the mint and `quote`; of a curve in SOL the curve itself is the second.
        held, depth: what is in them, as far as it can be paid out.
        frozen: whether the vault of the mint is frozen.
        opened: unix seconds of its opening as the account says it, 0 = it does not.
        locked_bps: share of the liquidity locked for ever where the account says it.
        canonical: made by pump.fun out of a curve.
    """

    address: Pubkey
    venue: str
    mint: Pubkey
    quote: Pubkey
    sell_a_to_b: bool
    programs: tuple[Pubkey, Pubkey]
    vaults: tuple[Pubkey, Pubkey]
    held: int
    depth: int
    frozen: bool
    creators: tuple[Pubkey, ...]
    opened: int
    lp: Lp | None
    locked_bps: int | None
    canonical: bool
    priced: Priced
    dumps: Dumps
    clock: Clock
    slot: int

    @property
    def data(self) -> bytes:
        """The pool account's bytes."""
        return self.dumps[str(self.address)].data

    def quote_in(self, sell: bool, amount: int) -> Quote:
        """What the venue pays for `amount`: of the mint if `sell`, else of `quote`."""
        return self.priced.python[0](sell == self.sell_a_to_b, amount, self.clock.unix_s)


def load(reader: Reader, address: Pubkey, mint: Pubkey, program: Pubkey) -> Pool:
    """The pool at `address`, with all that prices it, of one slot.

    Args:
        program: the mint's token program.

    Raises:
        NoPoolError: the account is no pool of `mint`, or its accounts do not fit together.
    """
    (account,) = reader.accounts([address]).accounts
    if account is None:
        raise NoPoolError(f"there is no account {address}")
    try:
        if account.owner == pump_fun.PROGRAM:
            return _load_curve(reader, address, account, mint, program)
        layout = LAYOUTS.get(account.owner)
        if layout is None:
            raise NoPoolError(f"{address} belongs to {account.owner}, which is no venue we know")
        return _load_pool(reader, address, account, layout, mint, program)
    except (LookupError, ValueError, CoreError) as error:
        if isinstance(error, NoPoolError):
            raise
        raise NoPoolError(f"{address} cannot be priced: {error}") from error


def _read(reader: Reader, keys: list[Pubkey]) -> tuple[int, dict[Pubkey, Account], Clock]:
    keys = list(dict.fromkeys([CLOCK, *keys]))
    read = reader.accounts(keys)
    found = {key: account for key, account in zip(keys, read.accounts, strict=True) if account is not None}
    return read.slot, found, clock(found.get(CLOCK))


def _dumps(accounts: Mapping[Pubkey, Account]) -> Dumps:
    return Dumps(
        "the chain",
        [venue_dumps.Account(str(key), str(each.owner), each.data, Path("chain")) for key, each in accounts.items()],
    )


def _load_pool(
    reader: Reader, address: Pubkey, account: Account, layout: layouts.Layout, mint: Pubkey, program: Pubkey
) -> Pool:
    if len(account.data) < (layout.size or 211):
        raise NoPoolError(f"{address} is no pool of {layout.name}: it has {len(account.data)} bytes")
    mints = [key_at(account.data, at) for at in layout.mints]
    if mint not in mints:
        raise NoPoolError(f"{address} trades {mints[0]} and {mints[1]}, not {mint}")
    side = mints.index(mint)
    vaults = [key_at(account.data, at) for at in layout.vaults]
    needs = layout.needs(address, account.data)
    slot, found, now = _read(reader, [address, *mints, *vaults, *needs])
    dumps = _dumps(found)
    data = dumps.need(str(address), "pool").data
    quote = mints[1 - side]
    held, depth = (_holding(found, vaults[i], mints[i]) for i in (side, 1 - side))
    return Pool(
        address=address,
        venue=layout.name,
        mint=mint,
        quote=quote,
        sell_a_to_b=side == 0,
        programs=(program, found[quote].owner),
        vaults=(vaults[side], vaults[1 - side]),
        held=held.amount,
        depth=depth.amount,
        frozen=held.frozen or depth.frozen,
        creators=_creators(layout, data),
        opened=_number(data, layout.open_time, 8) if layout.open_time is not None else 0,
        lp=Lp(key_at(data, layout.lp[0]), _number(data, layout.lp[1], 8)) if layout.lp else None,
        locked_bps=_share_bps(_number(data, layout.locked[1], 16), _number(data, layout.locked[0], 16))
        if layout.locked
        else None,
        canonical=layout.program == pump_swap.PROGRAM and pump_swap.decode_pool(data).pumps,
        priced=venue_pools.load(dumps, str(address)),
        dumps=dumps,
        clock=now,
        slot=slot,
    )


def _load_curve(reader: Reader, address: Pubkey, account: Account, mint: Pubkey, program: Pubkey) -> Pool:
    if address != layouts.curve_address(mint):
        raise NoPoolError(f"{address} is not the bonding curve of {mint}")
    keys = layouts.curve_keys(mint, program, pump_fun.decode_curve(account.data))
    slot, found, now = _read(reader, [address, mint, keys.tokens, keys.quote, *keys.needs])
    dumps = _dumps(found)
    curve = pump_fun.decode_curve(dumps.need(str(address), "curve").data)
    if curve.complete:
        raise NoPoolError(f"the bonding curve {address} is complete: the token trades in a pool now")
    tokens = _holding(found, keys.tokens, mint)
    return Pool(
        address=address,
        venue="pump_fun",
        mint=mint,
        quote=keys.quote,
        sell_a_to_b=True,
        programs=(program, found[keys.quote].owner),
        vaults=(keys.tokens, address),
        held=tokens.amount,
        depth=curve.real[1],
        frozen=tokens.frozen,
        creators=tuple(key for key in (curve.creator,) if key != Pubkey.default()),
        opened=0,
        lp=None,
        locked_bps=None,
        canonical=True,
        priced=venue_pools.load(dumps, str(address)),
        dumps=dumps,
        clock=now,
        slot=slot,
    )


def _holding(found: Mapping[Pubkey, Account], key: Pubkey, mint: Pubkey) -> Holding:
    account = found.get(key)
    held = holding(account.owner, account.data) if account is not None else None
    if held is None or held.mint != mint:
        raise NoPoolError(f"vault {key} is no token account of {mint}")
    return held


def _number(data: bytes, offset: int, size: int) -> int:
    return int.from_bytes(data[offset : offset + size], "little")


def _share_bps(part: int, whole: int) -> int:
    return part * 10_000 // whole if whole else 0


def _creators(layout: layouts.Layout, data: bytes) -> tuple[Pubkey, ...]:
    keys = [key_at(data, at) for at in layout.creators if at + 32 <= len(data)]
    return tuple(key for key in dict.fromkeys(keys) if key != Pubkey.default())


# -- which pool ------------------------------------------------------------------------------------------


def find(reader: Reader, mint: Pubkey, program: Pubkey, quotes: Mapping[Pubkey, int]) -> Pubkey:
    """The deepest pool of `mint` against one of `quotes` (mint -> the least depth it should have).

    Depth is compared in multiples of the least. A bonding curve that is not complete is taken before any pool.

    Raises:
        NoPoolError: there is none.
    """
    curve = layouts.curve_address(mint)
    (account,) = reader.accounts([curve]).accounts
    if account is not None and account.owner == pump_fun.PROGRAM and not pump_fun.decode_curve(account.data).complete:
        return curve
    candidates: list[tuple[Pubkey, Pubkey, Pubkey]] = []
    refused: list[str] = []
    for layout in LAYOUTS.values():
        for side in (0, 1):
            try:
                candidates += _candidates(reader, layout, mint, side, quotes)
            except RpcError as error:
                refused.append(f"{layout.name}: {error}")
    read = reader.accounts([vault for _, vault, _ in candidates])
    best: tuple[float, Pubkey] | None = None
    for (address, _, quote), vault in zip(candidates, read.accounts, strict=True):
        held = holding(vault.owner, vault.data) if vault is not None else None
        if held is not None:
            depth = held.amount / max(quotes[quote], 1)
            best = max(best or (depth, address), (depth, address), key=_first)
    if best is None:
        nodes = f"; the node refused to look for some ({refused[0]}): name one with --pool" if refused else ""
        raise NoPoolError(f"no pool of {mint} against a token of safety.min_liquidity was found{nodes}")
    return best[1]


def _first(pair: tuple[float, Pubkey]) -> float:
    return pair[0]


def _candidates(
    reader: Reader, layout: layouts.Layout, mint: Pubkey, side: int, quotes: Mapping[Pubkey, int]
) -> list[tuple[Pubkey, Pubkey, Pubkey]]:
    """Pools with `mint` on `side`: address, the other token's vault, the other mint."""
    filters: list[dict[str, object]] = [{"memcmp": {"offset": layout.mints[side], "bytes": str(mint)}}]
    if layout.size is not None:
        filters.append({"dataSize": layout.size})
    discriminator = POOL_DISCRIMINATORS.get(layout.program)
    if discriminator is not None:
        filters.append({"memcmp": {"offset": 0, "bytes": base58.encode(discriminator)}})
    found = []
    for address, account in reader.owned(layout.program, filters):
        other = key_at(account.data, layout.mints[1 - side])
        if other in quotes:
            found.append((address, key_at(account.data, layout.vaults[1 - side]), other))
    return found
