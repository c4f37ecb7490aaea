"""Meteora DAMM v2: the Python reference against the C core on random pools, and both against the real program."""

from __future__ import annotations

import base64
import json
import random
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from solders.pubkey import Pubkey

from sniperforge.venues import golden
from sniperforge.venues import meteora_damm_v2 as damm
from tests import core_library
from tests.data import data_dir

U64 = 2**64
Q64 = 2**64
ROWS = 100_000

DECLARATIONS = """
void run( uint8_t const * pools, uint64_t const * terms, uint64_t cnt, uint64_t * out );
void addresses( uint8_t * out );
uint32_t accounts( uint8_t const * pool, uint8_t * keys, uint8_t * flags );
void data( uint64_t amount, uint64_t threshold, uint32_t mode, uint8_t * out );
int event( uint8_t const * data, uint32_t len, uint64_t * out );
"""
GLUE = """
#include "dex/meteora_damm_v2.h"
#include <string.h>
/* a row: maximum and basis points of both transfer fees, slot, referral, mode, direction, amount, now */
void run( uint8_t const * pools, uint64_t const * t, uint64_t cnt, uint64_t * out ) {
  for( uint64_t i = 0; i < cnt; i++, pools += 1112, t += 10, out += 20 ) {
    sf_meteora_damm_v2_state_t s;
    sf_quote_t q;
    memset( out, 0, 20 * sizeof( uint64_t ) );
    out[0] = (uint64_t)-sf_meteora_damm_v2_decode( pools, 1112, &s );
    if( out[0] ) continue;
    s.transfer_fee[0] = ( sf_transfer_fee_t ){ t[0], t[1] };
    s.transfer_fee[1] = ( sf_transfer_fee_t ){ t[2], t[3] };
    s.slot            = t[4];
    s.referral        = (uint8_t)t[5];
    memset( &q, 0x5a, sizeof( q ) );
    if( t[6] == 0 ) sf_meteora_damm_v2_quote_in( &s, (int)t[7], t[8], t[9], &q );
    if( t[6] == 1 ) sf_meteora_damm_v2_quote_partial( &s, (int)t[7], t[8], t[9], &q );
    if( t[6] == 2 ) sf_meteora_damm_v2_quote_out( &s, (int)t[7], t[8], t[9], &q );
    out[1]  = q.status;
    out[2]  = q.error;
    out[3]  = q.amount_in;
    out[4]  = q.amount_out;
    out[5]  = q.fee;
    out[6]  = q.protocol_fee;
    out[7]  = q.creator_fee;
    out[8]  = q.reserve_a;
    out[9]  = q.reserve_b;
    out[10] = (uint64_t)q.sqrt_price;
    out[11] = (uint64_t)( q.sqrt_price >> 64 );
    out[12] = q.fee_in_input;
    out[13] = q.impact_ppm <= 1000000;
    if( q.status ) continue;
    sf_meteora_damm_v2_apply( &s, &q, t[9] );
    out[14] = s.volatility;
    out[15] = s.volatility_carry;
    out[16] = s.volatility_time;
    out[17] = s.fee_variable;
    out[18] = (uint64_t)s.sqrt_reference;
    out[19] = (uint64_t)( s.sqrt_reference >> 64 );
  }
}
void addresses( uint8_t * out ) {
  memcpy( out, sf_meteora_damm_v2_program, 32 );
  memcpy( out + 32, sf_meteora_damm_v2_authority, 32 );
  memcpy( out + 64, sf_meteora_damm_v2_event_authority, 32 );
}
uint32_t accounts( uint8_t const * pool, uint8_t * keys, uint8_t * flags ) {
  sf_meteora_damm_v2_state_t s;
  sf_account_meta_t meta[SF_METEORA_DAMM_V2_ACCOUNT_CNT_MAX];
  uint8_t key[4][32] = { { 1 }, { 2 }, { 3 }, { 4 } };
  uint32_t cnt;
  if( sf_meteora_damm_v2_decode( pool, 1112, &s ) ) return 0;
  sf_meteora_damm_v2_swap_accounts( &s, key[0], key[1], key[2], key[3], meta, &cnt );
  for( uint32_t i = 0; i < cnt; i++ ) {
    memcpy( keys + 32 * i, meta[i].pubkey, 32 );
    flags[i] = (uint8_t)( meta[i].signer * 2 + meta[i].writable );
  }
  return cnt;
}
void data( uint64_t amount, uint64_t threshold, uint32_t mode, uint8_t * out ) {
  sf_meteora_damm_v2_swap_t swap = { amount, threshold, mode };
  sf_meteora_damm_v2_swap_data( &swap, out );
}
int event( uint8_t const * data, uint32_t len, uint64_t * out ) {
  sf_meteora_damm_v2_event_t e;
  int err = sf_meteora_damm_v2_event_read( data, len, &e );
  if( err ) return err;
  uint64_t all[] = { e.pool[0], e.a_to_b,    e.swap.amount, e.swap.threshold, e.swap.mode,           e.amount_in,
                     e.amount_out, e.fee,    e.unix_time,   (uint64_t)e.sqrt_price, (uint64_t)( e.sqrt_price >> 64 ) };
  memcpy( out, all, sizeof( all ) );
  return 0;
}
"""
SOURCES = [f"dex/meteora_damm_v2{part}.c" for part in ("", "_fee", "_quote", "_swap")]


