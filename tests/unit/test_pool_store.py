"""The store of pools over recorded accounts of every venue: it quotes as the venue's own state does."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator

import pytest
from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from sniperforge.journal.records import VENUES
from sniperforge.simnet import pump_fun_accounts
from sniperforge.venues import pools
from sniperforge.venues.dumps import Account, AmbiguousAccountError, Dumps, MissingAccountError, snapshots
from sniperforge.venues.store import PoolStore
from tests.data import data_dir

TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
DECIMALS = {"So11111111111111111111111111111111111111112": 9, "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v": 6}
SLOT, NOW = 400_000_000, 1_790_000_000
TOKEN_FUNDS = 1
LEAST = {
    "raydium cpmm": 1,
    "raydium amm v4": 1,
    "meteora dlmm": 3,
    "meteora damm v2": 3,
    "pump swap": 1,
    "orca whirlpool": 3,
}
"""Pools of each venue of this build that the recorded accounts have in full."""


def quote(payload: bytes, a_to_b: bool, exact_in: bool, amount: int) -> tuple[int, int, int]:
    got = ffi.new("sf_quote_t *")
    assert lib.ipc_pool_quote(payload, len(payload), a_to_b, exact_in, amount, got) == 0
    return got.status, got.amount_in, got.amount_out


def mint_bytes(decimals: int) -> bytes:
    return struct.pack("<36xQBB36x", 10**15, decimals, 1)


def known(account: Account) -> bool:
    return account.owner in pools._LOADERS


def loaded(dumps: Dumps) -> Iterator[tuple[str, pools.Priced]]:
    """The pools among `dumps` that have all that prices them, as the venues' own decoders see them."""
    for account in dumps:
        if known(account):
            try:
                yield account.address, pools.load(dumps, account.address)
            except (ValueError, LookupError, AmbiguousAccountError, MissingAccountError):
                continue
            except Exception as error:
                if "SF_ERR" not in repr(error) and "bytes" not in str(error):
                    raise


def fill(store: PoolStore, dumps: Dumps, priced: dict[str, pools.Priced]) -> None:
    store.time(NOW)
    rest = [account for account in dumps if account.address not in priced]
    for account in [*(dumps[address] for address in priced), *rest]:
        if len(account.data) <= 10_240:
            key, owner = (bytes(Pubkey.from_string(text)) for text in (account.address, account.owner))
            store.account(key, owner, account.data, slot=SLOT)
    for mint in {str(mint) for pool in priced.values() for mint in pool.mints} - {account.address for account in dumps}:
        if mint in DECIMALS:
            token = bytes(Pubkey.from_string(TOKEN))
            store.account(bytes(Pubkey.from_string(mint)), token, mint_bytes(DECIMALS[mint]), slot=SLOT)
    store.slot(SLOT + 1)


def test_pools_are_quoted_as_by_their_venues() -> None:
    seen: Counter[str] = Counter()
    swaps = 0
    for dumps in snapshots(data_dir("accounts"))[:-1]:
        priced = dict(loaded(dumps))
        with PoolStore(pools=64, mints=64) as store:
            fill(store, dumps, priced)
            payloads = store.payloads()
        for address, pool in priced.items():
            payload = payloads.get(bytes(Pubkey.from_string(address)))
            if payload is None:
                continue
            update = ffi.from_buffer("sf_pool_update_t *", payload, require_writable=False)
            seen[VENUES[update.venue]] += 1
            assert update.slot == SLOT and update.unix_s == NOW
            assert len(payload) == ffi.sizeof("sf_pool_update_t") + update.state_bytes
            for a_to_b in (True, False):
                for exact_in in (True, False):
                    for power in range(1, 16):
                        status, amount_in, amount_out = quote(payload, a_to_b, exact_in, 10**power)
                        expected = pool.c[not exact_in](a_to_b, 10**power, NOW)
                        if status == lib.SF_QUOTE_EXHAUSTED or expected.error == TOKEN_FUNDS:
                            continue  # beyond what travels; a vault that is not watched holds less than the bins
                        swaps += status == lib.SF_QUOTE_OK
                        assert (status == lib.SF_QUOTE_OK) == (expected.status == "ok"), (address, power)
                        if status == lib.SF_QUOTE_OK:
                            assert (amount_in, amount_out) == (expected.amount_in, expected.amount_out), (
                                address,
                                power,
                            )
                side = not a_to_b
                if update.rate[side]:
                    amount = int(min(update.limit[side], 10.0**12) / 2)
                    status, _, out = quote(payload, a_to_b, True, amount)
                    curve = update.rate[side] * amount / (1 + update.depth[side] * amount)
                    assert status == lib.SF_QUOTE_OK
                    rounding = 1e-6 * curve + 3 + 3 * update.rate[side]
                    # where a mint withholds up to a maximum, a large swap pays more than the curve
                    assert -rounding <= out - curve <= rounding + 0.01 * curve, (address, amount)
    assert all(seen[venue] >= count for venue, count in LEAST.items()), seen
    assert swaps > 10 * sum(LEAST.values())


