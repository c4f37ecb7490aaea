"""The emulated newest pump.fun curve inside LiteSVM: against captured events of the real program, and against both
the plain-integer reference and the C core; its arithmetic also by itself, a million times."""

from __future__ import annotations

import base64
import random
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import check as succeeded
from sniperforge.simnet import pump_fun_newest_accounts as pump
from sniperforge.simnet.pump_fun_accounts import GLOBAL, PROGRAM_ID, TOKEN_PROGRAM_ID
from sniperforge.simnet.pump_fun_newest_accounts import FEE_CONFIG, CurveKeys, Settings
from sniperforge.simnet.pump_swap_accounts import FEE_PROGRAM_ID, Rates, fee_config_data
from sniperforge.venues import core, pump_fees, pump_fun
from sniperforge.venues.quote import Quote
from tests import emulation_differential, native_sbf
from tests.emulation.accounts_changed import changed, ro, rw
from tests.emulation.cpmm_machine import TOKEN_2022_PROGRAM_ID, Machine, error_code, token_account
from tests.unit import pump_captures
from tests.unit.test_venue_pump_fun import random_state, word

NOW = 1_790_000_000
U64 = 1 << 64
RENT = 10**10
NETWORK_FEE = 5000
USER_TOKENS = 1 << 62
TRADE_EVENT = bytes.fromhex("bddb7fd34ee661ee")
TOO_MUCH, TOO_LITTLE, BELOW_MINIMUM = 6002, 6003, 6042
BUY, SPEND, SELL = range(3)
KINDS = (BUY, SPEND, SELL)
RECIPIENT, RESERVED, BUYBACK, CREATOR = (Pubkey.new_unique() for _ in range(4))
QUOTE_MINT = Pubkey.new_unique()
RATES = [Rates(0, 95, 30), Rates(0, 95, 0), Rates(0, 100, 5), Rates(), Rates(7, 4999, 1)]


@dataclass(frozen=True)
class Terms:
    """Everything that decides over a trade; pairs are (tokens, quote)."""

    virtual: tuple[int, int] = (1_070_419_577_927_421, 30_072_319_932)
    real: tuple[int, int] = (790_519_577_927_421, 72_319_932)
    rates: Rates = RATES[0]
    buyback_rate: int = 5000
    complete: bool = False
    mayhem: bool = False
    cashback: bool = False
    own_rate: int = 0
    quote_mint: Pubkey = pump.SOL
    programs: tuple[Pubkey, Pubkey] = (TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID)

    @property
    def state(self) -> pump_fun.State:
        rates = pump_fees.Rates(0, self.rates.protocol, self.own_rate or self.rates.creator)
        return pump_fun.State(self.virtual, self.real, pump_fees.Schedule(rates), self.complete)


def expected(state: pump_fun.State, kind: int, amount: int) -> Quote:
    """What both references say, which must be the same."""
    exact_in, sale, rates = kind != BUY, kind == SELL, state.schedule.rates
    python = (state.quote_in if exact_in else state.quote_out)(sale, amount)
    made = ffi.new("sf_pump_fun_state_t *")
    lib.sf_pump_fun_reserves_set(made, *state.virtual, *state.real, rates.protocol, rates.creator, 0)
    made.complete = state.complete
    c = core.quote(lib.sf_pump_fun_quote_in if exact_in else lib.sf_pump_fun_quote_out, made, sale, amount)
    if c.status == "refused":
        c = Quote(0, 0, "refused", c.error)
    assert c == python, (state, kind, amount)
    return python


# -- in the virtual machine -----------------------------------------------------------------------------