class Swap(NamedTuple):
    fees: tuple[damm.TransferFee, damm.TransferFee] = (damm.TransferFee(), damm.TransferFee())
    slot: int = U64 - 1
    referral: bool = False
    mode: int = 0
    a_to_b: bool = True
    amount: int = 0
    now: int = 0


Row = tuple[bytes, Swap]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    return core_library.build(tmp_path_factory.mktemp("damm_v2"), SOURCES, DECLARATIONS, GLUE)


@pytest.fixture(scope="module")
def core(library: tuple[Any, Any]) -> Callable[[list[Row]], list[tuple[int, ...]]]:
    ffi, lib = library

    def run(rows: list[Row]) -> list[tuple[int, ...]]:
        terms = ffi.new(
            "uint64_t[]",
            [
                word
                for _, s in rows
                for word in (*s.fees[0], *s.fees[1], s.slot, s.referral, s.mode, s.a_to_b, s.amount, s.now)
            ],
        )
        out = ffi.new("uint64_t[]", 20 * len(rows))
        pools = b"".join(pool for pool, _ in rows)
        lib.run(ffi.from_buffer(pools), terms, len(rows), out)
        flat = ffi.unpack(out, 20 * len(rows))
        return [tuple(flat[at : at + 20]) for at in range(0, len(flat), 20)]

    return run


