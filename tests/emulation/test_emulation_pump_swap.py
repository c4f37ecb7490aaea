"""The emulated PumpSwap inside LiteSVM: against the captured events of the real program, and against both the
plain-integer reference and the C core; its arithmetic also by itself, as often as asked for."""

from __future__ import annotations

import base64
import random
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from sniperforge.simnet import pump_swap_accounts as amm
from sniperforge.simnet.pump_swap_accounts import PROGRAM_ID, PoolKeys, Rates
from sniperforge.venues import core, pump_fees, pump_swap
from sniperforge.venues.quote import Quote
from tests import emulation_differential, native_sbf
from tests.emulation.cpmm_machine import TOKEN_2022_PROGRAM_ID, Machine, error_code, token_account
from tests.unit import pump_captures

NOW = 1_790_000_000
U64 = 1 << 64
SUPPLY = 10**15
SLIPPAGE, BELOW_MINIMUM = 6004, 6040
BUY_EVENT, SELL_EVENT = bytes.fromhex("67f4521f2cf57777"), bytes.fromhex("3e2f370aa503dc2a")
RECIPIENT, RESERVED, BUYBACK, CREATOR = (Pubkey.new_unique() for _ in range(4))
WRAPPED_SOL = pump_fees.SOL_MINTS[1]
BUY, SPEND, SELL = range(3)
KINDS = (BUY, SPEND, SELL)
RATES = [Rates(20, 5, 5), Rates(20, 5, 95), Rates(25, 5, 0), Rates(2, 93, 30), Rates(), Rates(4998, 1, 1)]


@dataclass(frozen=True)
class Terms:
    """Everything that decides over a trade; pairs are (base, quote)."""

    vaults: tuple[int, int] = (206_900_000_000_000, 84_990_000_000)
    rates: Rates = RATES[1]
    virtual: int = 0
    kept: tuple[int, int] = (0, 0)
    buyback_rate: int = 0
    disabled: int = 0
    mayhem: bool = False
    cashback: bool = False
    users: tuple[int, int] = (1 << 62, 1 << 62)
    programs: tuple[Pubkey, Pubkey] = (amm.TOKEN_PROGRAM_ID, amm.TOKEN_PROGRAM_ID)

    @property
    def state(self) -> pump_swap.State:
        return pump_swap.State(
            self.vaults,
            pump_fees.Schedule(pump_fees.Rates(*self.rates)),
            self.virtual,
            sum(self.kept),
            bool(self.disabled & 8),
            bool(self.disabled & 16),
        )


def in_c(state: pump_swap.State) -> Any:
    made = ffi.new("sf_pump_swap_state_t *")
    made.base, made.quote, made.payable = state.vaults[0], state.quote, state.vaults[1] - state.kept
    made.room = [U64 - 1 - state.vaults[0], U64 - 1 - state.vaults[1]]
    made.rates.lp, made.rates.protocol, made.rates.creator = state.schedule.rates
    made.no_buys, made.no_sales = state.no_buys, state.no_sales
    return made


def expected(state: pump_swap.State, kind: int, amount: int) -> Quote:
    """What both references say, which must be the same."""
    exact_in, sale = kind != BUY, kind == SELL
    python = (state.quote_in if exact_in else state.quote_out)(sale, amount)
    function = lib.sf_pump_swap_quote_in if exact_in else lib.sf_pump_swap_quote_out
    c = core.quote(function, in_c(state), sale, amount)
    if c.status == "refused":
        c = Quote(0, 0, "refused", c.error)
    assert c == python, (state, kind, amount)
    return python


# -- in the virtual machine -----------------------------------------------------------------------------