@dataclass
class Curve:
    """One curve on a machine."""

    machine: Machine
    keys: CurveKeys
    settings: Settings

    def trade(self, kind: int, amount: int, limit: int | None = None, *, v2: bool = False) -> Instruction:
        user = self.machine.user.pubkey()
        if kind == BUY:
            most = U64 - 1 if limit is None else limit
            return pump.buy_instruction(self.keys, self.settings, user=user, tokens=amount, max_quote=most, v2=v2)
        if kind == SPEND:
            return pump.buy_exact_quote_in_instruction(
                self.keys, self.settings, user=user, quote=amount, min_tokens=limit or 0, v2=v2
            )
        return pump.sell_instruction(self.keys, self.settings, user=user, tokens=amount, min_quote=limit or 0, v2=v2)

    @property
    def holders(self) -> list[Pubkey]:
        """Whoever is paid: user, curve, protocol, creator, the user's cashback, buyback."""
        user = self.machine.user.pubkey()
        recipient = RESERVED if self.keys.mayhem else self.settings.recipient
        volume = pump.user_volume(user)
        return [user, self.keys.curve, recipient, self.keys.creator_vault, volume, self.settings.buyback_recipient]

    def balances(self) -> list[int]:
        """The user's and the curve's tokens; the quote of each holder."""
        user = self.machine.user.pubkey()
        tokens = [self.machine.amount(a) for a in (self.keys.tokens(user), self.keys.curve_tokens)]
        if self.keys.quote_mint != pump.SOL:
            return [*tokens, *(self.machine.amount(self.keys.quote_tokens(holder)) for holder in self.holders)]
        return [*tokens, *(self.machine.svm.get_balance(holder) or 0 for holder in self.holders)]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    machine = Machine()
    machine.set_time(NOW)
    yield machine


def open_curve(
    machine: Machine,
    terms: Terms,
    *,
    mint: Pubkey | None = None,
    creator: Pubkey = CREATOR,
    recipients: tuple[Pubkey, Pubkey] = (RECIPIENT, BUYBACK),
) -> Curve:
    flags = {"mayhem": terms.mayhem, "cashback": terms.cashback}
    keys = pump.derive_curve(
        mint or Pubkey.new_unique(), creator, quote_mint=terms.quote_mint, token_programs=terms.programs, **flags
    )
    settings = Settings(recipients[0], RESERVED, recipients[1], terms.buyback_rate)
    config = pump.global_data(settings, creator_rates=terms.own_rate > 0)
    assert pump.read_global(config) == settings
    data = pump.curve_data(
        keys,
        virtual_tokens=terms.virtual[0],
        virtual_quote=terms.virtual[1],
        real_tokens=terms.real[0],
        real_quote=terms.real[1],
        supply=0,  # of no account but in mayhem mode
        complete=terms.complete,
        creator_rate=terms.own_rate,
    )
    assert pump.read_curve(keys.mint, data, terms.programs) == keys
    rates = [(0, terms.rates)]
    sol = terms.quote_mint == pump.SOL
    fees = fee_config_data(flat=Rates(1, 2, 3), tiers=rates if sol else [], exotic=Rates() if sol else terms.rates)
    if not sol and not any(terms.rates):
        fees = fee_config_data(flat=Rates(), tiers=[])
    svm, user = machine.svm, machine.user.pubkey()
    supply = struct.pack("<I32sQB?I32x", 0, bytes(32), U64 - 1, 6, True, 0)
    svm.set_account(GLOBAL, Account(RENT, config, PROGRAM_ID))
    svm.set_account(FEE_CONFIG, Account(RENT, fees, FEE_PROGRAM_ID))
    svm.set_account(keys.mint, Account(RENT, supply, terms.programs[0]))
    svm.set_account(keys.curve, Account(RENT + (terms.real[1] if sol else 0), data, PROGRAM_ID))
    svm.set_account(keys.curve_tokens, token_account(keys.mint, keys.curve, terms.real[0], terms.programs[0]))
    svm.set_account(keys.tokens(user), token_account(keys.mint, user, USER_TOKENS, terms.programs[0]))
    curve = Curve(machine, keys, settings)
    for holder in curve.holders:
        if holder != keys.curve:
            svm.set_account(holder, Account(1 << 62 if holder == user else RENT, b"", Pubkey.default()))
    if not sol:
        svm.set_account(terms.quote_mint, Account(RENT, supply, terms.programs[1]))
        for holder, amount in zip(curve.holders, (1 << 62, terms.real[1], 0, 0, 0, 0), strict=True):
            tokens = token_account(terms.quote_mint, holder, amount, terms.programs[1])
            svm.set_account(keys.quote_tokens(holder), tokens)
    return curve


def logged(result: Any) -> list[bytes]:
    """The events, each of which the program also sent to itself."""
    lines = [line for line in result.logs() if line.startswith("Program data: ")]
    found = [base64.b64decode(line.removeprefix("Program data: ")) for line in lines]
    inner = [bytes(one.instruction().data) for group in result.inner_instructions() for one in group]
    assert all(pump_captures.EVENT_TAG + data in inner for data in found)
    return found