def test_what_is_no_account_of_a_pool_changes_nothing() -> None:
    with PoolStore(pools=4, mints=4) as store:
        store.account(bytes(32), bytes(32), b"", slot=1)
        store.account(bytes([1]) * 32, bytes(Pubkey.from_string(next(iter(pools._LOADERS)))), bytes(100), slot=1)
        store.slot(2)
        assert not store.payloads()
        with pytest.raises(Exception, match="longer"):
            store.account(bytes(32), bytes(32), bytes(10_241), slot=1)


def needs(venue: int) -> None:
    if lib.sf_venue_get(venue) == ffi.NULL:
        pytest.skip(f"this build does not know {VENUES[venue]}")


def token_account(mint: bytes, owner: bytes, amount: int) -> bytes:
    return struct.pack("<32s32sQ36xB56x", mint, owner, amount, 1)


def _array_of(account: Account) -> int:
    return int(struct.unpack_from("<q", account.data, 8)[0])


def _active_array(pair: Account) -> int:
    return int(struct.unpack_from("<i", pair.data, 76)[0]) // 70


def test_accounts_that_name_their_pool_are_read_again_after_a_reset() -> None:
    needs(lib.SF_VENUE_METEORA_DLMM)
    dumps = snapshots(data_dir("accounts/meteora_dlmm/EtAdVRLFH22rjWh3mcUasKFF27WtHhsaCvK27tPFFWig"))[-1]
    (address, priced), *_ = loaded(dumps)
    pool = dumps[address]
    key, program = bytes(Pubkey.from_string(address)), bytes(Pubkey.from_string(pool.owner))
    arrays = [each for each in dumps if each.owner == pool.owner and key in each.data and each.address != address]
    assert len(arrays) > 1

    def put(store: PoolStore, account: Account, slot: int, data: bytes | None = None, snapshot: bool = True) -> None:
        bytes_of = account.data if data is None else data
        store.account(bytes(Pubkey.from_string(account.address)), program, bytes_of, slot=slot, snapshot=snapshot)

    with PoolStore(pools=4, mints=8) as store:
        fill(store, dumps, {address: priced})
        before = store.payloads()[key]
        store.reset()
        assert not store.payloads()
        put(store, pool, SLOT + 10)
        for array in arrays[:-1]:
            put(store, array, SLOT + 10)
            assert not store.payloads()
        put(store, arrays[-1], SLOT + 10)
        head = ffi.sizeof("sf_pool_update_t")
        again = store.payloads()[key]
        assert quote(again, True, True, 10**6) == quote(before, True, True, 10**6) and len(again) == len(before) >= head
        # an array off the active bin changes: its pair may be on its way, so that waits for the end of the slot
        active = min(arrays, key=lambda each: abs(_array_of(each) - _active_array(pool)))
        other = next(each for each in arrays if each is not active)
        was = store.payloads()[key]
        put(store, other, SLOT + 10, snapshot=False)
        store.time(NOW + 5)
        put(store, other, SLOT + 10, snapshot=False)
        assert store.payloads()[key] == was
        store.slot(SLOT + 11)
        assert store.payloads()[key] != was
        # bytes that do not decode, good ones again, and an account that is closed
        put(store, arrays[0], SLOT + 11, arrays[0].data[:-8], snapshot=False)
        assert not store.payloads() and store.malformed == 1
        put(store, arrays[0], SLOT + 12, snapshot=False)
        store.slot(SLOT + 13)
        assert quote(store.payloads()[key], True, True, 10**6) == quote(before, True, True, 10**6)
        store.reset()
        put(store, arrays[0], SLOT + 20, b"")
        put(store, pool, SLOT + 20)
        for array in arrays[1:]:
            put(store, array, SLOT + 20)
        store.slot(SLOT + 21)
        assert key in store.payloads()


def test_a_pool_that_does_not_say_its_mint_waits_for_a_token_account_of_it() -> None:
    needs(lib.SF_VENUE_PUMP_FUN)
    mint = Pubkey.new_unique()
    keys = pump_fun_accounts.derive_curve(mint)
    curve = pump_fun_accounts.curve_data()
    settings = pump_fun_accounts.global_data(
        authority=Pubkey.new_unique(), fee_recipient=Pubkey.new_unique(), fee_basis_points=100
    )
    program, token = bytes(pump_fun_accounts.PROGRAM_ID), bytes(Pubkey.from_string(TOKEN))
    with PoolStore(pools=4, mints=8) as store:
        store.time(NOW)
        store.account(bytes(keys.curve), program, curve, slot=SLOT)
        store.account(bytes(pump_fun_accounts.GLOBAL), program, settings, slot=SLOT)
        sol = bytes(pools.WRAPPED_SOL)
        store.account(sol, token, mint_bytes(9), slot=SLOT)
        spam = token_account(bytes(Pubkey.new_unique()), bytes(keys.curve), 5)
        store.account(bytes(Pubkey.new_unique()), token, spam, slot=SLOT)
        assert not store.payloads() and store.malformed == 1
        coins = token_account(bytes(mint), bytes(keys.curve), pump_fun_accounts.INITIAL_REAL_TOKENS)
        store.account(bytes(keys.curve_tokens), token, coins, slot=SLOT)
        (payload,) = store.payloads().values()
        status, amount_in, amount_out = quote(payload, False, True, 10**9)
        assert status == lib.SF_QUOTE_OK and amount_in <= 10**9 and amount_out > 0
