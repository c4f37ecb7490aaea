"""The risk gate against a short model in plain integers: random intents, fills, commands and times."""

from __future__ import annotations

import ctypes
import ctypes.util
import itertools
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sniperforge.venues.raydium_cpmm import Rates, State
from tests import core_library

G = 10**9
DAY = 86_400 * G
BOTS = (1, 2)
TOKENS = 4
BASE = 1
LIMITS = {
    "max_order_lamports": 4 * G,
    "max_open_lamports": 9 * G,
    "max_open_orders": 5,
    "max_orders_per_second": 40,
    "max_daily_loss_lamports": G // 5,
    "max_tip_lamports": 100_000,
    "max_priority_fee_lamports": 60_000,
    "max_daily_fee_lamports": G // 200,
    "collar_bps": 100,
    "max_data_age_ns": G // 2,
    "max_slot_lag": 10,
}
MINT_MAX = {2: 3 * G}
LISTED = {BASE, 2}
VERDICT_SLOTS = 20
(
    KILLED, NOT_TRADING, MALFORMED, DUPLICATE, STALE, UNKNOWN_POOL, ORDER_SIZE, MINT_SIZE, EXPOSURE,
    OPEN_ORDERS, RATE, DAILY_LOSS, FEE, COLLAR, BALANCE, UNPROFITABLE, CREDIT, QUOTE, UNSAFE,
) = range(1, 20)  # fmt: skip

HEADER = (core_library.ROOT / "csrc/trade/risk.h").read_text()
VIEW = re.search(r"typedef struct sf_risk_view \{.*?\} sf_risk_view_t;", HEADER, re.DOTALL)
assert VIEW
DECLARATIONS = (
    re.sub(r"\bSF_HOP_MAX\b", "4", re.sub(r"/\*.*?\*/", "", VIEW[0], flags=re.DOTALL))
    + """
typedef struct sf_risk sf_risk_t;
sf_risk_t * risk_new( uint64_t const * limit, uint64_t now_ns, uint64_t utc_ns );
void risk_free( sf_risk_t * r );
uint32_t sf_risk_gate( sf_risk_t * r, sf_intent_t const * intent, sf_risk_view_t const * v,
                       uint64_t * order, sf_denied_t * denied );
int sf_risk_fill( sf_risk_t * r, sf_fill_t const * fill, uint64_t utc_ns );
void sf_risk_balance( sf_risk_t * r, sf_balance_t const * balance );
int sf_risk_verdict( sf_risk_t * r, sf_verdict_t const * verdict );
sf_position_row_t * risk_position( sf_risk_t * r, uint32_t token );
sf_limit_row_t * risk_limit( sf_risk_t * r );
sf_pool_update_t * risk_pool( uint32_t hop, uint64_t a, uint64_t b, uint32_t trade, uint32_t creator,
                              uint32_t creator_on );
"""
)
GLUE = """
#include <stdlib.h>
#include <string.h>
#include "dex/raydium_cpmm.h"
#include "trade/risk.h"
static struct { sf_pool_update_t u; sf_raydium_cpmm_state_t s; } pools[ SF_HOP_MAX ];
sf_pool_update_t * risk_pool( uint32_t hop, uint64_t a, uint64_t b, uint32_t trade, uint32_t creator,
                              uint32_t creator_on ) {
  memset( &pools[ hop ], 0, sizeof( pools[ hop ] ) );
  sf_raydium_cpmm_state_t * s = &pools[ hop ].s;
  s->reserve[ 0 ] = s->amount[ 0 ] = a;
  s->reserve[ 1 ] = s->amount[ 1 ] = b;
  s->rates.trade    = trade;
  s->creator_fee    = creator;
  s->creator_fee_on = creator_on;
  sf_pool_update_fill( sf_venue_get( SF_VENUE_RAYDIUM_CPMM ), s, sizeof( *s ), 1000, &pools[ hop ].u );
  return &pools[ hop ].u;
}
sf_risk_t *
risk_new( uint64_t const * limit, uint64_t now_ns, uint64_t utc_ns ) {
  sf_risk_t * r = calloc( 1, sizeof( *r ) );
  memcpy( &r->limit.max_order_lamports, limit, 11 * 8 );
  r->supervisor_timeout_ns = 1000000000;
  r->cost = ( sf_cost_t ){ 5000, 80000, 7 };
  r->base_mint[ 0 ] = 1;
  r->mint_cnt = 1;
  r->mint[ 0 ][ 0 ] = 2;
  r->mint_max[ 0 ] = 3000000000;
  r->safety_gate = 1;
  r->verdict_slots = 20;
  r->listed_cnt = 1;
  r->listed[ 0 ][ 0 ] = 2;
  strcpy( r->bot[ 1 ].name, "one" );
  strcpy( r->bot[ 2 ].name, "two" );
  sf_risk_init( r, 3, now_ns, utc_ns );
  for( uint8_t t = 0; t < 4; t++ ) {
    uint8_t mint[ 32 ] = { t };
    sf_risk_token( r, mint );
  }
  return r;
}
void risk_free( sf_risk_t * r ) { free( r ); }
sf_position_row_t * risk_position( sf_risk_t * r, uint32_t token ) { return &r->position[ token ]; }
sf_limit_row_t * risk_limit( sf_risk_t * r ) { return &r->limit; }
"""
SOURCES = [
    *(
        str(path.relative_to(core_library.ROOT / "csrc"))
        for path in sorted((core_library.ROOT / "csrc/dex").glob("*.c"))
    ),
    "solana/address.c",
    "trade/risk.c",
]
INTENT = 256
"""Bytes of sf_intent_t."""


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    # derived addresses need SHA-256
    ctypes.CDLL(ctypes.util.find_library("sodium"), mode=ctypes.RTLD_GLOBAL)
    yield core_library.build(tmp_path_factory.mktemp("risk"), SOURCES, DECLARATIONS, GLUE)


