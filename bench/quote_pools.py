"""Pools for `bench quote`: recorded ones where there are any, otherwise of the emulated market; and what to ask them.

All are loaded through the engine's own store, so that the states are those that travel in market messages.
"""

from __future__ import annotations

import os
import random
import struct
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from solders.pubkey import Pubkey

from bench.harness.result import ROOT
from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.simnet import config as simnet_config
from sniperforge.simnet.market import GenesisBuilder
from sniperforge.venues import dumps, pools, raydium_clmm
from sniperforge.venues.dumps import Account, Dumps
from sniperforge.venues.store import PoolStore

SLOT, NOW = 400_000_000, 1_790_000_000
TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
RECORDED = {
    "raydium_cpmm": ("raydium_cpmm/sol_usdc", "7JuwJuNU88gurFnyWeiyGKbFmExMWcmRZntn9imEzdny"),
    "raydium_amm_v4": ("raydium_amm_v4/sol_usdc", "58oQChx4yWmvKdwLLZzBi4ChoCc2fqCUWBkwMihLYQo2"),
    "pump_swap": ("pump_amm/usdc_sol", "Gf7sXMoP8iRw4iiXmJ1nq4vxcRycbGXy5RL8a8LnTd3v"),
    "pump_fun": None,
    "meteora_damm_v2": ("meteora_damm_v2", "8Pm2kZpnxD3hoMmt4bjStX2Pw2Z9abpbHzZxMPqxPmie"),
    "orca_whirlpool": ("orca_whirlpool/sol_usdc_ts64_2023", "HJPjoWUrhoZzkNfRpHuieeFk9WcZWjwy6PBjZ81ngndJ"),
    "raydium_clmm": ("raydium_clmm/sol_usdc_captures", ""),
    "meteora_dlmm": (
        "meteora_dlmm/EtAdVRLFH22rjWh3mcUasKFF27WtHhsaCvK27tPFFWig",
        "EtAdVRLFH22rjWh3mcUasKFF27WtHhsaCvK27tPFFWig",
    ),
}
"""By venue: directory of the recorded accounts and the pool's address; None: none is recorded."""
CONFIG_BYTES, CONFIG_RATE_AT = 117, 47
"""A CLMM config account, which the captures lack, and where its trade rate stands."""
CROSSED_MOST = 8
SMALL = 1_000_000
"""Amounts below may be refused because they pay nothing."""


class Ask(NamedTuple):
    """One swap: direction, whether `amount` goes in or comes out, and it."""

    a_to_b: bool
    exact_in: bool
    amount: int


class _Array(msgspec.Struct):
    data_b64: str


class _Capture(msgspec.Struct):
    """A Raydium CLMM pool right before a swap."""

    pool_address: str
    pool_b64: str
    tick_arrays: list[_Array]


@dataclass(frozen=True)
class Pool:
    """A pool as `book` has it, and the same for those that quote from accounts."""

    venue: str
    where: str
    address: str
    payload: bytes
    dumps: Dumps
    priced: pools.Priced

    def quote(self, ask: Ask) -> Any:
        """What the engine says, as `sf_quote_t *`."""
        got = ffi.new("sf_quote_t *")
        check(lib.ipc_pool_quote(self.payload, len(self.payload), ask.a_to_b, ask.exact_in, ask.amount, got))
        return got


def data_directory() -> Path:
    """Where recorded data lies."""
    return Path(os.environ.get("SNIPERFORGE_DATA") or ROOT.parent / "shared" / "data")


def _capture_dumps(directory: Path) -> Iterator[tuple[Dumps, str]]:
    """Each capture of a Raydium CLMM pool as dumps, with a config account of the captured pool's rate."""
    owner = str(raydium_clmm.PROGRAM)
    metadata = msgspec.json.decode((directory / "clmm_pool_metadata.json").read_bytes())
    rate = round(metadata["fee_rate"] * 1_000_000)
    config = bytes(CONFIG_RATE_AT) + rate.to_bytes(4, "little") + bytes(CONFIG_BYTES - CONFIG_RATE_AT - 4)
    config = raydium_clmm.CONFIG_DISCRIMINATOR + config[8:]
    for path in sorted(directory.glob("swap_*.json")):
        capture = msgspec.json.decode(path.read_bytes(), type=_Capture)
        pool = b64decode(capture.pool_b64)
        accounts = [
            Account(capture.pool_address, owner, pool, path),
            Account(str(raydium_clmm.decode_pool(pool).config), owner, config, path),
        ]
        for number, array in enumerate(capture.tick_arrays):  # nobody looks at their addresses
            accounts.append(Account(str(Pubkey([number + 1] * 32)), owner, b64decode(array.data_b64), path))
        yield Dumps(str(directory), accounts), capture.pool_address


def _stored(found: Dumps, address: str, mints: Iterable[Pubkey | None]) -> bytes | None:
    """The payload of the pool's market message; None if the accounts do not price it."""
    with PoolStore(pools=64, mints=64) as store:
        store.time(NOW)
        rest = [account for account in found if account.address != address]
        for account in (found[address], *rest):
            if len(account.data) <= 10_240:
                key, owner = (bytes(Pubkey.from_string(text)) for text in (account.address, account.owner))
                store.account(key, owner, account.data, slot=SLOT)
        plain = struct.pack("<36xQBB36x", 10**15, 6, 1)  # decimals do not matter to a quote
        for mint in mints:
            if mint is not None and str(mint) not in found:
                store.account(bytes(mint), bytes(Pubkey.from_string(TOKEN_PROGRAM)), plain, slot=SLOT)
        store.slot(SLOT + 1)
        return store.payloads().get(bytes(Pubkey.from_string(address)))