def check(
    machine: Machine, terms: Terms, kind: int, amount: int, limit: int | None = None, *, v2: bool = False
) -> int | None:
    """One trade on a fresh curve, everything compared; the code it got."""
    curve = open_curve(machine, terms)
    before, state = curve.balances(), machine.data(curve.keys.curve)
    quote = expected(terms.state, kind, amount)
    code = quote.error or None
    if quote.status == "ok" and limit is not None:
        beyond = quote.amount_in > limit if kind == BUY else quote.amount_out < limit
        code = {BUY: TOO_MUCH, SPEND: BELOW_MINIMUM, SELL: TOO_LITTLE}[kind] if beyond else None
    result = machine.send(curve.trade(kind, amount, limit, v2=v2))
    what = (terms, kind, amount, limit, v2, result)
    if code is None and quote.amount_in > 1 << 62:
        assert error_code(result) == 1, what  # whoever has not got that much
        return 1
    assert error_code(result) == code, what
    if code is not None:
        assert machine.data(curve.keys.curve) == state
        return code
    sale, protocol, creator = kind == SELL, quote.protocol_fee, quote.creator_fee
    buyback = protocol * terms.buyback_rate // 10_000
    tokens, paid = (quote.amount_in, -quote.amount_out) if sale else (-quote.amount_out, quote.amount_in)
    on_curve = paid - protocol - creator
    network = NETWORK_FEE if terms.quote_mint == pump.SOL else 0
    cashback = terms.cashback
    wanted = [-tokens, tokens, -paid - network, on_curve, protocol - buyback]
    wanted += [0 if cashback else creator, creator if cashback else 0, buyback]
    assert [after - old for old, after in zip(before, curve.balances(), strict=True)] == wanted, what
    virtual = terms.virtual[0] + tokens, terms.virtual[1] + on_curve
    real = terms.real[0] + tokens, terms.real[1] + on_curve
    data = machine.data(curve.keys.curve)
    assert struct.unpack_from("<4Q", data, 8) == (*virtual, *real) and virtual == (quote.reserve_a, quote.reserve_b)
    assert data[48] == (not sale and real[0] == 0)
    assert data[:8] + data[40:48] + data[49:] == state[:8] + state[40:48] + state[49:]
    *complete, event = logged(result)
    assert len(complete) == data[48]
    traded = ffi.new("sf_pump_fun_traded_t *")
    succeeded(lib.sf_pump_fun_traded_parse(event, len(event), traded))
    fields = (traded.tokens, traded.quote, traded.virtual_token, traded.virtual_quote, traded.real_token)
    assert fields == (abs(tokens), abs(on_curve), *virtual, real[0]), what
    assert (traded.protocol_fee, traded.creator_fee + traded.cashback) == (protocol, creator)
    assert (bool(traded.a_to_b), bool(traded.exact_in), bool(traded.mayhem)) == (sale, kind != BUY, terms.mayhem)
    assert bytes(traded.quote_mint) == bytes(terms.quote_mint) and traded.time == NOW
    return None


CAPTURED = [
    # file, which buy, what the capture spends or buys, cashback
    ("2025_raw_create_tx_from_gettransaction.json", SPEND, 3_000_000_000, True),
    ("2025_raw_create_tx_from_blocksubscribe.json", BUY, 3_520_371_073_923, False),
]


@pytest.mark.parametrize(("name", "kind", "amount", "cashback"), CAPTURED)
def test_captured_events_byte_by_byte(machine: Machine, name: str, kind: int, amount: int, cashback: bool) -> None:
    (data,) = [data for file, data in pump_captures.events(TRADE_EVENT) if file == name]
    sol, tokens = struct.unpack_from("<QQ", data, 40)
    (time,) = struct.unpack_from("<q", data, 89)
    vs, vt, rs, rt = struct.unpack_from("<4Q", data, 97)
    recipient, creator = Pubkey.from_bytes(data[129:161]), Pubkey.from_bytes(data[177:209])
    terms = Terms((vt + tokens, vs - sol), (rt + tokens, rs - sol), cashback=cashback)
    terms = replace(terms, programs=(TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID))
    curve = open_curve(
        machine, terms, mint=Pubkey.from_bytes(data[8:40]), creator=creator, recipients=(recipient, BUYBACK)
    )
    machine.set_time(time)
    result = machine.send(curve.trade(kind, amount))
    machine.set_time(NOW)
    assert error_code(result) is None, result
    (event,) = logged(result)
    user = bytes(machine.user.pubkey())
    assert event == data[:57] + user + data[89:]
    assert result.logs()[1] == "Program log: sniperforge emulation of pump.fun"