@dataclass
class Pool:
    """One pool on a machine, and the user's two token accounts."""

    machine: Machine
    keys: PoolKeys
    settings: amm.Settings
    users: tuple[Pubkey, Pubkey]
    mayhem: bool

    def trade(self, kind: int, amount: int, limit: int | None = None, *, v2: bool = False) -> Instruction:
        common: dict[str, Any] = {"user": self.machine.user.pubkey(), "user_accounts": self.users, "v2": v2}
        common["mayhem"] = self.mayhem
        if kind == BUY:
            most = U64 - 1 if limit is None else limit
            return amm.buy_instruction(self.keys, self.settings, base=amount, max_quote=most, **common)
        if kind == SPEND:
            return amm.buy_exact_quote_in_instruction(
                self.keys, self.settings, quote=amount, min_base=limit or 0, **common
            )
        return amm.sell_instruction(self.keys, self.settings, base=amount, min_quote=limit or 0, **common)

    def balances(self) -> list[int]:
        """User's base and quote, the vaults, protocol, creator, buyback."""
        fees = (RESERVED if self.mayhem else RECIPIENT, BUYBACK)
        recipient, buyback = map(self.keys.recipient_tokens, fees)
        accounts = (*self.users, *self.keys.vaults, recipient, self.keys.creator_tokens, buyback)
        return [self.machine.amount(a) for a in accounts]

    def snapshot(self) -> list[bytes]:
        return [self.machine.data(a) for a in (self.keys.pool, *self.keys.vaults, *self.users)]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    machine = Machine()
    machine.set_time(NOW)
    yield machine


def mint_bytes(supply: int) -> bytes:
    return struct.pack("<I32sQB?I32x", 0, bytes(32), supply, 6, True, 0)


def open_pool(machine: Machine, terms: Terms, *, quote_mint: Pubkey = WRAPPED_SOL, pumps: bool = True) -> Pool:
    keys = amm.derive_pool(
        mints=(Pubkey.new_unique(), quote_mint),
        creator=None if pumps else Pubkey.new_unique(),
        coin_creator=CREATOR if terms.rates.creator else amm.NOBODY,
        token_programs=terms.programs,
    )
    config = amm.global_data(
        recipients=[Pubkey.new_unique(), RECIPIENT],
        reserved_recipient=RESERVED,
        buyback_recipients=[Pubkey.new_unique(), BUYBACK],
        buyback_rate=terms.buyback_rate,
        disabled=terms.disabled,
    )
    # the wrong rates stand wherever those of these terms do not belong
    wrong = Rates(1, 2, 3)
    own = [(0, wrong), (2, terms.rates)] if pumps else [(0, wrong)]
    fees = amm.fee_config_data(flat=wrong if pumps else terms.rates, tiers=own)
    pool = amm.pool_data(
        keys,
        lp_supply=1,
        mayhem=terms.mayhem,
        cashback=terms.cashback,
        virtual_quote=terms.virtual,
        protocol_fees=terms.kept[0],
        creator_fees=terms.kept[1],
    )
    svm = machine.svm
    svm.set_account(keys.pool, Account(10**10, pool, PROGRAM_ID))
    svm.set_account(amm.GLOBAL_CONFIG, Account(10**10, config, PROGRAM_ID))
    svm.set_account(amm.FEE_CONFIG, Account(10**10, fees, amm.FEE_PROGRAM_ID))
    users = (Pubkey.new_unique(), Pubkey.new_unique())
    owner = machine.user.pubkey()
    # market cap: quote * supply / base, at least 2 wherever anything is left to trade
    svm.set_account(keys.mints[0], Account(10**10, mint_bytes(U64 - 1), terms.programs[0]))
    svm.set_account(keys.mints[1], Account(10**10, mint_bytes(1), terms.programs[1]))
    for i in (0, 1):
        program = terms.programs[i]
        svm.set_account(keys.vaults[i], token_account(keys.mints[i], keys.pool, terms.vaults[i], program))
        svm.set_account(users[i], token_account(keys.mints[i], owner, terms.users[i], program))
    for holder in (RECIPIENT, RESERVED, BUYBACK, keys.creator_vault):
        empty = token_account(quote_mint, holder, 0, terms.programs[1])
        svm.set_account(keys.recipient_tokens(holder), empty)
    read = replace(amm.read_global(config), recipient=RECIPIENT, buyback_recipient=BUYBACK)
    assert amm.read_pool(keys.pool, pool, terms.programs) == keys
    return Pool(machine, keys, read, users, terms.mayhem)


