"""Raydium CPMM: the Python reference against the C core and against what the real program paid."""

from __future__ import annotations

import base64
import csv
import json
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from solders.pubkey import Pubkey

from sniperforge.venues import raydium_cpmm as cpmm
from tests import core_library
from tests.data import data_dir

U64 = 2**64
ROWS = 150_000

DECLARATIONS = """
void quote_batch( uint64_t const * terms, uint64_t cnt, uint64_t * out );
"""
GLUE = """
#include "dex/raydium_cpmm.h"
/* per row: reserve a, reserve b, trade rate, creator rate, creator fee on, side, amount; two results */
void
quote_batch( uint64_t const * t, uint64_t cnt, uint64_t * out ) {
  for( uint64_t i = 0; i < cnt; i++, t += 7, out += 2 ) {
    sf_pool_update_t p = { .venue = SF_VENUE_RAYDIUM_CPMM, .reserve_a = t[ 0 ], .reserve_b = t[ 1 ] };
    p.trade_fee_ppm    = (uint32_t)t[ 2 ];
    p.creator_fee_ppm  = (uint32_t)t[ 3 ];
    p.creator_fee_on   = (uint32_t)t[ 4 ];
    out[ 0 ]           = sf_cpmm_quote_in( &p, !t[ 5 ], t[ 6 ] );
    out[ 1 ]           = sf_cpmm_quote_out( &p, !t[ 5 ], t[ 6 ] );
  }
}
"""
SOURCES = ["dex/raydium_cpmm.c", "dex/token.c"]

Row = tuple[int, int, int, int, int, int, int]
Quotes = Callable[[list[Row]], list[tuple[int, int]]]


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Quotes:
    ffi, lib = core_library.build(tmp_path_factory.mktemp("cpmm"), SOURCES, DECLARATIONS, GLUE)

    def quotes(rows: list[Row]) -> list[tuple[int, int]]:
        terms = ffi.new("uint64_t[]", [word for row in rows for word in row])
        out = ffi.new("uint64_t[]", 2 * len(rows))
        lib.quote_batch(terms, len(rows), out)
        flat = ffi.unpack(out, 2 * len(rows))
        return list(zip(flat[::2], flat[1::2], strict=True))

    return quotes


def reference(row: Row) -> tuple[int, int]:
    a, b, trade, creator, creator_on, side, amount = row
    market = cpmm.Market((a, b), trade, creator, creator_on)
    return market.quote_in(side, amount), market.quote_out(side, amount)


def random_row(rng: random.Random) -> Row:
    def word() -> int:
        kind = rng.randrange(8)
        if kind == 0:
            return rng.choice([0, 1, 2, U64 - 1, U64 - 2, 2**63, 2**32, 10**6, 10**6 - 1])
        return rng.getrandbits(64) >> rng.randrange(64)

    trade = rng.choice([0, 1, 100, 2500, 10_000, 400_000, 999_998, rng.randrange(999_999)])
    creator = rng.choice([0, 0, 1, 500, rng.randrange(1_000_000 - trade)]) if trade < 999_000 else 0
    return word(), word(), trade, creator, rng.randrange(3), rng.randrange(2), word()


def test_core_and_reference_agree(core: Quotes) -> None:
    rng = random.Random(20260401)
    rows = [random_row(rng) for _ in range(ROWS)]
    answers = core(rows)
    wrong = [(row, got, reference(row)) for row, got in zip(rows, answers, strict=True) if got != reference(row)]
    assert not wrong, wrong[:3]
    assert sum(one > 0 for one, _ in answers) > ROWS // 3 and sum(two > 0 for _, two in answers) > ROWS // 10


def account(name: str) -> bytes:
    path = data_dir("accounts/raydium_cpmm/sol_usdc") / f"{name}.json"
    return base64.b64decode(json.loads(path.read_text())["account"]["data"][0])


def real_pool() -> cpmm.Pool:
    return cpmm.decode_pool(Pubkey.new_unique(), account("sol_usdc_pool_state"))


def real_market() -> cpmm.Market:
    pool, rates = real_pool(), cpmm.decode_config(account("amm_config"))
    amounts = [int.from_bytes(account(name)[64:72], "little") for name in ("sol_vault", "usdc_vault")]
    return cpmm.market(pool, rates, (amounts[0], amounts[1]))


def test_what_the_real_program_paid(core: Quotes) -> None:
    market = real_market()
    with (data_dir("golden") / "raydium_cpmm_sol_usdc.csv").open() as file:
        swaps = [[int(value) for value in row.values()] for row in csv.DictReader(file)]
    assert len(swaps) == 75
    for zero_for_one, exact_in, _, amount_in, amount_out in swaps:
        side = 1 - zero_for_one
        terms = (*market.reserves, market.trade_rate, market.creator_rate, market.creator_fee_on, side)
        if exact_in:
            assert market.quote_in(side, amount_in) == amount_out == core([(*terms, amount_in)])[0][0]
        else:
            assert market.quote_out(side, amount_out) == amount_in == core([(*terms, amount_out)])[0][1]


def test_real_accounts_decode() -> None:
    pool, rates = real_pool(), cpmm.decode_config(account("amm_config"))
    assert (rates.trade, rates.creator) == (2500, 500)
    assert str(pool.mints[0]) == "So11111111111111111111111111111111111111112"
    assert pool.decimals == (9, 6) and pool.status == 0 and not pool.creator_fee_enabled
    assert real_market().creator_rate == 0
    assert cpmm.market(replace(pool, creator_fee_enabled=True), rates, (U64 - 1, U64 - 1)).creator_rate == 500


@pytest.mark.parametrize(("offset", "value"), [(0, 0), (389, 3), (390, 2)])
def test_wrong_pool_bytes_are_refused(offset: int, value: int) -> None:
    data = bytearray(account("sol_usdc_pool_state"))
    data[offset] = value
    with pytest.raises(cpmm.VenueDataError, match=f"offset {offset}"):
        cpmm.decode_pool(Pubkey.new_unique(), bytes(data))


def test_wrong_lengths_and_rates_are_refused() -> None:
    pool, config = account("sol_usdc_pool_state"), account("amm_config")
    for cut in (pool[:-1], pool + b"\0", b""):
        with pytest.raises(cpmm.VenueDataError, match="bytes, not 637"):
            cpmm.decode_pool(Pubkey.new_unique(), cut)
    with pytest.raises(cpmm.VenueDataError, match="bytes, not 236"):
        cpmm.decode_config(config[:-1])
    with pytest.raises(cpmm.VenueDataError, match="rates"):
        cpmm.decode_config(config[:12] + (10**6).to_bytes(8, "little") + config[20:])
    with pytest.raises(cpmm.VenueDataError, match="owe"):
        cpmm.market(real_pool(), cpmm.Rates(2500, 0), (0, 0))