def reference(row: Row) -> tuple[int, ...]:
    data, swap = row
    try:
        pool = damm.decode_pool(data)
    except damm.VenueDataError:
        return (4, *[0] * 19)
    pool = replace(pool, transfer_fees=swap.fees, slot=swap.slot, referral=swap.referral)
    quote = (pool.quote_in, pool.quote_partial, pool.quote_out)[swap.mode](swap.a_to_b, swap.amount, swap.now)
    answer = (
        0,
        int(quote.status != "ok"),
        *(quote.error, quote.amount_in, quote.amount_out, quote.fee, quote.protocol_fee, quote.creator_fee),
        *(quote.reserve_a, quote.reserve_b, quote.sqrt_price % Q64, quote.sqrt_price // Q64, int(quote.fee_in_input)),
        1,
    )
    seen = pool.after(quote, swap.now).volatility if quote.status == "ok" else None
    if seen is None:
        return (*answer, *[0] * 6)
    return (
        *(*answer, seen.accumulator, seen.carried, seen.updated, seen.rate()),
        *(seen.reference % Q64, seen.reference // Q64),
    )


def word(rng: random.Random, bits: int = 64) -> int:
    if rng.randrange(8) == 0:
        top = 1 << bits
        return rng.choice([0, 1, 2, top - 1, top - 2, top // 2, 10**9 % top, 10**6])
    return rng.getrandbits(bits) >> rng.randrange(bits)


def price(rng: random.Random) -> int:
    return rng.choice(
        [
            damm.SQRT_MIN,
            damm.SQRT_MAX,
            Q64,
            Q64 + rng.getrandbits(50),
            (damm.SQRT_MIN << rng.randrange(64)) + rng.getrandbits(30),
            (damm.SQRT_MIN << rng.randrange(64)) + rng.getrandbits(30),
        ]
    )


def random_pool(rng: random.Random) -> bytes:
    data = bytearray(rng.randbytes(damm.POOL_BYTES))

    def put(at: int, size: int, value: int) -> None:
        data[at : at + size] = value.to_bytes(size, "little")

    mode = rng.choice([0, 0, 1, 1, 2, 2, 2, 3, 4])
    cliff = rng.choice([100_000, 2_500_000, 10_000_000, 500_000_000, 990_000_000, rng.randrange(10**9)])
    count = rng.choice([0, 1, 10, 144, rng.getrandbits(16)])
    put(0, 8, int.from_bytes(damm.POOL_DISCRIMINATOR, "little"))
    put(8, 8, cliff)
    data[16] = mode
    put(22, 2, count)
    if mode == damm.LIMITER:
        parts = (rng.choice([1, 10, 100, 9999]), rng.choice([1, 60, 43_200]), rng.choice([9900, 5000, 100]))
        unit = rng.choice([1, 10, 10**6, 10**9, word(rng), U64 - 1])
        put(8, 8, min(cliff, parts[2] * damm.RATE_BPS))
        if rng.randrange(8) == 0:
            parts, unit = (0, 0, 0), 0
        put(22, 2, parts[0])
        put(24, 4, parts[1])
        put(28, 4, parts[2])
        put(32, 8, unit)
    elif mode in (damm.LINEAR, damm.EXPONENTIAL):
        put(24, 8, rng.choice([0, 1, 60, 3600, word(rng)]))
        linear = cliff // max(1, count) - rng.randrange(2) * rng.randrange(1 + cliff // max(1, count))
        put(32, 8, linear if mode == damm.LINEAR else rng.choice([0, 1, 10, 500, 5000, 9999]))
    else:
        put(24, 4, rng.choice([1, 10, 100, 10_000]))
        put(28, 4, rng.choice([1, 3600, 2**32 - 1]))
        put(32, 8, cliff // max(1, count) if mode == damm.PRICE_LINEAR else rng.choice([0, 1, 10, 500]))
    data[48], data[50] = rng.choice([0, 20, 50, 100]), rng.choice([0, 20, 100])
    collect = rng.choice([0, 0, 1, 1, 1, 2])
    put(54, 2, rng.choice([0, 2500, 10_000]) if collect == damm.COMPOUNDING else 0)
    data[56] = rng.randrange(2)
    put(64, 4, rng.choice([0, 14_460_000, 2**24 - 1]))
    put(68, 4, rng.choice([0, 956, 239, 2**24 - 1]))
    put(72, 2, rng.choice([1, 1, 1, 400]))
    put(74, 2, rng.choice([0, 10, 600]))
    put(76, 2, rng.choice([0, 120, 6000]))
    put(78, 2, rng.choice([0, 5000, 10_000]))
    put(80, 8, rng.choice([0, 1000, 990, 995, 900]))
    put(88, 16, rng.choice([1844674407370955, 1 << 16, 1 << 70]))
    put(120, 16, rng.choice([0, min(200_000, int.from_bytes(data[64:68], "little"))]))
    put(136, 16, rng.choice([0, 100_000]))
    low, now, high = sorted((price(rng), price(rng), price(rng)))
    if rng.randrange(2):  # a deep pool over all prices, in which most swaps go through
        low, now, high = damm.SQRT_MIN, Q64 + rng.getrandbits(70) - rng.getrandbits(63), damm.SQRT_MAX
    put(104, 16, rng.choice([0, low, now, high, now]))
    put(152, 16, rng.choice([0, low, now, now * 99 // 100, high]))
    liquidity = rng.getrandbits(64) << 64 >> rng.randrange(40) if low == damm.SQRT_MIN else word(rng, 128)
    put(360, 16, 0 if rng.randrange(32) == 0 else liquidity)
    put(424, 16, low)
    put(440, 16, high)
    put(456, 16, now)
    put(472, 8, rng.choice([0, 500, 999, 1000, 1001, U64 - 1]) if rng.randrange(4) == 0 else 990)
    data[480], data[481] = rng.randrange(2), rng.randrange(32) == 0
    data[482], data[483], data[484], data[486] = rng.randrange(2), rng.randrange(2), collect, rng.randrange(2)
    put(680, 8, rng.choice([word(rng), 2**62]))
    put(688, 8, rng.choice([word(rng), 2**62]))
    data[696] = rng.randrange(2) if collect != damm.COMPOUNDING else 1
    if rng.randrange(64) == 0:
        data[rng.randrange(damm.POOL_BYTES)] ^= 1 << rng.randrange(8)
    return bytes(data)


def random_swap(rng: random.Random, pool: bytes) -> Swap:
    def fee() -> damm.TransferFee:
        if rng.randrange(4):
            return damm.TransferFee()
        return damm.TransferFee(rng.choice([0, 5000, 10**9, U64 - 1]), rng.choice([1, 10, 100, 5000, 9999, 10_000]))

    unit = int.from_bytes(pool[32:40], "little") * rng.choice([1, 2, 3, 10, 100]) + rng.randrange(-1, 2)
    amount = unit % U64 if pool[16] == damm.LIMITER and rng.randrange(2) else word(rng) >> rng.choice([0, 0, 20])
    return Swap(
        fees=(fee(), fee()),
        slot=rng.choice([U64 - 1, 1000, 1040, 1000, 989]),
        referral=rng.randrange(2) == 1,
        mode=rng.randrange(3),
        a_to_b=rng.randrange(2) == 1,
        amount=amount,
        now=rng.choice([1000, 1000, 1005, 1040, 1000 + rng.getrandbits(20), rng.choice([0, U64 - 1])]),
    )


def test_core_and_reference_agree(core: Callable[[list[Row]], list[tuple[int, ...]]]) -> None:
    rng = random.Random(20260507)
    rows: list[Row] = []
    while len(rows) < ROWS:
        pool = random_pool(rng)
        rows += [(pool, random_swap(rng, pool)) for _ in range(4)]
    answers = core(rows)
    expected = [reference(row) for row in rows]
    wrong = [
        (row[1], damm.decode_pool(row[0]) if not want[0] else row[0].hex(), got, want)
        for row, got, want in zip(rows, answers, expected, strict=True)
        if (got if not got[0] else (4, *got[1:])) != want
    ]
    assert not wrong, (len(wrong), wrong[:2])
    for mode in range(3):
        done = [got for (_, swap), got in zip(rows, answers, strict=True) if swap.mode == mode and not got[0] + got[1]]
        assert len(done) > ROWS // 40
    assert {got[2] for got in answers} >= {0, damm.OVERFLOW, damm.DISABLED, damm.ZERO, damm.RANGE}


def account(name: str) -> bytes:
    path = data_dir("accounts/meteora_damm_v2") / f"{name}.json"
    return base64.b64decode(json.loads(path.read_text())["account"]["data"][0])


def test_real_pool_to_its_ends(core: Callable[[list[Row]], list[tuple[int, ...]]]) -> None:
    """Full drains: the partial fill stops at the bound, one more than the range holds is refused."""
    data = account("CGPxT5d1uf9a8cKVJuZaJAU76t2EfLGbTmRbfvLLZp5j")
    pool, now = damm.decode_pool(data), 1755000000
    for a_to_b in (False, True):
        full = pool.quote_partial(a_to_b, U64 - 1, now)
        assert full.sqrt_price == pool.bounds[0 if a_to_b else 1] and full.amount_in < U64 - 1
        assert pool.quote_in(a_to_b, U64 - 1, now).error == damm.RANGE
        assert pool.quote_out(a_to_b, full.amount_out * 2, now).error in (damm.RANGE, damm.OVERFLOW)
        amounts = [0, 1, 2, full.amount_in - 1, full.amount_in, full.amount_in + 1, full.amount_out, U64 - 1]
        rows = [
            (data, Swap(mode=mode, a_to_b=a_to_b, amount=amount, now=now)) for mode in range(3) for amount in amounts
        ]
        assert core(rows) == [reference(row) for row in rows]


def test_a_swap_makes_the_next_one_dearer() -> None:
    pool, now = damm.decode_pool(account("3u2BK3ykdjv1hAeGQwAkZMxjb4otV5yvW7g72uviCaZZ")), 1753750300
    assert pool.volatility is not None
    quote = pool.quote_in(False, 10**10, now)
    then = pool.after(quote, now)
    assert then.volatility is not None and then.volatility.rate() > pool.volatility.rate()
    assert then.volatility.updated == now and then.price == quote.sqrt_price


def test_transfer_fees() -> None:
    fee = damm.TransferFee(maximum=5000, bps=100)
    assert [fee.arrives(sent) for sent in (0, 1, 100, 10_000, 10**9)] == [0, 0, 99, 9900, 10**9 - 5000]
    assert fee.arrives(fee.sent(12_345)) == 12_345
    assert damm.TransferFee(7, 10_000).sent(10) == 17


def test_addresses_and_instruction(library: tuple[Any, Any]) -> None:
    ffi, lib = library
    out = ffi.new("uint8_t[96]")
    lib.addresses(out)
    assert bytes(out) == bytes(damm.PROGRAM) + bytes(damm.AUTHORITY) + bytes(damm.EVENT_AUTHORITY)

    pool = account("CGPxT5d1uf9a8cKVJuZaJAU76t2EfLGbTmRbfvLLZp5j")
    keys, flags = ffi.new("uint8_t[480]"), ffi.new("uint8_t[15]")
    assert lib.accounts(ffi.from_buffer(pool), keys, flags) == 14
    listed = [Pubkey.from_bytes(bytes(keys)[32 * i : 32 * i + 32]) for i in range(14)]
    state = damm.decode_pool(pool)
    assert listed[0] == damm.AUTHORITY and listed[4:8] == [*state.vaults, *state.mints]
    assert listed[11] == listed[13] == damm.PROGRAM and listed[12] == damm.EVENT_AUTHORITY
    assert list(flags)[:14] == [0, 1, 1, 1, 1, 1, 0, 0, 2, 0, 0, 0, 0, 0]
    limited = bytearray(pool)
    limited[16] = damm.LIMITER
    limited[22:40] = struct.pack("<HIIQ", 10, 60, 5000, 10**9)
    assert lib.accounts(ffi.from_buffer(bytes(limited)), keys, flags) == 15
    assert str(Pubkey.from_bytes(bytes(keys)[448:480])) == "Sysvar1nstructions1111111111111111111111111"

    written = ffi.new("uint8_t[25]")
    lib.data(258, 3, 2, written)
    assert bytes(written) == bytes.fromhex("414b3f4ceb5b5b88") + struct.pack("<QQB", 258, 3, 2)


def test_events(library: tuple[Any, Any]) -> None:
    ffi, lib = library
    pool, sqrt_price = bytes([9]) * 32, 3 << 70
    price_bytes = sqrt_price.to_bytes(16, "little")
    tag = bytes.fromhex("e445a52e51cb9a1d")
    swap2 = b"".join(
        [
            tag + bytes.fromhex("bd4233a826507599") + pool + bytes([1, 1, 0]),
            struct.pack("<QQB", 1000, 5, 1),
            struct.pack("<4Q", 900, 890, 100, 700) + price_bytes + struct.pack("<4Q", 7, 2, 1, 0),
            struct.pack("<6Q", 910, 700, 690, 1_755_000_000, 1, 2),
        ]
    )
    swap = b"".join(
        [
            tag + bytes.fromhex("1b3c15d58aaabb93") + pool + bytes([0, 0]),
            struct.pack("<QQ", 1000, 5),
            struct.pack("<Q", 700) + price_bytes + struct.pack("<4Q", 7, 2, 1, 0),
            struct.pack("<QQ", 990, 1_755_000_000),
        ]
    )
    ends = [1_755_000_000, sqrt_price % Q64, sqrt_price // Q64]
    out = ffi.new("uint64_t[11]")
    assert lib.event(swap2, len(swap2), out) == 0 and list(out) == [9, 0, 1000, 5, 1, 910, 700, 10, *ends]
    assert lib.event(swap, len(swap), out) == 0 and list(out) == [9, 1, 1000, 5, 0, 1000, 700, 10, *ends]
    for data in (swap2[:179], swap[:137], swap2[:15], b"", tag + swap2[8:15] + swap2[16:]):
        assert lib.event(data, len(data), out) < 0


@pytest.mark.parametrize(("offset", "value"), [(0, 0), (16, 5), (48, 101), (480, 2), (481, 2), (484, 3), (486, 2)])
def test_wrong_bytes_are_refused(offset: int, value: int) -> None:
    data = bytearray(account("8Pm2kZpnxD3hoMmt4bjStX2Pw2Z9abpbHzZxMPqxPmie"))
    data[offset] = value
    with pytest.raises(damm.VenueDataError, match=f"offset {offset}"):
        damm.decode_pool(bytes(data))
    with pytest.raises(damm.VenueDataError, match="bytes, not 1112"):
        damm.decode_pool(bytes(data[:-1]))


def test_what_the_real_program_paid() -> None:
    found = list(golden.rows(data_dir("golden") / "meteora_damm_v2.csv", data_dir("accounts/meteora_damm_v2")))
    assert len(found) == 120
    for row in found:
        assert golden.difference(row.expected, row.run_c()) == "", row.name
        assert row.run_python() == row.run_c(), row.name