class Event(NamedTuple):
    """The numbers of an event: fourteen words, creator's rate and fee, then what the newest builds add."""

    kind: bytes
    words: tuple[int, ...]
    creator: tuple[int, int]
    rest: bytes


def event_of(data: bytes) -> Event:
    return Event(data[:8], struct.unpack_from("<14Q", data, 8), struct.unpack_from("<QQ", data, 344), data[360:])


def logged(result: Any) -> Event:
    lines = [line for line in result.logs() if line.startswith("Program data: ")]
    (line,) = lines
    data = base64.b64decode(line.removeprefix("Program data: "))
    inner = [bytes(one.instruction().data) for group in result.inner_instructions() for one in group]
    assert pump_captures.EVENT_TAG + data in inner
    return event_of(data)


def check(
    machine: Machine, terms: Terms, kind: int, amount: int, limit: int | None = None, *, v2: bool = False
) -> int | None:
    """One trade on a fresh pool, everything compared; the code it got."""
    pool = open_pool(machine, terms)
    before, bytes_before = pool.balances(), pool.snapshot()
    quote = expected(terms.state, kind, amount)
    code = quote.error or None
    if quote.status == "ok" and limit is not None:
        beyond = quote.amount_in > limit if kind == BUY else quote.amount_out < limit
        code = (BELOW_MINIMUM if kind == SPEND else SLIPPAGE) if beyond else None
    result = machine.send(pool.trade(kind, amount, limit, v2=v2))
    what = (terms, kind, amount, limit, v2, result)
    if code is not None:
        assert error_code(result) == code, what
        assert pool.snapshot() == bytes_before
        return code
    paid = quote.amount_in
    if paid > terms.users[kind != SELL]:
        assert error_code(result) == 1, what  # the token program: insufficient funds
        return 1
    if terms.users[kind == SELL] + quote.amount_out >= U64:
        assert error_code(result) == 14, what
        return 14
    assert error_code(result) is None, what
    protocol, creator = quote.protocol_fee, quote.creator_fee
    buyback = protocol * terms.buyback_rate // 10_000
    stays = protocol - buyback + creator if v2 else 0
    sign = 1 if kind == SELL else -1
    base, user_quote = (paid, quote.amount_out) if kind == SELL else (quote.amount_out, paid)
    vault = -sign * (user_quote + sign * (protocol + creator) - sign * stays)
    moved = [after - earlier for earlier, after in zip(before, pool.balances(), strict=True)]
    fees = [0, 0] if v2 else [protocol - buyback, creator]
    assert moved == [-sign * base, sign * user_quote, sign * base, vault, *fees, buyback], what
    kept = (terms.kept[0] + (protocol - buyback if v2 else 0), terms.kept[1] + (creator if v2 else 0))
    state = machine.data(pool.keys.pool)
    assert struct.unpack_from("<QQ", state, 271) == kept
    virtual = int.from_bytes(state[245:261], "little", signed=True)
    assert virtual == terms.virtual - stays
    # the sum of vault and virtual reserves is what the references say is left
    assert machine.amount(pool.keys.vaults[1]) + virtual == quote.reserve_b
    assert machine.amount(pool.keys.vaults[0]) == quote.reserve_a
    event = logged(result)
    assert event.kind == (SELL_EVENT if kind == SELL else BUY_EVENT)
    assert event.words[:2] == (NOW, base) and event.words[3:5] == terms.users
    assert event.words[5:7] == terms.vaults and event.words[8::2][:2] == terms.rates[:2]
    assert event.words[9] + event.words[11] + event.creator[1] == quote.fee
    if kind != SPEND:
        assert event.words[13] == user_quote
    return None


