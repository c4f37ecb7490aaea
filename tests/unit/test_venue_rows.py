"""The rows of five venues: accounts are met, priced and travel; what travelled quotes what the real programs paid."""

from __future__ import annotations

import base64
import csv
import ctypes
import ctypes.util
import json
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from solders.pubkey import Pubkey

from sniperforge.venues import meteora_dlmm, pump_fees, pump_fun, pump_swap, raydium_amm_v4
from sniperforge.venues.golden import FAILED
from tests import core_library
from tests.data import data_dir
from tests.unit import pump_captures

DECLARATIONS = """
int row_meet( uint32_t venue, uint8_t const * key, uint8_t const * data, uint32_t len );
int row_decode( uint32_t part, uint8_t const * owner, uint8_t const * data, uint32_t len, uint64_t slot );
int row_whole( void );
int row_disabled( void );
int row_price( void );
void row_names( uint8_t * out, uint32_t * needs );
void row_dlmm( int newest, uint32_t const * plain, uint64_t const * reserve );
void row_quote( int a_to_b, int exact_in, uint64_t amount, uint64_t now, uint64_t * out );
int row_swap( int a_to_b, uint64_t amount_in, uint64_t min_out, uint8_t const * keys, uint8_t * metas, uint8_t * data,
              uint32_t * len );
char const * sf_err_text( void );
"""
GLUE = """
#include <stdlib.h>
#include <string.h>
#include "dex/meteora_damm_v2.h"
#include "dex/meteora_dlmm.h"
#include "dex/pump_fun.h"
#include "dex/pump_swap.h"
#include "dex/raydium_amm_v4.h"
#include "dex/venue.h"
#include "sf_message.h"
static sf_venue_t const * const rows[] = {
  [SF_VENUE_RAYDIUM_AMM_V4] = &sf_raydium_amm_v4_venue, [SF_VENUE_METEORA_DLMM] = &sf_meteora_dlmm_venue,
  [SF_VENUE_METEORA_DAMM_V2] = &sf_meteora_damm_v2_venue, [SF_VENUE_PUMP_SWAP] = &sf_pump_swap_venue,
  [SF_VENUE_PUMP_FUN] = &sf_pump_fun_venue };
static sf_venue_t const * row;
static void * work;
static sf_pool_names_t names;
static uint8_t shared[2][16384] __attribute__( ( aligned( 16 ) ) );
static uint8_t state[SF_POOL_STATE_MAX] __attribute__( ( aligned( 64 ) ) );
static void const * given[2];
int row_meet( uint32_t venue, uint8_t const * key, uint8_t const * data, uint32_t len ) {
  row = rows[venue];
  free( work );
  work     = calloc( 1, row->work_bytes );
  given[0] = given[1] = 0;
  return row->account_kind( data, len ) == SF_ACCOUNT_POOL ? row->meet( key, data, len, work, &names ) : -1;
}
int row_decode( uint32_t part, uint8_t const * owner, uint8_t const * data, uint32_t len, uint64_t slot ) {
  if( part < SF_PART_SHARED_0 ) return row->decode( work, part, owner, data, len, slot, UINT64_MAX );
  given[part - SF_PART_SHARED_0] = shared[part - SF_PART_SHARED_0];
  return row->shared_decode( data, len, shared[part - SF_PART_SHARED_0] );
}
int row_whole( void ) { return row->whole ? row->whole( work ) : 1; }
int row_disabled( void ) { return row->disabled( state ); }
int row_price( void ) {
  int err = row->price( work, given, UINT64_MAX );
  memset( state, 0xa5, sizeof( state ) );
  return err ? err : (int)row->travel( work, state );
}
void row_names( uint8_t * out, uint32_t * needs ) {
  memcpy( out, names.mint, 64 );
  memcpy( out + 64, names.vault, 64 );
  memcpy( out + 128, names.shared, 64 );
  needs[0] = names.needs;
  needs[1] = names.moves;
}
void row_dlmm( int newest, uint32_t const * plain, uint64_t const * reserve ) {
  sf_meteora_dlmm_state_t * head = &( (sf_meteora_dlmm_work_t *)work )->head;
  head->newest = (uint32_t)newest;
  memcpy( head->plain_account, plain, 8 );
  memcpy( head->reserve, reserve, 16 );
}
void row_quote( int a_to_b, int exact_in, uint64_t amount, uint64_t now, uint64_t * out ) {
  sf_quote_t q;
  ( exact_in ? row->quote_in : row->quote_out )( state, a_to_b, amount, now, &q );
  uint64_t words[] = { q.status, q.amount_in, q.amount_out, q.fee, q.reserve_a, q.reserve_b, (uint64_t)(int64_t)q.tick,
                       (uint64_t)q.sqrt_price, (uint64_t)( q.sqrt_price >> 64 ), q.error };
  memcpy( out, words, sizeof( words ) );
}
int row_swap( int a_to_b, uint64_t amount_in, uint64_t min_out, uint8_t const * keys, uint8_t * metas, uint8_t * data,
              uint32_t * len ) {
  sf_swap_ask_t ask = { .payer = keys, .user_in = keys + 32, .user_out = keys + 64, .amount_in = amount_in,
                        .min_out = min_out, .a_to_b = a_to_b };
  sf_account_meta_t meta[SF_SWAP_ACCOUNT_MAX];
  uint32_t cnt;
  if( row->arrays ) ask.array_cnt = row->arrays( state, a_to_b, ask.array );
  int err = row->swap_accounts( state, &ask, meta, &cnt );
  if( !err ) err = row->swap_data( state, &ask, data, len );
  if( err ) return err;
  memcpy( metas, meta, cnt * sizeof( meta[0] ) );
  return (int)cnt;
}
"""
SOURCES = [
    *(f"dex/{name}.c" for name in ("raydium_amm_v4", "raydium_amm_v4_venue", "token", "transfer_fee")),
    *(f"dex/meteora_dlmm{part}.c" for part in ("", "_quote", "_swap", "_travel", "_venue")),
    *(f"dex/meteora_damm_v2{part}.c" for part in ("", "_fee", "_quote", "_swap", "_venue")),
    *(f"dex/{name}{part}.c" for name in ("pump_swap", "pump_fun") for part in ("", "_trade", "_venue")),
    "dex/product.c",
    "dex/pump_fee.c",
    "solana/address.c",
]
AMM_V4, DLMM, DAMM_V2, PUMP_SWAP, PUMP_FUN = 2, 5, 6, 7, 8
POOL, VAULT_A, VAULT_B, MINT_A, MINT_B, OWN, SHARED_0, SHARED_1 = range(8)
TOKEN = bytes(Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"))
TOKEN_2022 = bytes(Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"))
SOL = Pubkey.from_string("So11111111111111111111111111111111111111112")
MASK = 2**64 - 1


class Got(NamedTuple):
    status: int
    amount_in: int
    amount_out: int
    fee: int
    reserve_a: int
    reserve_b: int
    tick: int
    sqrt_price: int
    error: int


class Row:
    """One pool, in the row of its venue."""

    def __init__(self, directory: Path) -> None:
        ctypes.CDLL(ctypes.util.find_library("sodium"), mode=ctypes.RTLD_GLOBAL)  # derived addresses need SHA-256
        self.ffi, self.lib = core_library.build(directory, SOURCES, DECLARATIONS, GLUE)

    def check(self, code: int) -> int:
        assert code >= 0, self.ffi.string(self.lib.sf_err_text())
        return code

    def meet(self, venue: int, key: bytes, data: bytes) -> tuple[list[bytes], int, int]:
        """Mints, vaults, shared accounts; what it needs and what moves."""
        self.check(self.lib.row_meet(venue, key, data, len(data)))
        out, bits = self.ffi.new("uint8_t[192]"), self.ffi.new("uint32_t[2]")
        self.lib.row_names(out, bits)
        return [bytes(out)[at : at + 32] for at in range(0, 192, 32)], bits[0], bits[1]

    def decode(self, part: int, data: bytes, owner: bytes = TOKEN, slot: int = 1) -> None:
        self.check(self.lib.row_decode(part, owner, data, len(data), slot))

    def price(self) -> int:
        return self.check(self.lib.row_price())

    def quote(self, a_to_b: bool, exact_in: bool, amount: int, now: int) -> Got:
        out = self.ffi.new("uint64_t[10]")
        self.lib.row_quote(a_to_b, exact_in, amount, now, out)
        words = list(out)
        tick = words[6] - 2**64 if words[6] >> 63 else words[6]
        return Got._make([*words[:6], tick, words[7] | words[8] << 64, words[9]])

    def swap(self, a_to_b: bool, amount_in: int, min_out: int, keys: list[bytes]) -> tuple[list[str], bytes]:
        """Accounts and data; `keys` are payer, its account of the input and of the output."""
        metas, data, length = self.ffi.new("uint8_t[1088]"), self.ffi.new("uint8_t[48]"), self.ffi.new("uint32_t *")
        count = self.check(self.lib.row_swap(a_to_b, amount_in, min_out, b"".join(keys), metas, data, length))
        listed = [str(Pubkey.from_bytes(bytes(metas)[34 * i : 34 * i + 32])) for i in range(count)]
        return listed, bytes(data)[: length[0]]


def lines(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Name and columns of each line of a golden file."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            yield f"line {reader.line_num}", row


def failed(value: str) -> bool:
    """Whether an amount in a golden file says that the program failed."""
    return value.startswith("ERR")


@pytest.fixture(scope="module")
def row(tmp_path_factory: pytest.TempPathFactory) -> Row:
    return Row(tmp_path_factory.mktemp("rows"))


def dump(path: str) -> tuple[bytes, bytes, bytes]:
    """Address, owner and data of a recorded account."""
    found = json.loads((data_dir("accounts") / f"{path}.json").read_text())
    account = found["account"]
    key, owner = (bytes(Pubkey.from_string(text)) for text in (found["pubkey"], account["owner"]))
    return key, owner, base64.b64decode(account["data"][0])


def token_account(mint: bytes, owner: bytes, amount: int = 0) -> bytes:
    data = bytearray(165)
    data[:64], data[64:72], data[108] = mint + owner, amount.to_bytes(8, "little"), 1
    return bytes(data)


def compare(row: Row, expected: Mapping[str, int] | None, terms: tuple[bool, bool, int, int], name: str) -> str:
    """What became of a golden row; a state may end before a large swap does."""
    got = row.quote(*terms)
    if expected is FAILED:
        assert got.status != 0, name
        return "failed"
    if got.status == 2:
        return "further than the state"
    assert got.status == 0, (name, got)
    for field, value in expected.items():
        assert getattr(got, field) == value, (name, field, got)
    return "exact"


def meet_amm(row: Row) -> None:
    pool, coin, pc = (dump(f"raydium_amm_v4/sol_usdc/{name}") for name in ("amm_id", "amm_coin_vault", "amm_pc_vault"))
    names, needs, moves = row.meet(AMM_V4, pool[0], pool[2])
    assert names[2:4] == [coin[0], pc[0]] and needs == moves == 0b111
    row.decode(VAULT_A, coin[2])
    row.decode(VAULT_B, pc[2])
    row.price()


def test_raydium_amm_v4(row: Row) -> None:
    meet_amm(row)
    found: Counter[str] = Counter()
    for name, line in lines(data_dir("golden") / "raydium_amm_v4_sol_usdc.csv"):
        ended = failed(line["amount_in"]) or failed(line["amount_out"])
        expected = FAILED if ended else {key: int(line[key]) for key in ("amount_in", "amount_out")}
        terms = line["coin_to_pc"] == "1", line["exact_in"] == "1", int(line["amount"]), 0
        found[compare(row, expected, terms, name)] += 1
    assert found["exact"] + found["failed"] == 75, found
    accounts, data = row.swap(True, 258, 3, [bytes([i]) * 32 for i in (1, 2, 3)])
    assert len(accounts) == 18 and accounts[1] == str(Pubkey.from_bytes(dump("raydium_amm_v4/sol_usdc/amm_id")[0]))
    assert data == struct.pack("<BQQ", 9, 258, 3)
    assert str(raydium_amm_v4.PROGRAM) not in accounts


def meet_dlmm(row: Row, address: str, newest: bool) -> None:
    directory = f"meteora_dlmm/{address}"
    key = bytes(Pubkey.from_string(address))
    data = dump(f"{directory}/lb_pair")[2]
    _, needs, moves = row.meet(DLMM, key, data)
    assert moves == 1 << POOL
    pair = meteora_dlmm.decode_pair(data)
    for name in ("bin_array_1", "bin_array_2"):
        row.decode(OWN, dump(f"{directory}/{name}")[2])
    reserves = []
    for side, word in enumerate("xy"):
        assert bool(needs & 1 << MINT_A + side) == pair.token_2022[side]
        if pair.token_2022[side]:
            row.decode(MINT_A + side, dump(f"{directory}/token_{word}_mint")[2], TOKEN_2022)
        reserves.append(int.from_bytes(dump(f"{directory}/reserve_{word}")[2][64:72], "little"))
    row.lib.row_dlmm(newest, [int(is_2022) for is_2022 in pair.token_2022], reserves)
    assert row.price() <= 3584


def test_meteora_dlmm(row: Row) -> None:
    found: Counter[str] = Counter()
    loaded = ("", "")
    for name, line in lines(data_dir("golden") / "meteora_dlmm.csv"):
        if loaded != (line["lb_pair"], line["program"]):
            loaded = line["lb_pair"], line["program"]
            meet_dlmm(row, line["lb_pair"], line["program"] == "meteora_dlmm.so")
        columns = {"amount_in": "amount_in", "amount_out": "amount_out", "tick": "post_active_id"}
        ended = failed(line["amount_in"]) or failed(line["amount_out"])
        expected = FAILED if ended else {key: int(line[at]) for key, at in columns.items() if line.get(at)}
        terms = line["x_to_y"] == "1", line["exact_out"] != "1", int(line["amount"]), int(line["unix_time"])
        found[compare(row, expected, terms, name)] += 1
    assert sum(found.values()) == 120 and found["further than the state"] <= 2, found
    accounts, data = row.swap(True, 258, 3, [bytes([i]) * 32 for i in (1, 2, 3)])
    assert accounts[0] == loaded[0] and len(accounts) == 16 + 2 and len(data) == 28
    assert data[:8] == bytes.fromhex("414b3f4ceb5b5b88") and data[8:] == struct.pack("<QQI", 258, 3, 0)


def test_a_swap_names_the_array_behind_where_there_is_room(row: Row) -> None:
    """Arrays -1, 0 (the active bin's) and 1 are marked."""
    meet_dlmm(row, "EtAdVRLFH22rjWh3mcUasKFF27WtHhsaCvK27tPFFWig", True)
    down, up = (row.swap(x_to_y, 258, 3, [bytes([i]) * 32 for i in (1, 2, 3)])[0][16:] for x_to_y in (True, False))
    assert len(set(down)) == 3 and up == [down[0], down[2], down[1]]


def test_a_pair_is_whole_when_its_arrays_have_followed(row: Row) -> None:
    address = "EtAdVRLFH22rjWh3mcUasKFF27WtHhsaCvK27tPFFWig"
    meet_dlmm(row, address, True)
    pair = bytearray(dump(f"meteora_dlmm/{address}/lb_pair")[2])
    first, second = (dump(f"meteora_dlmm/{address}/{name}")[2] for name in ("bin_array_1", "bin_array_2"))
    arrays = sorted((struct.unpack_from("<q", data, 8)[0], data) for data in (first, second))
    assert [index for index, _ in arrays] == [-1, 0] and row.lib.row_whole() == 1
    row.decode(POOL, bytes(pair), slot=7)
    assert row.lib.row_whole() == 0
    row.decode(OWN, arrays[1][1], slot=6)
    assert row.lib.row_whole() == 0  # of an older moment
    row.price()
    row.decode(OWN, arrays[1][1], slot=8)
    assert row.lib.row_whole() == 0  # the pair is to follow
    row.decode(POOL, bytes(pair), slot=8)
    assert row.lib.row_whole() == 1
    row.decode(POOL, bytes(pair), slot=8)
    assert row.lib.row_whole() == 0  # a second swap
    row.decode(OWN, arrays[1][1], slot=8)
    assert row.lib.row_whole() == 1
    row.price()
    struct.pack_into("<i", pair, 76, -3)
    row.decode(POOL, bytes(pair), slot=9)
    row.decode(OWN, arrays[1][1], slot=9)
    assert row.lib.row_whole() == 0  # the swap went on into the next array
    row.decode(OWN, arrays[0][1], slot=9)
    assert row.lib.row_whole() == 1


def test_meteora_damm_v2(row: Row) -> None:
    found: Counter[str] = Counter()
    loaded = ""
    for name, line in lines(data_dir("golden") / "meteora_damm_v2.csv"):
        if loaded != line["pool"]:
            loaded = line["pool"]
            key = bytes(Pubkey.from_string(loaded))
            _, needs, moves = row.meet(DAMM_V2, key, dump(f"meteora_damm_v2/{loaded}")[2])
            assert needs == moves == 1 << POOL
            assert row.price() % 16 == 0
        columns = {"amount_in": "amount_in", "amount_out": "amount_out", "sqrt_price": "post_sqrt"}
        ended = failed(line["amount_in"]) or failed(line["amount_out"])
        expected = FAILED if ended else {key: int(line[at]) for key, at in columns.items() if line.get(at)}
        exact_in = line["mode(0 exact_in,2 exact_out)"] == "0"
        terms = line["a_to_b"] == "1", exact_in, int(line["amount"]), int(line["unix_time"])
        found[compare(row, expected, terms, name)] += 1
    assert found["exact"] + found["failed"] == 120, found
    accounts, data = row.swap(True, 258, 3, [bytes([i]) * 32 for i in (1, 2, 3)])
    assert len(accounts) == 14 and accounts[1] == loaded
    assert data == bytes.fromhex("414b3f4ceb5b5b88") + struct.pack("<QQB", 258, 3, 0)


# -- PumpSwap ------------------------------------------------------------------------------------------------


def meet_pump_swap(row: Row, settings: bytes, pool_data: bytes | None = None) -> pump_swap.State:
    """The recorded pool with this global account, and the reference of it."""
    pool, base, quote, fees = (
        dump(f"pump_amm/usdc_sol/{name}")
        for name in ("pool", "pool_base_token_account", "pool_quote_token_account", "fee_config")
    )
    data = pool_data or pool[2]
    names, needs, moves = row.meet(PUMP_SWAP, pool[0], data)
    assert needs == 0b11011111 and moves == 0b110
    assert names[4:6] == [bytes(pump_swap.GLOBAL_CONFIG), bytes(pump_swap.FEE_CONFIG)]
    row.decode(VAULT_A, base[2])
    row.decode(VAULT_B, quote[2])
    row.decode(SHARED_0, settings)
    row.decode(SHARED_1, fees[2])
    assert row.price() % 16 == 0
    amounts = tuple(int.from_bytes(account[2][64:72], "little") for account in (base, quote))
    return pump_swap.State.of(
        pump_swap.decode_pool(data),
        (amounts[0], amounts[1]),
        0,
        pump_swap.decode_global(settings),
        pump_fees.decode_config(fees[2]),
    )


def test_pump_swap(row: Row) -> None:
    settings = dump("pump_amm/usdc_sol/global_config")[2]
    python = meet_pump_swap(row, settings)
    for exponent in range(1, 16):
        for a_to_b in (False, True):
            for exact_in in (False, True):
                amount = 3 * 10**exponent
                want = (python.quote_in if exact_in else python.quote_out)(a_to_b, amount)
                got = row.quote(a_to_b, exact_in, amount, 0)
                assert (got.amount_in, got.amount_out, got.error) == (want.amount_in, want.amount_out, want.error)
    keys = [bytes([i]) * 32 for i in (1, 2, 3)]
    buy, sell = row.swap(False, 258, 3, keys), row.swap(True, 258, 3, keys)
    assert (len(buy[0]), len(sell[0])) == (25, 23)  # with a buyback, of a coin without a creator
    assert buy[1] == bytes.fromhex("c62e1552b4d9e870") + struct.pack("<QQB", 258, 3, 0)
    assert sell[1] == bytes.fromhex("33e685a4017f83ad") + struct.pack("<QQ", 258, 3)
    assert [buy[0].index(str(Pubkey.from_bytes(key))) for key in keys] == [1, 6, 5]
    assert [sell[0].index(str(Pubkey.from_bytes(key))) for key in keys] == [1, 5, 6]
    meet_pump_swap(row, settings.ljust(949, b"\0"))
    buy, sell = row.swap(False, 258, 3, keys), row.swap(True, 258, 3, keys)
    assert (len(buy[0]), len(sell[0])) == (17, 17)
    assert buy[1][:8] == bytes.fromhex("c2ab1c46684d5b2f") and sell[1][:8] == bytes.fromhex("5df6823ce7e940b2")


def mint_with_fee(older: tuple[int, int], newer: tuple[int, int]) -> bytes:
    """A Token-2022 mint; each fee is basis points and maximum."""
    fees = b"".join(struct.pack("<QQH", 0, maximum, bps) for bps, maximum in (older, newer))
    mint = struct.pack("<36xQBB36x", 10**15, 6, 1).ljust(165, b"\0")
    return mint + b"\1" + struct.pack("<HH72x", 1, 108) + fees


@pytest.mark.parametrize("side", [MINT_A, MINT_B])
def test_pump_swap_is_not_traded_while_a_mint_withholds_a_fee(row: Row, side: int) -> None:
    settings = dump("pump_amm/usdc_sol/global_config")[2]
    python = meet_pump_swap(row, settings)
    for fee, traded in (((0, MASK), True), ((1, 1), False), ((100, 0), True), ((10_000, MASK), False)):
        row.decode(side, mint_with_fee((5, 5), fee), TOKEN_2022)
        row.price()
        for a_to_b in (False, True):
            for exact_in in (False, True):
                got = row.quote(a_to_b, exact_in, 10**6, 0)
                want = (python.quote_in if exact_in else python.quote_out)(a_to_b, 10**6)
                assert got.error == (0 if traded else (pump_swap.NO_BUYS, pump_swap.NO_SALES)[a_to_b])
                assert not traded or (got.amount_in, got.amount_out) == (want.amount_in, want.amount_out)
        assert row.lib.row_disabled() == (not traded)


# -- pump.fun ------------------------------------------------------------------------------------------------

COIN = bytes([7]) * 32


def meet_curve(row: Row, data: bytes, settings: bytes, coin: bytes = COIN, config: bytes | None = None) -> None:
    key = Pubkey.find_program_address([b"bonding-curve", coin], pump_fun.PROGRAM)[0]
    names, needs, moves = row.meet(PUMP_FUN, bytes(key), data)
    assert names[0] == bytes(32) and names[1] == bytes(SOL) and moves == 1 << POOL
    assert needs == 1 << POOL | 1 << VAULT_A | 1 << SHARED_0 | (len(data) > 49) << SHARED_1
    stranger = token_account(bytes([8]) * 32, bytes(key))
    assert row.lib.row_decode(VAULT_A, TOKEN, stranger, len(stranger), 1) < 0
    row.decode(VAULT_A, token_account(coin, bytes(key)), TOKEN_2022 if config else TOKEN)
    row.decode(SHARED_0, settings)
    if config:
        row.decode(SHARED_1, config)
    assert row.price() % 16 == 0


def curve_bytes(virtual: tuple[int, int], real: tuple[int, int], size: int = 49) -> bytes:
    return struct.pack("<8s5Q", pump_fun.CURVE_DISCRIMINATOR, *virtual, *real, 10**15).ljust(size, b"\0")


def golden_curves() -> Iterator[tuple[str, dict[str, str], tuple[int, int]]]:
    for name, line in lines(data_dir("golden") / "pump_fun_curve_2025q1.csv"):
        yield name, line, (int(line["pre_vt"]), int(line["pre_vs"]))


def test_pump_fun_of_january_2025(row: Row) -> None:
    settings = dump("pump_fun/global_2025q1")[2]
    found: Counter[str] = Counter()
    for name, line, virtual in golden_curves():
        real = max(0, virtual[0] - 279_900_000_000_000), max(0, virtual[1] - 30_000_000_000)
        meet_curve(row, curve_bytes(virtual, real), settings)
        sell, tokens = line["side"] == "sell", int(line["tokens"])
        ended = any(failed(line[key]) for key in ("sol_curve", "fee", "sol_user"))
        expected = (
            FAILED
            if ended
            else {
                "amount_in": tokens if sell else int(line["sol_user"]),
                "amount_out": int(line["sol_user"]) if sell else tokens,
                "fee": int(line["fee"]),
                "reserve_a": int(line["post_vt"]),
                "reserve_b": int(line["post_vs"]),
            }
        )
        found[compare(row, expected, (sell, sell, tokens, 0), name)] += 1
    assert found["exact"] + found["failed"] == 60, found
    keys = [bytes([i]) * 32 for i in (1, 2, 3)]
    buy, sale = row.swap(False, 258, 3, keys), row.swap(True, 258, 3, keys)
    assert (len(buy[0]), len(sale[0])) == (12, 12)
    assert buy[1][:24] == bytes.fromhex("66063d1201daebea") + struct.pack("<QQ", 3, 258)  # so much for at most that
    assert sale[1] == bytes.fromhex("33e685a4017f83ad") + struct.pack("<QQ", 258, 3)


def test_pump_fun_now(row: Row) -> None:
    """A buy for a budget as mainnet has it: of the captured one's coin the same accounts."""
    data, captured = next(
        (data, captured)
        for _, data, captured in pump_captures.instructions(str(pump_fun.PROGRAM))
        if data[:8] == bytes.fromhex("38fc74089edfcd5f")
    )
    coin, user, base = (bytes(Pubkey.from_string(captured[i])) for i in (2, 6, 5))
    settings = bytearray(1054)
    settings[:8] = pump_fun.GLOBAL_DISCRIMINATOR
    settings[41:73], settings[741:773] = (bytes(Pubkey.from_string(captured[i])) for i in (1, 17))
    event = next(
        parsed for _, parsed in pump_captures.events(bytes.fromhex("bddb7fd34ee661ee")) if parsed[8:40] == coin
    )
    curve = bytearray(curve_bytes((10**15, 30 * 10**9), (7 * 10**14, 0), 151))
    curve[49:81] = event[177:209]
    meet_curve(row, bytes(curve), bytes(settings), coin, dump("pump_amm/usdc_sol/fee_config")[2])
    amount, least = struct.unpack_from("<QQ", data, 8)
    accounts, ours = row.swap(False, amount, least, [user, bytes([9]) * 32, base])
    assert accounts == captured and ours == data
    sale, _ = row.swap(True, amount, least, [user, base, bytes([9]) * 32])
    assert len(sale) == 16 and str(Pubkey.from_bytes(bytes([9]) * 32)) not in sale
