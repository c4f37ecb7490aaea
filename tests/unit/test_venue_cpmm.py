"""Raydium CPMM: the Python reference against the C core and against what the real program paid."""

from __future__ import annotations

import base64
import csv
import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from solders.pubkey import Pubkey

from sniperforge.venues import raydium_cpmm as cpmm
from sniperforge.venues.quote import Quote
from sniperforge.venues.transfer_fee import TransferFee
from tests import core_library
from tests.data import data_dir

U64 = 2**64
ROWS = 150_000

DECLARATIONS = """
void quote_batch( uint64_t const * terms, uint64_t cnt, uint64_t * out );
"""
GLUE = """
#include "dex/raydium_cpmm.h"
static void
put( sf_quote_t const * q, uint64_t * out ) {
  out[ 0 ] = q->status;
  out[ 1 ] = q->error;
  out[ 2 ] = q->amount_in;
  out[ 3 ] = q->amount_out;
  out[ 4 ] = q->fee;
  out[ 5 ] = q->protocol_fee;
  out[ 6 ] = q->creator_fee;
  out[ 7 ] = q->reserve_a;
  out[ 8 ] = q->reserve_b;
}
/* per row: reserves, rates (trade, creator, protocol, fund), creator's fee on, owed, transfer fees (bps, maximum of
   each), direction, amount; two quotes of nine words */
void
quote_batch( uint64_t const * t, uint64_t cnt, uint64_t * out ) {
  for( uint64_t i = 0; i < cnt; i++, t += 15, out += 18 ) {
    sf_raydium_cpmm_state_t s = { .reserve = { t[ 0 ], t[ 1 ] }, .amount = { t[ 0 ] + t[ 7 ], t[ 1 ] + t[ 8 ] } };
    sf_quote_t q;
    s.rates.trade    = (uint32_t)t[ 2 ];
    s.creator_fee    = (uint32_t)t[ 3 ];
    s.rates.protocol = (uint32_t)t[ 4 ];
    s.rates.fund     = (uint32_t)t[ 5 ];
    s.creator_fee_on = (uint32_t)t[ 6 ];
    for( int side = 0; side < 2; side++ )
      s.transfer_fee[ side ] = ( sf_transfer_fee_t ){ .bps = t[ 9 + 2*side ], .maximum = t[ 10 + 2*side ] };
    sf_raydium_cpmm_quote_in( &s, (int)t[ 13 ], t[ 14 ], 0, &q );
    put( &q, out );
    sf_raydium_cpmm_quote_out( &s, (int)t[ 13 ], t[ 14 ], 0, &q );
    put( &q, out + 9 );
  }
}
"""
SOURCES = ["dex/product.c", "dex/raydium_cpmm.c", "dex/token.c"]
STATUS = {"ok": 0, "refused": 1}
WORDS = 9

Row = tuple[int, ...]
Quotes = Callable[[list[Row]], list[tuple[Row, Row]]]


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Quotes:
    ffi, lib = core_library.build(tmp_path_factory.mktemp("cpmm"), SOURCES, DECLARATIONS, GLUE)

    def quotes(rows: list[Row]) -> list[tuple[Row, Row]]:
        terms = ffi.new("uint64_t[]", [word for row in rows for word in row])
        out = ffi.new("uint64_t[]", 2 * WORDS * len(rows))
        lib.quote_batch(terms, len(rows), out)
        flat = ffi.unpack(out, 2 * WORDS * len(rows))
        starts = range(0, len(flat), 2 * WORDS)
        return [(tuple(flat[at : at + WORDS]), tuple(flat[at + WORDS : at + 2 * WORDS])) for at in starts]

    return quotes


def words(quote: Quote) -> Row:
    return (
        *(STATUS[quote.status], quote.error, quote.amount_in, quote.amount_out),
        *(quote.fee, quote.protocol_fee, quote.creator_fee, quote.reserve_a, quote.reserve_b),
    )


def reference(row: Row) -> tuple[Row, Row]:
    a, b, trade, creator, protocol, fund, creator_on, owed_a, owed_b, *fees, a_to_b, amount = row
    state = cpmm.State(
        (a, b),
        cpmm.Rates(trade, creator, protocol, fund),
        creator,
        creator_on,
        (owed_a, owed_b),
        (TransferFee(fees[0], fees[1]), TransferFee(fees[2], fees[3])),
    )
    return words(state.quote_in(bool(a_to_b), amount)), words(state.quote_out(bool(a_to_b), amount))