def test_instructions_are_those_of_the_core(machine: Machine) -> None:
    """Accounts and data, from account bytes, by C and by Python."""
    user = machine.user.pubkey()
    for quote_mint in (pump.SOL, QUOTE_MINT):
        for flags in ((False, False), (True, False), (False, True)):
            terms = Terms(quote_mint=quote_mint, mayhem=flags[0], cashback=flags[1])
            terms = replace(terms, programs=(TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID))
            curve = open_curve(machine, terms)
            state, settings = ffi.new("sf_pump_fun_state_t *"), ffi.new("sf_pump_fun_global_t *")
            data = machine.data(curve.keys.curve)
            succeeded(lib.sf_pump_fun_curve_decode(bytes(curve.keys.curve), data, len(data), state))
            data = machine.data(GLOBAL)
            succeeded(lib.sf_pump_fun_global_decode(data, len(data), settings))
            state.mint, state.recipients = bytes(curve.keys.mint), settings.recipients
            state.program = [bytes(program) for program in terms.programs]
            for v2 in (False, True) if quote_mint == pump.SOL else (True,):
                for kind in KINDS:
                    metas, count = ffi.new("sf_account_meta_t[27]"), ffi.new("uint32_t *")
                    users = bytes(curve.keys.tokens(user)), bytes(curve.keys.quote_tokens(user))
                    succeeded(
                        lib.sf_pump_fun_trade_accounts(state, 1 + v2, kind == SELL, bytes(user), *users, metas, count)
                    )
                    trade, out = ffi.new("sf_pump_fun_trade_t *"), ffi.new("uint8_t[25]")
                    trade.amount, trade.threshold, trade.form = 123, 456, 1 + v2
                    trade.a_to_b, trade.exact_in = kind == SELL, kind != BUY
                    length = lib.sf_pump_fun_trade_data(trade, out)
                    ours = curve.trade(kind, 123, 456, v2=v2)
                    assert bytes(ours.data) == bytes(out)[:length]
                    theirs = [
                        AccountMeta(Pubkey.from_bytes(bytes(m.pubkey)), bool(m.signer), bool(m.writable))
                        for m in metas[0 : count[0]]
                    ]
                    assert ours.accounts == theirs, (quote_mint, flags, v2, kind)


def random_amount(rng: random.Random, state: pump_fun.State, kind: int) -> int:
    amount = word(rng)
    pick = rng.randrange(4)
    if pick == 0 and kind == BUY:
        return max(0, state.real[0] - rng.randrange(3))
    if pick < 3:
        return amount % (1 + (state.real[0] if kind == BUY else state.virtual[kind == SPEND]))
    return amount


@pytest.mark.parametrize("v2", [False, True])
def test_random_trades_agree(machine: Machine, v2: bool) -> None:
    rng = random.Random(2027 + v2)
    done: Counter[bool] = Counter()
    for _ in range(300):
        state = random_state(rng)
        if max(state.real) >= 1 << 62 or state.real[1] > state.virtual[1]:
            continue
        programs = tuple(rng.choice([TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID]) for _ in range(2))
        terms = Terms(
            state.virtual,
            state.real,
            rng.choice(RATES),
            rng.choice([0, 5000, 10_000, 3333]),
            state.complete,
            mayhem=rng.randrange(4) == 0,
            cashback=rng.randrange(4) == 0,
            own_rate=rng.choice([0, 0, 77]),
            quote_mint=QUOTE_MINT if v2 and rng.randrange(2) else pump.SOL,
            programs=(programs[0], programs[1]),
        )
        kind = rng.choice(KINDS)
        amount = random_amount(rng, terms.state, kind)
        limit = word(rng) if rng.randrange(4) == 0 else None
        done[check(machine, terms, kind, amount, limit, v2=v2) is None] += 1
    assert min(done.values()) > 50, done


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("v2", [False, True])
def test_limits_are_exact(machine: Machine, kind: int, v2: bool) -> None:
    quote = expected(Terms().state, kind, 10**7)
    edge, beyond = (quote.amount_in, quote.amount_in - 1) if kind == BUY else (quote.amount_out, quote.amount_out + 1)
    code = {BUY: TOO_MUCH, SPEND: BELOW_MINIMUM, SELL: TOO_LITTLE}[kind]
    assert check(machine, Terms(), kind, 10**7, edge, v2=v2) is None
    assert check(machine, Terms(), kind, 10**7, beyond, v2=v2) == code