def word(rng: random.Random) -> int:
    if rng.randrange(8) == 0:
        return rng.choice([0, 1, 2, 3, 9_999, 10_000, U64 - 1, U64 - 2, 2**63, 2**32])
    return rng.getrandbits(64) >> rng.randrange(64)


def random_terms(rng: random.Random) -> Terms:
    base, quote = word(rng), word(rng)
    virtual = rng.choice([0, 0, rng.randrange(U64 - quote), -rng.randrange(quote + 1)])
    kept = rng.choice([0, 0, rng.randrange(quote + 1)])
    part = rng.randrange(kept + 1)
    return Terms((base, quote), rng.choice(RATES), virtual, (part, kept - part))


def random_amount(rng: random.Random, state: pump_swap.State, kind: int) -> int:
    amount = word(rng)
    pick = rng.randrange(4)
    if pick == 0:
        return max(0, state.vaults[0] - rng.randrange(3)) if kind == BUY else amount
    if pick < 3:
        return amount % (1 + (state.vaults[0] if kind != SPEND else state.quote))
    return amount


@pytest.mark.parametrize("v2", [False, True])
def test_random_trades_agree(machine: Machine, v2: bool) -> None:
    rng = random.Random(2026 + v2)
    done: Counter[bool] = Counter()
    for _ in range(300):
        terms = random_terms(rng)
        if terms.state.quote * (U64 - 1) < 2 * terms.vaults[0] or not terms.vaults[0]:
            continue  # below the tier that the pool's terms are in
        terms = replace(terms, buyback_rate=rng.choice([0, 5000, 10_000, 3333]))
        kind = rng.choice(KINDS)
        amount = random_amount(rng, terms.state, kind)
        limit = word(rng) if rng.randrange(4) == 0 else None
        done[check(machine, terms, kind, amount, limit, v2=v2) is None] += 1
    assert done[True] > 60 and done[False] > 60, done


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("v2", [False, True])
def test_limits_are_exact(machine: Machine, kind: int, v2: bool) -> None:
    quote = expected(Terms().state, kind, 10**9)
    edge, beyond = (quote.amount_in, quote.amount_in - 1) if kind == BUY else (quote.amount_out, quote.amount_out + 1)
    assert check(machine, Terms(), kind, 10**9, edge, v2=v2) is None
    assert check(machine, Terms(), kind, 10**9, beyond, v2=v2) == (BELOW_MINIMUM if kind == SPEND else SLIPPAGE)


@pytest.mark.parametrize(
    ("terms", "kind", "amount", "code"),
    [
        (Terms(disabled=8), BUY, 10**6, 6020),
        (Terms(disabled=8), SPEND, 10**6, 6020),
        (Terms(disabled=8), SELL, 10**6, None),
        (Terms(disabled=16), SELL, 10**6, 6021),
        (Terms(disabled=16), BUY, 10**6, None),
        (Terms(), BUY, 0, 6001),
        (Terms(), SELL, 0, 6001),
        (Terms(), SPEND, 1, 6039),
        (Terms(), BUY, Terms.vaults[0], 6016),
        (Terms(virtual=-84_990_000_000 + 5, rates=Rates()), SELL, 10**15, None),
        (Terms(virtual=10**12), SELL, 10**15, 6063),
        (Terms(mayhem=True), BUY, 10**9, None),
        (Terms(users=(0, 100)), SPEND, 101, 1),
        (Terms(programs=(TOKEN_2022_PROGRAM_ID, amm.TOKEN_PROGRAM_ID)), SPEND, 10**9, None),
        (Terms(programs=(amm.TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID)), SELL, 10**9, None),
    ],
)
def test_outcomes(machine: Machine, terms: Terms, kind: int, amount: int, code: int | None) -> None:
    assert check(machine, terms, kind, amount) == code