def random_row(rng: random.Random) -> Row:
    def word() -> int:
        kind = rng.randrange(8)
        if kind == 0:
            return rng.choice([0, 1, 2, U64 - 1, U64 - 2, 2**63, 2**32, 10**6, 10**6 - 1])
        return rng.getrandbits(64) >> rng.randrange(64)

    def transfer_fee() -> tuple[int, int]:
        if rng.randrange(3):
            return 0, 0
        return rng.choice([1, 100, 9999, 10_000, rng.randrange(1, 10_001)]), word()

    trade = rng.choice([0, 1, 100, 2500, 10_000, 400_000, 999_998, rng.randrange(999_999)])
    creator = rng.choice([0, 0, 1, 500, rng.randrange(1_000_000 - trade)]) if trade < 999_000 else 0
    protocol = rng.choice([0, 120_000, rng.randrange(1_000_001)])
    fund = rng.choice([0, 40_000, 1_000_000 - protocol])
    fund = min(fund, 1_000_000 - protocol)
    a, b = word(), word()
    owed = [min(rng.choice([0, 0, word()]), U64 - 1 - reserve) for reserve in (a, b)]
    fees = (*transfer_fee(), *transfer_fee())
    return a, b, trade, creator, protocol, fund, rng.randrange(3), *owed, *fees, rng.randrange(2), word()


def test_core_and_reference_agree(core: Quotes) -> None:
    rng = random.Random(20260401)
    rows = [random_row(rng) for _ in range(ROWS)]
    answers = core(rows)
    wrong = [(row, got, reference(row)) for row, got in zip(rows, answers, strict=True) if got != reference(row)]
    assert not wrong, wrong[:3]
    assert sum(not one[0] for one, _ in answers) > ROWS // 4 and sum(not two[0] for _, two in answers) > ROWS // 10


@pytest.mark.parametrize(
    ("about", "now", "error"),
    [({"open_time": 100}, 99, cpmm.NOT_APPROVED), ({"swap_disabled": True}, 100, cpmm.NOT_APPROVED), ({}, 0, 0)],
)
def test_a_pool_swaps_from_its_opening_unless_it_is_switched_off(about: dict[str, Any], now: int, error: int) -> None:
    state = cpmm.State((1000, 1000), cpmm.Rates(2500, 0), **about)
    for quote in (state.quote_in(True, 500, now), state.quote_out(False, 300, now)):
        assert (quote.status, quote.error) == (("refused", error) if error else ("ok", 0))


def account(name: str) -> bytes:
    path = data_dir("accounts/raydium_cpmm/sol_usdc") / f"{name}.json"
    return base64.b64decode(json.loads(path.read_text())["account"]["data"][0])


def real_pool() -> cpmm.Pool:
    return cpmm.decode_pool(Pubkey.new_unique(), account("sol_usdc_pool_state"))


def real_state() -> cpmm.State:
    pool, rates = real_pool(), cpmm.decode_config(account("amm_config"))
    amounts = [int.from_bytes(account(name)[64:72], "little") for name in ("sol_vault", "usdc_vault")]
    return cpmm.State.of(pool, rates, (amounts[0], amounts[1]))


def test_what_the_real_program_paid(core: Quotes) -> None:
    state = real_state()
    with (data_dir("golden") / "raydium_cpmm_sol_usdc.csv").open() as file:
        swaps = [[int(value) for value in row.values()] for row in csv.DictReader(file)]
    assert len(swaps) == 75
    for zero_for_one, exact_in, amount, amount_in, amount_out in swaps:
        rates = state.rates
        terms = (*state.reserves, rates.trade, state.creator_rate, rates.protocol, rates.fund, state.creator_fee_on)
        (got,) = core([(*terms, *state.owed, 0, 0, 0, 0, zero_for_one, amount)])
        ask = state.quote_in if exact_in else state.quote_out
        quote = ask(bool(zero_for_one), amount, state.open_time)
        assert (quote.amount_in, quote.amount_out) == (amount_in, amount_out)
        assert got[not exact_in] == words(quote)


def test_real_accounts_decode() -> None:
    pool, rates = real_pool(), cpmm.decode_config(account("amm_config"))
    assert (rates.trade, rates.creator) == (2500, 500)
    assert str(pool.mints[0]) == "So11111111111111111111111111111111111111112"
    assert pool.decimals == (9, 6) and pool.status == 0 and not pool.creator_fee_enabled
    assert (rates.protocol, rates.fund) == (120_000, 40_000)
    assert real_state().creator_rate == 0
    assert cpmm.State.of(replace(pool, creator_fee_enabled=True), rates, (U64 - 1, U64 - 1)).creator_rate == 500


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
    with pytest.raises(cpmm.VenueDataError, match="shares"):
        cpmm.decode_config(config[:20] + (10**6 + 1).to_bytes(8, "little") + config[28:])
    with pytest.raises(cpmm.VenueDataError, match="owe"):
        cpmm.State.of(real_pool(), cpmm.Rates(2500, 0), (0, 0))