def test_the_last_tokens_complete_the_curve(machine: Machine) -> None:
    terms = Terms()
    assert check(machine, terms, BUY, terms.real[0]) is None
    assert check(machine, terms, BUY, terms.real[0] + 1) == 6021
    curve = open_curve(machine, terms)
    assert error_code(machine.send(curve.trade(BUY, terms.real[0]))) is None
    for kind in KINDS:
        assert error_code(machine.send(curve.trade(kind, 10**7))) == 6005


def test_a_swap_fits_its_compute_budget(machine: Machine) -> None:
    for v2 in (False, True):
        for quote_mint in (pump.SOL, QUOTE_MINT) if v2 else (pump.SOL,):
            curve = open_curve(machine, Terms(quote_mint=quote_mint))
            used = [machine.send(curve.trade(kind, 10**7, v2=v2)).compute_units_consumed() for kind in KINDS]
            assert max(used) < (90_000 if quote_mint != pump.SOL else 60_000), used


def test_wrong_accounts_are_refused(machine: Machine) -> None:
    other = open_curve(machine, Terms())
    curve = open_curve(machine, Terms())
    keys, user = curve.keys, machine.user.pubkey()
    before = curve.balances(), machine.data(keys.curve)

    def place(data: bytes, owner: Pubkey) -> Pubkey:
        machine.svm.set_account(address := Pubkey.new_unique(), Account(RENT, data, owner))
        return address

    copied_global, copied_curve = place(machine.data(GLOBAL), PROGRAM_ID), place(machine.data(keys.curve), PROGRAM_ID)
    copied_fees = place(machine.data(FEE_CONFIG), FEE_PROGRAM_ID)
    own_fees = place(machine.data(FEE_CONFIG), PROGRAM_ID)
    empty = Pubkey.new_unique()
    both: list[tuple[int, int, AccountMeta, int]] = [  # of a buy, of a sale
        (0, 0, ro(copied_global), 2006),
        (1, 1, ro(RECIPIENT), 2000),
        (1, 1, rw(empty), 6000),
        (1, 1, rw(RESERVED), 6000),
        (2, 2, ro(other.keys.mint), 2006),
        (2, 2, ro(empty), 3012),
        (3, 3, rw(copied_curve), 2006),
        (3, 3, rw(other.keys.curve), 2006),
        (3, 3, rw(copied_fees), 3007),
        (3, 3, ro(keys.curve), 2000),
        (4, 4, rw(other.keys.curve_tokens), 2009),
        (4, 4, ro(keys.curve_tokens), 2009),
        (5, 5, ro(keys.tokens(user)), 2000),
        (5, 5, rw(other.keys.tokens(user)), 3),  # the token program: another mint
        (6, 6, rw(empty), 3010),
        (8, 9, ro(Pubkey.default()), 3008),
        (9, 8, rw(RECIPIENT), 2006),
        (9, 8, ro(keys.creator_vault), 2000),
        (10, 10, ro(empty), 2006),
        (14, 12, ro(copied_fees), 2006),
        (14, 12, ro(own_fees), 3007),
        (17, 15, rw(RECIPIENT), 6057),
        (17, 15, ro(BUYBACK), 6057),
    ]
    for kind in KINDS:
        good = curve.trade(kind, 10**7)
        for on_buy, on_sale, meta, code in both:
            at = on_sale if kind == SELL else on_buy
            assert error_code(machine.send(changed(good, at, meta))) == code, (kind, at, code)
        if kind != SELL:
            assert error_code(machine.send(changed(good, 13, rw(empty)))) == 2006
        short = Instruction(PROGRAM_ID, bytes(good.data), list(good.accounts)[:-2])
        assert error_code(machine.send(short)) == 6062
        short = Instruction(PROGRAM_ID, bytes(good.data), list(good.accounts)[:13])
        assert error_code(machine.send(short)) == 3005
        assert error_code(machine.send(Instruction(PROGRAM_ID, bytes(good.data)[:23], good.accounts))) == 102
    assert error_code(machine.send(Instruction(PROGRAM_ID, bytes(24), good.accounts))) == 101
    now = curve.balances()
    now[2] = before[0][2]  # what the network took
    assert (now, machine.data(keys.curve)) == before


