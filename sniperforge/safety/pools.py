"""The pool a token would be sold in: read from the chain with all that prices it, and found if none is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from solders.pubkey import Pubkey

from ipc.errors import CoreError
from sniperforge.discovery import BY_PROGRAM, NoPoolError, Venue
from sniperforge.discovery.anatomy import associated, curve_of
from sniperforge.rpc import RpcError
from sniperforge.safety.layouts import LAYOUTS, Layout, key_at, number_at, pricing
from sniperforge.safety.mint import Holding, holding
from sniperforge.safety.reader import CLOCK, Account, Clock, Reader, clock
from sniperforge.venues import dumps as venue_dumps
from sniperforge.venues import pools as venue_pools
from sniperforge.venues import pump_fun, pump_swap
from sniperforge.venues.dumps import Dumps
from sniperforge.venues.pools import Priced
from sniperforge.venues.quote import Quote


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
    venue = BY_PROGRAM.get(account.owner)
    if venue is None:
        raise NoPoolError(f"{address} belongs to {account.owner}, which is no venue we know")
    try:
        if venue.program == pump_fun.PROGRAM:
            return _load_curve(reader, address, account, mint, program)
        return _load_pool(reader, address, account, venue, mint, program)
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


def _load_pool(reader: Reader, address: Pubkey, account: Account, venue: Venue, mint: Pubkey, program: Pubkey) -> Pool:
    layout = LAYOUTS[venue.program]
    anatomy = venue.anatomy(address, account.data)
    first, second = anatomy.mints
    if mint not in (first, second) or first is None:
        raise NoPoolError(f"{address} trades {first} and {second}, not {mint}")
    mints, vaults = (first, second), anatomy.vaults
    side = mints.index(mint)
    slot, found, now = _read(reader, [address, *mints, *vaults, *pricing(venue, address, account.data)])
    dumps = _dumps(found)
    data = dumps.need(str(address), "pool").data
    quote = mints[1 - side]
    held, depth = (_holding(found, vaults[i], mints[i]) for i in (side, 1 - side))
    return Pool(
        address=address,
        venue=venue.name,
        mint=mint,
        quote=quote,
        sell_a_to_b=side == 0,
        programs=(program, found[quote].owner),
        vaults=(vaults[side], vaults[1 - side]),
        held=held.amount,
        depth=depth.amount,
        frozen=held.frozen or depth.frozen,
        creators=_creators(layout, data),
        opened=number_at(data, layout.open_time, 8) if layout.open_time is not None else 0,
        lp=Lp(key_at(data, layout.lp[0]), number_at(data, layout.lp[1], 8)) if layout.lp else None,
        locked_bps=_locked_bps(data, *layout.locked) if layout.locked else None,
        canonical=venue.program == pump_swap.PROGRAM and pump_swap.decode_pool(data).pumps,
        priced=venue_pools.load(dumps, str(address), frozen=True),
        dumps=dumps,
        clock=now,
        slot=slot,
    )


def _load_curve(reader: Reader, address: Pubkey, account: Account, mint: Pubkey, program: Pubkey) -> Pool:
    if address != curve_of(mint):
        raise NoPoolError(f"{address} is not the bonding curve of {mint}")
    venue = BY_PROGRAM[pump_fun.PROGRAM]
    anatomy = venue.anatomy(address, account.data)
    quote, vault = anatomy.mints[1], associated(address, mint, program)
    slot, found, now = _read(reader, [address, mint, vault, quote, *anatomy.shared])
    dumps = _dumps(found)
    curve = pump_fun.decode_curve(dumps.need(str(address), "curve").data)
    if curve.complete:
        raise NoPoolError(f"the bonding curve {address} is complete: the token trades in a pool now")
    tokens = _holding(found, vault, mint)
    return Pool(
        address=address,
        venue="pump_fun",
        mint=mint,
        quote=quote,
        sell_a_to_b=True,
        programs=(program, found[quote].owner),
        vaults=(vault, address),
        held=tokens.amount,
        depth=curve.real[1],
        frozen=tokens.frozen,
        creators=tuple(key for key in (curve.creator,) if key != Pubkey.default()),
        opened=0,
        lp=None,
        locked_bps=None,
        canonical=True,
        priced=venue_pools.load(dumps, str(address), frozen=True),
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


def _locked_bps(data: bytes, liquidity: int, locked: int) -> int:
    whole = number_at(data, liquidity, 16)
    return number_at(data, locked, 16) * 10_000 // whole if whole else 0


def _creators(layout: Layout, data: bytes) -> tuple[Pubkey, ...]:
    keys = [key_at(data, at) for at in layout.creators if at + 32 <= len(data)]
    return tuple(key for key in dict.fromkeys(keys) if key != Pubkey.default())


# -- which pool ------------------------------------------------------------------------------------------


def find(reader: Reader, mint: Pubkey, program: Pubkey, quotes: Mapping[Pubkey, int]) -> Pubkey:
    """The deepest pool of `mint` against one of `quotes` (mint -> the least depth it should have).

    Depth is compared in multiples of the least. A bonding curve that is not complete is taken before any pool.

    Raises:
        NoPoolError: there is none.
    """
    curve = curve_of(mint)
    (account,) = reader.accounts([curve]).accounts
    if account is not None and account.owner == pump_fun.PROGRAM and not pump_fun.decode_curve(account.data).complete:
        return curve
    candidates: list[tuple[Pubkey, Pubkey, Pubkey]] = []
    refused: list[str] = []
    for program_id in LAYOUTS:
        venue = BY_PROGRAM[program_id]
        for side in (0, 1):
            try:
                candidates += _candidates(reader, venue, mint, side, quotes)
            except RpcError as error:
                refused.append(f"{venue.name}: {error}")
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
    reader: Reader, venue: Venue, mint: Pubkey, side: int, quotes: Mapping[Pubkey, int]
) -> list[tuple[Pubkey, Pubkey, Pubkey]]:
    """Pools with `mint` on `side`: address, the other token's vault, the other mint."""
    offset = LAYOUTS[venue.program].mints[side]
    found = []
    for address, account in reader.owned(
        venue.program, [*venue.filters, {"memcmp": {"offset": offset, "bytes": str(mint)}}]
    ):
        try:
            anatomy = venue.anatomy(address, account.data)
        except ValueError:
            continue  # no pool, or a broken one
        other = anatomy.mints[1 - side]
        if other is not None and other in quotes:
            found.append((address, anatomy.vaults[1 - side], other))
    return found