def test_which_rates_are_paid(machine: Machine) -> None:
    """By the pool's maker, the quote mint and the market cap, as the reference reads the same accounts."""
    tiers = [(0, Rates(1, 1, 1)), (2_000, Rates(20, 5, 95)), (10**9, Rates(20, 5, 5))]
    stable = [(0, Rates(3, 2, 1)), (10**6, Rates(7, 5, 3))]
    wholly, partly = amm.fee_config_data, {"flat": Rates(25, 5, 0), "tiers": tiers}
    configs = [
        wholly(**partly, stable=stable, exotic=Rates(9, 8, 7)),
        wholly(**partly, stable=stable),
        wholly(**partly)[:4096],
        wholly(**partly)[:2512],
    ]
    seen = set()
    for data in configs:
        config = pump_fees.decode_config(data)
        for quote_mint in (*pump_fees.SOL_MINTS[1:], pump_fees.USDC, Pubkey.new_unique()):
            for pumps in (False, True):
                for base in (10**6, 10**9, 10**12):
                    terms = Terms(vaults=(base, 10**6))
                    pool = open_pool(machine, terms, quote_mint=quote_mint, pumps=pumps)
                    machine.svm.set_account(amm.FEE_CONFIG, Account(10**10, data, amm.FEE_PROGRAM_ID))
                    machine.svm.set_account(
                        pool.keys.mints[0], Account(10**10, mint_bytes(10**9), amm.TOKEN_PROGRAM_ID)
                    )
                    cap = 10**6 * 10**9 // base
                    rates = config.rates(pumps=pumps, quote_mint=quote_mint, market_cap=cap)
                    result = machine.send(pool.trade(BUY, base // 10))
                    assert error_code(result) is None, result
                    event = logged(result)
                    assert (event.words[8], event.words[10], event.creator[0]) == rates
                    seen.add(rates)
    assert len(seen) == 7


def test_captured_trades_are_repeated(machine: Machine) -> None:
    """A pool with the reserves, rates and users of a real event gives the same event, but for addresses."""
    kinds: Counter[int] = Counter()
    for name, data in pump_captures.events(BUY_EVENT, SELL_EVENT):
        event = event_of(data)
        words, kind = event.words, SELL if event.kind == SELL_EVENT else BUY
        creator = event.creator[0] + (struct.unpack("<Q", event.rest[:8])[0] if kind == SELL and event.rest else 0)
        terms = Terms(
            vaults=(words[5], words[6]), rates=Rates(words[8], words[10], creator), users=(words[3], words[4])
        )
        machine.set_time(words[0])
        pool = open_pool(machine, terms)
        result = machine.send(pool.trade(kind, words[1], words[2]))
        assert error_code(result) is None, (name, result)
        assert logged(result).words == words, name
        if kind == BUY and len(event.rest) == 48:  # neither buyer's volume nor creator's cashback
            assert logged(result).rest[33:48] == event.rest[33:48], name
        kinds[kind] += 1
    machine.set_time(NOW)
    assert kinds == {BUY: 4, SELL: 3}


def test_event_of_a_buy_by_a_budget(machine: Machine) -> None:
    """As long as the newest build's, and the parser of the C core reads it."""
    pool = open_pool(machine, Terms(buyback_rate=5000))
    result = machine.send(pool.trade(SPEND, 10**9, 5, v2=True))
    (line,) = [line for line in result.logs() if line.startswith("Program data: ")]
    data = base64.b64decode(line.removeprefix("Program data: "))
    assert len(data) == 489 - len("buy") + len("buy_exact_quote_in_v2")
    event = ffi.new("sf_pump_swap_traded_t *")
    assert lib.sf_pump_swap_traded_parse(data, len(data), event) == 0
    quote = expected(Terms().state, SPEND, 10**9)
    assert event.exact_in and event.base == quote.amount_out and sum(event.fee) == quote.fee
    # in the event the two change places
    assert (event.user_quote, event.quote) == (10**9, 10**9 - quote.fee) == (event_of(data).words[7], event.quote)
    assert event_of(data).words[13] == event.quote
    virtual = int.from_bytes(machine.data(pool.keys.pool)[245:261], "little", signed=True)
    assert virtual < 0 and data[-49:-33] == virtual.to_bytes(16, "little", signed=True)


def changed(
    instruction: Instruction, at: int, key: Pubkey, *, writable: bool = True, signer: bool = False
) -> Instruction:
    accounts = list(instruction.accounts)
    accounts[at] = AccountMeta(key, is_signer=signer, is_writable=writable)
    return Instruction(instruction.program_id, bytes(instruction.data), accounts)


def test_wrong_accounts_are_refused(machine: Machine) -> None:
    pool, other = open_pool(machine, Terms()), open_pool(machine, Terms())
    good = pool.trade(SPEND, 10**6)
    machine.svm.set_account(forged := Pubkey.new_unique(), Account(10**10, machine.data(pool.keys.pool), FORGER))
    stranger = Pubkey.new_unique()
    cases = [
        (0, forged, 3007),
        (0, other.keys.pool, 2001),
        (2, pool.keys.pool, 3002),
        (3, other.keys.mints[0], 2001),
        (5, other.users[0], 2014),
        (6, pool.users[0], 2014),
        (7, other.keys.vaults[0], 2001),
        (8, other.keys.vaults[1], 2001),
        (9, stranger, 2009),
        (10, pool.keys.creator_tokens, 2009),
        (11, SYSTEM, 3008),
        (15, stranger, 2006),
        (17, pool.keys.recipient_tokens(RECIPIENT), 2009),
        (18, stranger, 2009),
        (21, stranger, 3007),
    ]
    before = pool.snapshot()
    for at, key, code in cases:
        assert error_code(machine.send(changed(good, at, key))) == code, (at, code)
    assert error_code(machine.send(changed(good, 0, pool.keys.pool, writable=False))) == 2000
    short = Instruction(PROGRAM_ID, bytes(good.data), list(good.accounts)[:22])
    assert error_code(machine.send(short)) == 3005
    for data, code in ((b"", 101), (bytes(24), 101), (bytes(good.data)[:23], 102)):
        assert error_code(machine.send(Instruction(PROGRAM_ID, data, good.accounts))) == code
    assert pool.snapshot() == before
    assert error_code(machine.send(good)) is None


FORGER, SYSTEM = Pubkey.new_unique(), Pubkey.default()


def test_buyback_and_cashback(machine: Machine) -> None:
    paying = open_pool(machine, Terms(buyback_rate=5000))
    good = paying.trade(SPEND, 10**6)
    assert len(good.accounts) == 26
    bare = Instruction(PROGRAM_ID, bytes(good.data), list(good.accounts)[:23])
    assert error_code(machine.send(bare)) == 6058
    assert error_code(machine.send(changed(good, 24, RECIPIENT))) == 6053
    assert error_code(machine.send(changed(good, 25, paying.keys.creator_tokens))) == 2009
    assert error_code(machine.send(good)) is None
    v2 = paying.trade(SELL, 10**6, v2=True)
    assert len(v2.accounts) == 17
    assert error_code(machine.send(changed(v2, 14, paying.keys.creator_tokens))) == 6053
    assert error_code(machine.send(v2)) is None
    cashback = open_pool(machine, Terms(cashback=True))
    assert error_code(machine.send(cashback.trade(SELL, 10**6, v2=True))) == 6079
    assert error_code(machine.send(cashback.trade(SELL, 10**6))) is None
    wrong = open_pool(machine, Terms(mayhem=True))
    wrong.mayhem = False
    assert error_code(machine.send(wrong.trade(BUY, 10**6))) == 6013


def test_trades_follow_each_other(machine: Machine) -> None:
    """In one transaction, of both forms; each priced on what the last left."""
    terms = Terms()
    pool = open_pool(machine, terms)
    first = expected(terms.state, SPEND, 10**9)
    fees = (first.protocol_fee, first.creator_fee)
    left = replace(terms, vaults=(first.reserve_a, first.reserve_b + sum(fees)), virtual=-sum(fees), kept=fees)
    second = expected(left.state, SELL, first.amount_out)
    before = pool.balances()
    result = machine.send(pool.trade(SPEND, 10**9, v2=True), pool.trade(SELL, first.amount_out))
    assert error_code(result) is None
    assert result.logs()[1] == "Program log: sniperforge emulation of PumpSwap"
    after = pool.balances()
    assert after[0] == before[0] and after[1] == before[1] - 10**9 + second.amount_out


def test_compute_units(machine: Machine) -> None:
    for v2 in (False, True):
        for kind in KINDS:
            pool = open_pool(machine, Terms(buyback_rate=5000))
            units = machine.send(pool.trade(kind, 10**9, v2=v2)).compute_units_consumed()
            assert units < 70_000, (kind, v2, units)


# -- the arithmetic alone ----------------------------------------------------------------------------------

NATIVE = """
typedef struct { uint64_t base, vault, quote, kept, lp_rate, protocol_rate, creator_rate; } pump_swap_pool_t;
typedef struct { uint64_t base, quote, lp_fee, protocol_fee, creator_fee, user_quote; } pump_swap_trade_t;
"""
GLUE = """
#include "sbf/pump_swap_math.h"
uint64_t native_trade( int kind, pump_swap_pool_t const * pool, pump_swap_trade_t * trade, uint64_t amount ) {
  if( kind == 0 ) return GUARDED( pump_swap_buy( pool, trade, amount ) );
  if( kind == 1 ) return GUARDED( pump_swap_spend( pool, trade, amount ) );
  return GUARDED( pump_swap_sell( pool, trade, amount ) );
}
"""


def compare_natively(directory: Path, seed: int, cases: int) -> Counter[tuple[int, str]]:
    native_ffi, native = native_sbf.build(
        directory,
        NATIVE + "uint64_t native_trade( int, pump_swap_pool_t const *, pump_swap_trade_t *, uint64_t );",
        GLUE,
    )
    rng = random.Random(seed)
    pool, trade = native_ffi.new("pump_swap_pool_t *"), native_ffi.new("pump_swap_trade_t *")
    outcomes: Counter[tuple[int, str]] = Counter()
    for _ in range(cases):
        state, kind = random_terms(rng).state, rng.choice(KINDS)
        amount = random_amount(rng, state, kind)
        pool.base, pool.vault, pool.quote, pool.kept = state.vaults[0], state.vaults[1], state.quote, state.kept
        pool.lp_rate, pool.protocol_rate, pool.creator_rate = state.schedule.rates
        quote = expected(state, kind, amount)
        code = native.native_trade(kind, pool, trade, amount)
        assert code == quote.error, (state, kind, amount, code)
        outcomes[kind, quote.status] += 1
        if code:
            continue
        paid = (trade.base, trade.user_quote) if kind == SELL else (trade.user_quote, trade.base)
        fees = (trade.protocol_fee, trade.creator_fee, trade.lp_fee + trade.protocol_fee + trade.creator_fee)
        assert paid == (quote.amount_in, quote.amount_out), (state, kind, amount)
        assert fees == (quote.protocol_fee, quote.creator_fee, quote.fee), (state, kind, amount)
    return outcomes


def test_arithmetic_agrees(tmp_path: Path) -> None:
    outcomes = compare_natively(tmp_path, 1, 30_000)
    assert len(outcomes) == 6 and min(outcomes.values()) > 1_000, outcomes


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_much_arithmetic_agrees(tmp_path: Path) -> None:
    cases = emulation_differential.slow_cases()
    assert sum(compare_natively(tmp_path, 2, cases).values()) == cases
