"""The arithmetic of the emulated Raydium CPMM, Raydium AMM v4 and pump.fun of January 2025, compiled for this machine,
against the plain-integer references and the C core."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ipc._core import ffi, lib
from sniperforge.venues import core, pump_fees, pump_fun, raydium_cpmm
from sniperforge.venues.quote import Quote
from tests import emulation_differential, native_sbf
from tests.unit import test_venue_cpmm as cpmm_unit
from tests.unit import test_venue_pump_fun as pump_unit
from tests.unit import test_venue_raydium_amm_v4 as amm_unit

U64 = 1 << 64
DECLARATION = "uint64_t native_swap( uint64_t const * terms, uint64_t exact_in, uint64_t amount, uint64_t * out );"
SYSTEM = """
static uint8_t heap[32768] __attribute__( ( aligned( 16 ) ) );
#define SBF_HEAP ( (void *)heap )
#include "sbf/{name}.c"
uint64_t sol_log_data( sbf_bytes_t const * f, uint64_t n ) {{ return (uint64_t)( f - f ) * n; }}
uint64_t sol_get_clock_sysvar( sbf_clock_t * c ) {{ *c = ( sbf_clock_t ){{ 0 }}; return 0; }}
uint64_t sol_invoke_signed_c( sbf_call_t const * c, sbf_account_t const * a, uint64_t n, sbf_signer_t const * s,
                              uint64_t m ) {{ return ( (uint64_t)( c - c ) + (uint64_t)( a - a ) ) * n * m * !s; }}
uint64_t sol_create_program_address( sbf_bytes_t const * s, uint64_t n, uint8_t const * p, uint8_t * a ) {{
  return (uint64_t)( s - s ) * n + (uint64_t)( p - p ) + (uint64_t)( a - a );
}}
uint64_t sol_try_find_program_address( sbf_bytes_t const * s, uint64_t n, uint8_t const * p, uint8_t * a,
                                       uint8_t * b ) {{
  return (uint64_t)( s - s ) * n + (uint64_t)( p - p ) + (uint64_t)( a - a ) + (uint64_t)( b - b );
}}
"""
AMM_V4 = """
static uint8_t pool[1024], tokens[165];
static __attribute__( ( noinline ) ) uint64_t run_one( amm_swap_t * s, uint64_t exact_in, uint64_t amount ) {
  if( exact_in ) return GUARDED( amm_swap_base_in( s, amount, 0 ) );
  return GUARDED( amm_swap_base_out( s, UINT64_MAX, amount ) );
}
uint64_t native_swap( uint64_t const * t, uint64_t exact_in, uint64_t amount, uint64_t * out ) {
  sbf_account_t at = { .data = pool }, source = { .data = tokens };
  amm_swap_t s = { .pool = &at, .source = &source, .reserve = { t[0], t[1] }, .input_side = t[2], .amount_in = amount };
  sbf_put_u64( pool + POOL_FEE_NUMERATOR, t[3] );
  sbf_put_u64( pool + POOL_FEE_DENOMINATOR, t[4] );
  sbf_put_u64( tokens + 64, UINT64_MAX );
  uint64_t code    = run_one( &s, exact_in, amount );
  uint64_t words[] = { s.amount_in, s.amount_out, s.fee, 0, 0 };
  for( int i = 0; i < 5; i++ ) out[i] = words[i];
  return code;
}
"""
CPMM = """
static uint8_t config[CONFIG_SIZE];
static __attribute__( ( noinline ) ) uint64_t run_one( cpmm_swap_t * s, uint64_t exact_in ) {
  return GUARDED( exact_in ? cpmm_curve_input( s ) : cpmm_curve_output( s ) );
}
uint64_t native_swap( uint64_t const * t, uint64_t exact_in, uint64_t amount, uint64_t * out ) {
  cpmm_swap_t s = { .accounts = { .config = { .data = config } }, .input_side = t[2], .creator_on_input = t[3],
                    .input_reserve = t[t[2]], .output_reserve = t[!t[2]], .trade_rate = t[4], .creator_rate = t[5] };
  sbf_put_u64( config + CONFIG_PROTOCOL_RATE, t[6] );
  sbf_put_u64( config + CONFIG_FUND_RATE, t[7] );
  if( exact_in ) s.input_amount = amount;
  else s.output_amount = amount;
  uint64_t code    = run_one( &s, exact_in );
  uint64_t words[] = { s.input_amount, s.output_amount, s.trade_fee, s.protocol_fee + s.fund_fee, s.creator_fee };
  for( int i = 0; i < 5; i++ ) out[i] = words[i];
  return code;
}
"""
PUMP = """
static uint8_t rates[GLOBAL_SIZE];
static __attribute__( ( noinline ) ) uint64_t run_one( pump_trade_t * t ) {
  if( setjmp( sbf_native_panic ) ) return UINT64_MAX;
  pump_quote( t );
  if( t->buy ) {
    pump_subtract( &t->virtual_token, t->tokens );
    pump_subtract( &t->real_token, t->tokens );
    pump_add( &t->virtual_sol, t->sol );
  } else {
    uint64_t received = t->sol;
    pump_subtract( &received, t->fee );
    pump_add( &t->virtual_token, t->tokens );
    pump_subtract( &t->real_sol, t->sol );
  }
  return 0;
}
uint64_t native_swap( uint64_t const * t, uint64_t sale, uint64_t amount, uint64_t * out ) {
  pump_trade_t trade = { .accounts = { .global = { .data = rates } }, .buy = !sale, .tokens = amount,
                         .virtual_token = t[0], .virtual_sol = t[1], .real_token = t[2], .real_sol = t[3] };
  sbf_put_u64( rates + GLOBAL_FEE, t[4] );
  uint64_t code    = run_one( &trade );
  uint64_t words[] = { trade.sol, trade.fee, trade.virtual_token, 0, 0 };
  for( int i = 0; i < 5; i++ ) out[i] = words[i];
  return code;
}
"""
Compare = Callable[[random.Random, "Native", Counter[str]], None]


class Native:
    """One program's arithmetic."""

    def __init__(self, directory: Path, name: str, glue: str) -> None:
        self.ffi, self.lib = native_sbf.build(directory, DECLARATION, SYSTEM.format(name=name) + glue)
        self.out = self.ffi.new("uint64_t[5]")

    def swap(self, terms: list[int], exact_in: bool, amount: int) -> tuple[int, list[int]]:
        code = self.lib.native_swap(terms, exact_in, amount, self.out)
        return code, self.ffi.unpack(self.out, 5)