class Model:
    """What the gate and its books should do."""

    def __init__(self, utc: int) -> None:
        self.open: dict[int, tuple[int, int, int, int]] = {}  # order -> amount in, value, cost, token
        self.balance, self.booked = [0] * TOKENS, [0] * TOKENS
        self.last = dict.fromkeys(BOTS, 0)
        self.orders = self.today = self.fees = 0
        self.verdicts: dict[int, tuple[int, int, int, int]] = {}  # token -> outcome, slot, amount, quote
        self.day, self.lots = utc // DAY, [(0, 0)] * TOKENS
        self.level, self.level_at = LIMITS["max_orders_per_second"] * G, 0

    def time(self, now: int | None, utc: int) -> None:
        if utc // DAY > self.day:
            self.day, self.today, self.fees = utc // DAY, 0, 0
        if now is not None:
            rate = LIMITS["max_orders_per_second"]
            self.level = min(rate * G, self.level + min(max(now - self.level_at, 0), G) * rate)
            self.level_at = max(now, self.level_at)

    def reason(self, i: Any, v: Any, pools: list[State], quotes: list[int]) -> int:
        reduces = i.flags & 1 and i.kind == 2 and i.token_out == BASE
        if v.kill >= 2 or (v.kill == 1 and not reduces):
            return KILLED
        if not v.trading or v.supervisor_age_ns > G:
            return NOT_TRADING
        hops = list(i.hop)[: i.hop_cnt]
        if (
            v.length != INTENT
            or i.bot not in BOTS
            or not i.intent
            or i.kind not in (1, 2)
            or (i.kind == 1) != (i.token_in == i.token_out)
        ):
            return MALFORMED
        if (
            not 1 <= i.hop_cnt <= 4
            or not i.amount_in
            or hops[0].amount_in != i.amount_in
            or hops[-1].min_out != i.min_out
        ):
            return MALFORMED
        if any(not h.amount_in or not h.min_out for h in hops) or len({h.pool for h in hops}) < len(hops):
            return MALFORMED
        if any(b.amount_in > a.min_out for a, b in itertools.pairwise(hops)):
            return MALFORMED
        at = i.token_in
        for n, hop in enumerate(hops):
            sides = (v.pool[n].token_a, v.pool[n].token_b)
            if at != sides[1 - hop.a_to_b]:
                return MALFORMED
            at = sides[hop.a_to_b]
        if at != i.token_out:
            return MALFORMED
        if i.intent <= self.last[i.bot]:
            return DUPLICATE
        self.last[i.bot] = i.intent
        if v.now_ns - v.t_origin > LIMITS["max_data_age_ns"] or v.chain_slot - i.slot > LIMITS["max_slot_lag"]:
            return STALE
        if 1 in list(v.pool_state)[: i.hop_cnt]:
            return STALE
        if any(v.pool[n].flags & 2 or v.pool[n].open_time > 1000 or v.pool_state[n] != 2 for n in range(i.hop_cnt)):
            return UNKNOWN_POOL
        if i.kind == 2 and i.token_out not in LISTED:
            outcome, slot, amount, quote = self.verdicts.get(i.token_out, (0, 0, 0, 0))
            last = v.pool[i.hop_cnt - 1]
            paid_with = last.token_a if hops[-1].a_to_b else last.token_b
            young = max(v.chain_slot, i.slot) - slot <= VERDICT_SLOTS
            if outcome != 1 or not young or paid_with != quote or hops[-1].amount_in > amount:
                return UNSAFE
        return self.reason_of_numbers(i, v, hops, quotes)

    def costs(self, i: Any) -> tuple[int, int]:
        units = min((i.cu_limit or 5000 + 80000 * i.hop_cnt) + 4095, 1_400_000)
        fee = 5000 + -(-units * (i.cu_price_micro_lamports or 7) // 10**6)
        return fee, fee + i.tip_lamports

    def value(self, i: Any, quotes: list[int]) -> int | None:
        return i.amount_in if i.token_in == BASE else quotes[-1] if i.token_out == BASE else None

    def reason_of_numbers(self, i: Any, v: Any, hops: list[Any], quotes: list[int]) -> int:
        fee, cost = self.costs(i)
        value = self.value(i, quotes)
        waiting = sum(order[2] for order in self.open.values())
        if value is None or value > LIMITS["max_order_lamports"]:
            return ORDER_SIZE
        if i.amount_in > MINT_MAX.get(i.token_in, i.amount_in):
            return MINT_SIZE
        if sum(order[1] for order in self.open.values()) + value > LIMITS["max_open_lamports"]:
            return EXPOSURE
        if len(self.open) >= LIMITS["max_open_orders"]:
            return OPEN_ORDERS
        if self.level < G:
            return RATE
        reduces = i.flags & 1 and i.kind == 2 and i.token_out == BASE
        if not reduces and max(-self.today, 0) + waiting + cost > LIMITS["max_daily_loss_lamports"]:
            return DAILY_LOSS
        if i.tip_lamports > LIMITS["max_tip_lamports"] or fee - 5000 > LIMITS["max_priority_fee_lamports"]:
            return FEE
        if self.fees + waiting + cost > LIMITS["max_daily_fee_lamports"]:
            return FEE
        for hop, quote in zip(hops, quotes, strict=True):
            if hop.min_out > quote:
                return QUOTE
            if hop.min_out < quote * (10_000 - LIMITS["collar_bps"]) // 10_000:
                return COLLAR
        reserved = sum(order[0] for order in self.open.values() if order[3] == i.token_in)
        if i.amount_in > self.balance[i.token_in] - reserved or cost > v.wallet_lamports - waiting:
            return BALANCE
        if i.kind == 1 and i.min_out < i.amount_in + (cost if i.token_in == BASE else 0):
            return UNPROFITABLE
        return CREDIT if not v.order_credit else 0

    def accept(self, i: Any, quotes: list[int]) -> int:
        self.orders += 1
        order = 3 << 32 | self.orders
        value = self.value(i, quotes)
        assert value is not None
        self.open[order] = (i.amount_in, value, self.costs(i)[1], i.token_in)
        self.level -= G
        return order

    def fill(self, f: Any) -> bool:
        if self.open.pop(f.order, None) is None:
            return False
        landed, result = f.outcome == 1, 0
        for token, delta in (
            ((f.token_in, f.delta_in), (f.token_out, f.delta_out if f.kind == 2 else 0)) if landed else ()
        ):
            self.balance[token] += delta
            self.booked[token] += delta
        costs = f.fee_lamports + (f.tip_lamports if landed else 0)
        lamports = f.delta_lamports + costs  # what moved besides fee and tip
        if landed and f.kind == 1:
            result = (f.delta_in if f.token_in == BASE else 0) + lamports
        elif landed and f.token_in == BASE and -f.delta_in - lamports > 0:
            amount, paid = self.lots[f.token_out]
            self.lots[f.token_out] = (amount + f.delta_out, paid - f.delta_in - lamports)
        elif landed and f.token_out == BASE and f.delta_out + lamports > 0:
            amount, paid = self.lots[f.token_in]
            part = min(-f.delta_in, amount)
            if part:
                cost = paid * part // amount
                result = (f.delta_out + lamports) * part // -f.delta_in - cost
                self.lots[f.token_in] = (amount - part, paid - cost)
        self.today += result - costs
        self.fees += costs
        return True


class Rig:
    """One gate and its model, driven by the same random numbers."""

    def __init__(self, core: tuple[Any, Any], seed: int) -> None:
        self.ffi, self.lib = core
        self.rng = random.Random(seed)
        self.now, self.utc = 1000 * G, 20_000 * DAY + self.rng.randrange(DAY)
        self.risk = self.lib.risk_new(list(LIMITS.values()), self.now, self.utc)
        self.model = Model(self.utc)
        self.model.level_at = self.now
        self.sent = dict.fromkeys(BOTS, 0)
        self.filled: list[Any] = []

    def intent(self) -> tuple[Any, Any, list[State], list[int]]:
        rng, ffi = self.rng, self.ffi
        i, v = ffi.new("sf_intent_t *"), ffi.new("sf_risk_view_t *")
        cycle = rng.random() < 0.6
        route = [BASE, rng.choice([0, 2, 3]), BASE] if cycle else rng.sample(range(TOKENS), 2)
        if cycle and rng.random() < 0.4:
            route = [BASE, 0, rng.choice([2, 3]), BASE]
        i.bot = rng.choice(BOTS)
        self.sent[i.bot] += 1
        i.intent, i.kind, i.hop_cnt, i.slot = self.sent[i.bot], 1 if cycle else 2, len(route) - 1, 100
        i.token_in, i.token_out = route[0], route[-1]
        i.tip_lamports = rng.choice([0, 0, 1000, 90_000])
        i.cu_limit, i.cu_price_micro_lamports = rng.choice([0, 200_000]), rng.choice([0, 1000, 100_000])
        i.amount_in = amount = rng.choice([1, 10**6, G // 3, G, 2 * G, 5 * G])
        pools, quotes = [], []
        for n in range(i.hop_cnt):
            hop, a_to_b = i.hop[n], rng.randrange(2)
            reserves = (rng.randrange(900, 1100) * G, rng.randrange(900, 1100) * G)
            pool = State(reserves, Rates(500, 0), rng.choice([0, 300]), rng.randrange(3))
            tokens = (route[n], route[n + 1]) if a_to_b else (route[n + 1], route[n])
            hop.pool, hop.venue, hop.a_to_b, hop.amount_in = n + 3, 1, a_to_b, amount
            quote = pool.quote_in(bool(a_to_b), amount).amount_out
            hop.min_out = amount = max(quote * (10_000 - rng.choice([0, 0, 20])) // 10_000, 1)
            p = v.pool[n] = self.lib.risk_pool(n, *reserves, 500, pool.creator_rate, pool.creator_fee_on)
            p.pool, p.venue, p.token_a, p.token_b = n + 3, 1, *tokens
            v.pool_state[n] = 2
            pools.append(pool)
            quotes.append(quote)
        i.min_out = amount
        v.now_ns, v.utc_ns, v.t_origin = self.now, self.utc, self.now - rng.randrange(G // 4)
        v.trading, v.chain_slot, v.wallet_lamports, v.order_credit, v.length = (
            1,
            100 + rng.randrange(9),
            G // 100,
            5,
            INTENT,
        )
        return i, v, pools, quotes

    def spoil(self, i: Any, v: Any) -> None:
        rng = self.rng
        last = i.hop[i.hop_cnt - 1]

        def lower() -> None:
            i.min_out = last.min_out = last.min_out * 99 // 100

        changes: list[Callable[[], object]] = [
            lambda: setattr(v, "kill", rng.randrange(1, 3)),
            lambda: setattr(i, "flags", 1),
            lambda: setattr(v, "trading", 0),
            lambda: setattr(v, "supervisor_age_ns", 2 * G),
            lambda: setattr(v, "length", 100),
            lambda: setattr(i, "bot", rng.choice([0, 3, 64, 2**32 - 1])),
            lambda: setattr(i, "kind", rng.randrange(4)),
            lambda: setattr(i, "amount_in", i.amount_in + 1),
            lambda: setattr(i, "token_out", rng.randrange(TOKENS)),
            lambda: setattr(last, "a_to_b", 1 - last.a_to_b),
            lambda: setattr(last, "min_out", last.min_out + 1),
            lower,
            lambda: setattr(last, "pool", 3),
            lambda: setattr(i, "intent", max(i.intent - rng.randrange(3), 0)),
            lambda: setattr(v, "t_origin", self.now - G),
            lambda: setattr(v, "chain_slot", 111),
            lambda: v.pool_state.__setitem__(0, 1),
            lambda: setattr(v.pool[0], "flags", 2),
            lambda: setattr(v.pool[0], "open_time", 1001),
            lambda: v.pool_state.__setitem__(0, 0),
            lambda: setattr(i, "tip_lamports", 100_001),
            lambda: setattr(i, "cu_price_micro_lamports", 10**6),
            lambda: setattr(v, "wallet_lamports", 4000),
            lambda: setattr(v, "order_credit", 0),
        ]
        rng.choice(changes)()

    def step_intent(self) -> int:
        i, v, pools, quotes = self.intent()
        if self.rng.random() < 0.35:
            self.spoil(i, v)
        # a quote of the changed hop, by the reference
        quotes = [
            pool.quote_in(i.hop[n].a_to_b == 1, i.hop[n].amount_in).amount_out
            for n, pool in enumerate(pools[: i.hop_cnt])
        ]
        order, denied = self.ffi.new("uint64_t *"), self.ffi.new("sf_denied_t *")
        self.model.time(self.now, self.utc)
        want = self.model.reason(i, v, pools, quotes)
        got = self.lib.sf_risk_gate(self.risk, i, v, order, denied)
        assert got == want, (got, want, denied.have, denied.allowed)
        if got:
            assert denied.reason == got and denied.intent == i.intent and denied.bot == i.bot
        else:
            assert order[0] == self.model.accept(i, quotes)
            self.filled.append((order[0], i))
        return int(got)

    def step_fill(self) -> None:
        rng = self.rng
        if not self.filled:
            return
        order, i = rng.choice(self.filled)
        f = self.ffi.new("sf_fill_t *")
        f.order, f.intent, f.bot, f.kind, f.outcome = order, i.intent, i.bot, i.kind, rng.choice([1, 1, 2, 3, 4])
        f.token_in, f.token_out, f.tip_lamports = i.token_in, i.token_out, i.tip_lamports
        f.fee_lamports = rng.choice([0, 5000, 20_000]) if f.outcome < 3 else 0
        if f.outcome == 1 and i.kind == 1:
            f.delta_in = rng.randrange(-G // 200, G // 100)
        elif f.outcome == 1:
            f.delta_in, f.delta_out = -i.amount_in, i.min_out + rng.randrange(100)
            if rng.random() < 0.3:  # a venue that pays or is paid in lamports
                side = "delta_in" if i.token_in == BASE else "delta_out"
                f.delta_lamports = getattr(f, side)
                setattr(f, side, 0)
        f.delta_lamports -= f.fee_lamports + (f.tip_lamports if f.outcome == 1 else 0)
        if f.outcome == 1 and rng.random() < 0.2:
            f.delta_lamports -= 2_039_280  # an account's rent
        want = self.model.fill(f)
        assert bool(self.lib.sf_risk_fill(self.risk, f, self.utc)) == want

    def step_balance(self) -> None:
        token, amount = self.rng.randrange(TOKENS), self.rng.choice([0, G, 20 * G])
        balance = self.ffi.new("sf_balance_t *", {"token": token, "amount": amount})
        self.lib.sf_risk_balance(self.risk, balance)
        self.model.balance[token] = amount

    def step_verdict(self) -> None:
        rng = self.rng
        token = rng.randrange(TOKENS)
        values = {"outcome": rng.choice([1, 1, 1, 1, 2, 3]), "slot": rng.choice([70, 85, 100, 120])}
        values |= {"amount": rng.choice([G, 3 * G, 10 * G]), "quote": rng.choice([BASE, BASE, 2])}
        mint = rng.choice([token, token, token, 9])
        verdict = self.ffi.new("sf_verdict_t *", values | {"token": token, "mint": bytes([mint]) + bytes(31)})
        assert (self.lib.sf_risk_verdict(self.risk, verdict) == 0) == (mint == token)
        if mint == token:
            self.model.verdicts[token] = values["outcome"], values["slot"], values["amount"], values["quote"]

    def step_time(self) -> None:
        step = self.rng.choice([G // 100, G // 10, 3 * G, 3 * 3600 * G])
        self.now += step
        self.utc += step
        self.model.time(self.now, self.utc)

    def compare(self) -> None:
        limit, model = self.lib.risk_limit(self.risk), self.model
        assert limit.open_orders == len(model.open)
        assert limit.open_lamports == sum(order[1] for order in model.open.values())
        for token in range(TOKENS):
            row = self.lib.risk_position(self.risk, token)
            assert (row.balance, row.booked) == (model.balance[token], model.booked[token])
            assert row.reserved == sum(order[0] for order in model.open.values() if order[3] == token)


@pytest.mark.parametrize("seed", range(12))
def test_gate_and_model_agree(core: tuple[Any, Any], seed: int) -> None:
    rig = Rig(core, seed)
    seen = set()
    for token in range(TOKENS):
        balance = rig.ffi.new("sf_balance_t *", {"token": token, "amount": 20 * G})
        rig.lib.sf_risk_balance(rig.risk, balance)
        rig.model.balance[token] = 20 * G
    for _ in range(2500):
        kind = rig.rng.random()
        if kind < 0.6:
            seen.add(rig.step_intent())
        elif kind < 0.85:
            rig.step_fill()
        elif kind < 0.88:
            rig.step_balance()
        elif kind < 0.92:
            rig.step_verdict()
        else:
            rig.step_time()
        rig.compare()
    rig.lib.sf_risk_fill(rig.risk, rig.ffi.new("sf_fill_t *"), rig.utc)  # nobody's; but the day may be over
    assert rig.model.today == rig.lib.risk_limit(rig.risk).today_lamports
    assert len(seen) > 12 and UNSAFE in seen, seen
    rig.lib.risk_free(rig.risk)