def _pool(venue: str, where: str, found: Dumps, address: str) -> Pool | None:
    priced = pools.load(found, address)
    payload = _stored(found, address, priced.mints)
    return Pool(venue, where, address, payload, found, priced) if payload else None


def _recorded(venue: str) -> Pool | str:
    """The recorded pool of a venue, or why there is none."""
    entry = RECORDED[venue]
    if entry is None:
        return "no pool of it is recorded"
    directory = data_directory() / "accounts" / entry[0]
    if not directory.is_dir():
        return f"no recorded accounts at {directory}; set SNIPERFORGE_DATA"
    if venue == "raydium_clmm":
        made = [_pool(venue, "recorded", *capture) for capture in _capture_dumps(directory)]
        deepest = max((pool for pool in made if pool), key=_depth, default=None)
        return deepest or "no capture prices its pool"
    return _pool(venue, "recorded", dumps.load(directory), entry[1]) or "the recorded accounts do not price the pool"


def _depth(pool: Pool) -> int:
    """How many ticks or bins can be crossed, the lesser of both directions."""
    return min(len(crossing_limits(pool, a_to_b)) for a_to_b in (True, False))


def _emulated(venue: str) -> Pool | str:
    """A pool of the venue in the market that simnet makes."""
    market = {"enabled": True, "venues": [venue], "pools": 4, "transfer_fee_bps": 0, "traders": 1}
    built = simnet_config.load([simnet_config.DEFAULT_CONFIG], {"market": market})
    genesis = GenesisBuilder(built, {}, NOW)
    genesis.build()
    accounts = [
        Account(str(key), str(account.owner), bytes(account.data), ROOT) for key, account in genesis.accounts.items()
    ]
    found = Dumps("the emulated market", accounts)
    for pool in genesis.market.pools:
        made = _pool(venue, "emulated", found, pool.address)
        if made is not None:
            return made
    return "the emulated market's pools of it are not priced"


def load(venue: str) -> tuple[Pool | None, str]:
    """A venue's pool, and why it is not a recorded one, or none at all."""
    recorded = _recorded(venue)
    if isinstance(recorded, Pool):
        return recorded, ""
    emulated = _emulated(venue)
    if isinstance(emulated, Pool):
        return emulated, recorded
    return None, f"{recorded}; {emulated}"


# -- what to ask -------------------------------------------------------------------------------------------------------


def _greatest(holds: Callable[[int], bool]) -> int:
    """The greatest amount below 2^62 for which this holds, if it holds for all smaller ones; 0 if for none."""
    low, high = 0, 1
    while high < 2**62 and holds(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def crossing_limits(pool: Pool, a_to_b: bool) -> list[int]:
    """By number of ticks or bins crossed, from 0 on, the greatest input that crosses no more of them; where nothing is
    crossed half the reserve at most, because nobody swaps more."""

    def within(most: int) -> Callable[[int], bool]:
        def holds(amount: int) -> bool:
            got = pool.quote(Ask(a_to_b, True, amount))
            small = got.status == lib.SF_QUOTE_REFUSED and amount < SMALL  # it pays nothing
            return small or (got.status == lib.SF_QUOTE_OK and got.crossed <= most)

        return holds

    update = ffi.from_buffer("sf_pool_update_t *", pool.payload, require_writable=False)
    limits: list[int] = []
    for most in range(CROSSED_MOST + 1):
        limit = _greatest(within(most))
        if limits and limit <= limits[-1]:
            break  # the loaded ticks end
        limits.append(limit)
    return [min(limits[0], max(int(update.reserve[not a_to_b]) // 2, 1)), *limits[1:]]


def drawn(pool: Pool, chosen: random.Random, kind: Ask, count: int, span: tuple[int, int], crossed: int) -> list[Ask]:
    """Asks of the kind's direction and mode, the amounts random in the span: where nothing is crossed, each order of
    magnitude as often as the next. Only asks that are paid, and cross so many (-1: any number); fewer than
    asked for, if they are rare."""
    low, high = max(span[0], 1), max(span[1], 1)
    found: list[Ask] = []
    for _ in range(8 * count):
        amount = chosen.randint(low, high) if crossed > 0 else int(low * (high / low) ** chosen.random())
        ask = Ask(kind.a_to_b, kind.exact_in, min(max(amount, low), high))
        got = pool.quote(ask)
        if got.status == lib.SF_QUOTE_OK and crossed in (-1, got.crossed):
            found.append(ask)
            if len(found) == count:
                break
    return found


@dataclass(frozen=True)
class Group:
    """Asks that are timed together. `copies`: over so many copies of the state."""

    name: str
    asks: Sequence[Ask]
    copies: int = 0


def write(path: Path, asked: Sequence[tuple[Pool, Sequence[Group]]]) -> None:
    """The file that `bench/c/quote.c` reads."""

    def padded(data: bytes) -> bytes:
        return data + bytes(-len(data) % 16)

    parts = [b"SFQUOTE1", struct.pack("<II", len(asked), 0)]
    for pool, groups in asked:
        parts += [struct.pack("<IIII", len(pool.payload), len(groups), 0, 0), padded(pool.payload)]
        for group in groups:
            parts.append(struct.pack("<56sII", group.name.encode(), len(group.asks), group.copies))
            parts += [struct.pack("<QII", ask.amount, ask.a_to_b, ask.exact_in) for ask in group.asks]
    path.write_bytes(b"".join(parts))