def compare_amm_v4(rng: random.Random, native: Native, outcomes: Counter[str]) -> None:
    state = amm_unit.random_state(rng)
    made, now = amm_unit.in_c(state), 10**10
    if state.status not in (6, 7):
        return  # not a matter of arithmetic
    free = [vault - owed for vault, owed in zip(state.vaults, state.owed, strict=True)]
    for a_to_b in (False, True):
        for exact_in in (False, True):
            amount = amm_unit.word(rng)
            if rng.randrange(4) == 0:
                amount = max(0, free[a_to_b] - rng.randrange(3))
            quote = amm_unit.same(state, made, a_to_b, exact_in, amount, now)
            code, (paid, got, fee, *_) = native.swap([*free, int(not a_to_b), *state.fee], exact_in, amount)
            what = (state, a_to_b, exact_in, amount, quote, code)
            outcomes[quote.status] += 1
            if code:
                assert quote.status == "refused" and quote.error == (0 if code == native_sbf.PANIC else code), what
            elif quote.status == "refused":  # by the token program
                assert quote.error == 0 and state.vaults[not a_to_b] + paid >= U64, what
            else:
                assert (paid, got, fee) == (quote.amount_in, quote.amount_out, quote.fee), what


def compare_cpmm(rng: random.Random, native: Native, outcomes: Counter[str]) -> None:
    a, b, trade, creator, protocol, fund, creator_on, owed_a, owed_b, *_, a_to_b, amount = cpmm_unit.random_row(rng)
    state = raydium_cpmm.State(
        (a, b), raydium_cpmm.Rates(trade, creator, protocol, fund), creator, creator_on, (owed_a, owed_b)
    )
    made: Any = ffi.new("sf_raydium_cpmm_state_t *")
    made.reserve, made.amount = (a, b), (a + owed_a, b + owed_b)
    made.rates.trade, made.rates.protocol, made.rates.fund = trade, protocol, fund
    made.creator_fee, made.creator_fee_on = creator, creator_on
    on_input = creator_on in (0, 1 if a_to_b else 2)
    for exact_in in (False, True):
        if not exact_in and rng.randrange(2):
            amount %= 1 + (a, b)[a_to_b]
        quote = (state.quote_in if exact_in else state.quote_out)(bool(a_to_b), amount)
        function = lib.sf_raydium_cpmm_quote_in if exact_in else lib.sf_raydium_cpmm_quote_out
        c = core.quote(function, made, bool(a_to_b), amount)
        c = Quote(0, 0, c.status, c.error) if c.status == "refused" else c
        assert c == quote, (state, a_to_b, exact_in, amount)
        outcomes[quote.status] += 1
        if not amount or not a or not b:
            assert quote.status == "refused"  # before the arithmetic
            continue
        terms = [a, b, int(not a_to_b), int(on_input), trade, creator, protocol, fund]
        code, (paid, got, fee, shares, creators) = native.swap(terms, exact_in, amount)
        what = (state, a_to_b, exact_in, amount, quote, code)
        if code:
            assert quote.status == "refused" and quote.error == (0 if code == native_sbf.PANIC else code), what
        elif quote.status == "refused":  # nothing goes out or comes in, or by the token program
            full = (a + owed_a, b + owed_b)[not a_to_b] + paid >= U64
            assert (quote.error == 2505 and not (got and paid)) or (quote.error == 0 and full), what
        else:
            assert (paid, got, shares, creators) == (
                quote.amount_in,
                quote.amount_out,
                quote.protocol_fee,
                quote.creator_fee,
            ), what
            assert fee + (creators if on_input else 0) == quote.fee, what