def test_wrong_token_accounts_of_the_second_form_are_refused(machine: Machine) -> None:
    curve = open_curve(machine, Terms(quote_mint=QUOTE_MINT))
    user, keys = machine.user.pubkey(), curve.keys
    stranger = AccountMeta(keys.quote_tokens(RESERVED), is_signer=False, is_writable=True)
    machine.svm.set_account(stranger.pubkey, token_account(QUOTE_MINT, RESERVED, 0, TOKEN_PROGRAM_ID))
    for kind in KINDS:
        good = curve.trade(kind, 10**7, v2=True)
        assert error_code(machine.send(good)) is None
        for at in (7, 9, 12, 15, 17, 20 if kind == SELL else 21):
            assert error_code(machine.send(changed(good, at, stranger))) == 2009, (kind, at)
        assert error_code(machine.send(changed(good, 2, good.accounts[1]))) == 2012
    # coins that are not quoted in SOL have no first form
    assert error_code(machine.send(curve.trade(BUY, 10**7))) == 6004
    assert machine.amount(keys.quote_tokens(user)) < 1 << 62


# -- the arithmetic by itself ---------------------------------------------------------------------------

DECLARATION = "uint64_t native_trade( uint64_t kind, uint64_t amount, uint64_t const * terms, uint64_t * out );"
GLUE = """
#include "sbf/pump_fun_math.h"
static __attribute__( ( noinline ) ) uint64_t run_one( uint64_t kind, uint64_t amount, pump_curve_t const * c,
                                                       pump_moved_t * m ) {
  if( kind == 0 ) return GUARDED( pump_curve_buy( c, m, amount ) );
  if( kind == 1 ) return GUARDED( pump_curve_spend( c, m, amount ) );
  return GUARDED( pump_curve_sell( c, m, amount ) );
}
uint64_t native_trade( uint64_t kind, uint64_t amount, uint64_t const * t, uint64_t * out ) {
  pump_curve_t c   = { t[0], t[1], t[2], t[3], t[4], t[5], t[6] };
  pump_moved_t m   = { 0 };
  uint64_t code    = run_one( kind, amount, &c, &m );
  uint64_t words[] = { m.tokens, m.quote, m.protocol_fee, m.creator_fee, m.user_quote };
  for( int i = 0; i < 5; i++ ) out[i] = words[i];
  return code;
}
"""


def compare_natively(directory: Path, seed: int, cases: int) -> Counter[tuple[int, str]]:
    """Emulation, C core and reference on the same trades; how many ended how."""
    native_ffi, native = native_sbf.build(directory, DECLARATION, GLUE)
    rng, out = random.Random(seed), native_ffi.new("uint64_t[5]")
    outcomes: Counter[tuple[int, str]] = Counter()
    while sum(outcomes.values()) < cases:
        state = random_state(rng)
        if state.schedule.floor:
            state = replace(state, schedule=pump_fees.Schedule(state.schedule.rates))
        rates = state.schedule.rates
        numbers = [*state.virtual, *state.real, rates.protocol, rates.creator, state.complete]
        for kind in KINDS:
            amount = random_amount(rng, state, kind)
            quote = expected(state, kind, amount)
            code = native.native_trade(kind, amount, numbers, out)
            outcomes[kind, quote.status] += 1
            what = (state, kind, amount, quote, code)
            assert code == quote.error and (code == 0) == (quote.status == "ok"), what
            if code:
                continue
            tokens, moved, protocol, creator, user = native_ffi.unpack(out, 5)
            sides = (tokens, user) if kind == SELL else (user, tokens)
            assert (*sides, protocol, creator) == (
                quote.amount_in,
                quote.amount_out,
                quote.protocol_fee,
                quote.creator_fee,
            ), what
            sign = -1 if kind == SELL else 1
            assert state.virtual[1] + sign * moved == quote.reserve_b, what
    return outcomes


def test_arithmetic_agrees(tmp_path: Path) -> None:
    outcomes = compare_natively(tmp_path, 1, 30_000)
    assert len(outcomes) == 6 and min(outcomes.values()) > 1_000, outcomes


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_much_arithmetic_agrees(tmp_path: Path) -> None:
    cases = emulation_differential.slow_cases()
    assert sum(compare_natively(tmp_path, 2, cases).values()) >= cases