def compare_pump(rng: random.Random, native: Native, outcomes: Counter[str]) -> None:
    some = pump_unit.random_state(rng)
    rates = pump_fees.Rates(0, some.schedule.rates.protocol, 0)
    state = pump_fun.State(some.virtual, some.real, pump_fees.Schedule(rates, True))
    made = pump_unit.in_c(state)
    for sale in (False, True):
        amount = pump_unit.word(rng)
        if rng.randrange(4):
            amount %= 1 + state.virtual[0] if sale else 1 + state.real[0]
        quote = pump_unit.same(state, made, sale, sale, amount)
        outcomes[quote.status] += 1
        if not amount or not state.virtual[0]:
            continue  # the program of that time does not mind
        code, (sol, fee, tokens, *_) = native.swap([*state.virtual, *state.real, rates.protocol], sale, amount)
        what = (state, sale, amount, quote, code)
        if code:
            assert quote.status == "refused", what
        elif quote.status == "refused":  # what the user pays does not fit; the program cuts such a number off
            whole = amount * state.virtual[1] // (state.virtual[0] - amount) + 1
            assert not sale and whole + whole * rates.protocol // 10_000 >= U64, what
        else:
            moved = (amount, sol - fee) if sale else (sol + fee, amount)
            assert (*moved, fee, tokens) == (quote.amount_in, quote.amount_out, quote.fee, quote.reserve_a), what


VENUES: dict[str, tuple[str, Compare]] = {
    "raydium_amm_v4": (AMM_V4, compare_amm_v4),
    "raydium_cpmm": (CPMM, compare_cpmm),
    "pump_fun": (PUMP, compare_pump),
}


def compare(directory: Path, name: str, seed: int, cases: int) -> Counter[str]:
    glue, one = VENUES[name]
    native, rng = Native(directory, name, glue), random.Random(seed)
    outcomes: Counter[str] = Counter()
    while sum(outcomes.values()) < cases:
        one(rng, native, outcomes)
    return outcomes


@pytest.mark.parametrize("name", VENUES)
def test_arithmetic_agrees(tmp_path: Path, name: str) -> None:
    outcomes = compare(tmp_path, name, 1, 20_000)
    assert min(outcomes["ok"], outcomes["refused"]) > 2_000, outcomes


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("name", VENUES)
def test_much_arithmetic_agrees(tmp_path: Path, name: str) -> None:
    cases = emulation_differential.slow_cases()
    assert sum(compare(tmp_path, name, 2, cases).values()) >= cases
