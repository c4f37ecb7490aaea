"""The emulated Meteora DAMM v2 inside LiteSVM: against the recorded results of the real program, and against both the
plain-integer reference and the C core; its arithmetic also by itself, a million times."""

from __future__ import annotations

import base64
import csv
import json
import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import meteora_damm_v2_accounts as accounts
from sniperforge.simnet.meteora_damm_v2_accounts import PROGRAM_ID, TOKEN_PROGRAM_ID, PoolKeys
from sniperforge.venues import meteora_damm_v2 as damm
from sniperforge.venues.quote import Quote
from tests import core_library, emulation_differential, native_sbf
from tests.data import data_dir
from tests.emulation.accounts_changed import changed_key
from tests.emulation.cpmm_machine import EPOCH, TOKEN_2022_PROGRAM_ID, Machine, error_code, mint_data, token_account
from tests.emulation.cpmm_reference import TransferFee
from tests.unit import pump_captures
from tests.unit import test_venue_meteora_damm_v2 as unit
from tests.unit.test_venue_meteora_damm_v2 import Row, Swap

NOW = 1_790_000_000
U64 = 1 << 64
PANIC = -1
USER_BALANCE, VAULT_BALANCE = 1 << 62, 1 << 63
SLIPPAGE, DISABLED, NOT_SINGLE_SWAP = 6002, 6003, 6049


def without_counters(pool: bytes) -> bytes:
    """With the fees counted so far at nothing: random ones overflow, which no reference looks at."""
    data = bytearray(pool)
    for start, size in ((392, 16), (488, 64), (568, 64)):
        data[start : start + size] = bytes(size)
    return bytes(data)


# -- in the virtual machine -----------------------------------------------------------------------------


@dataclass
class Pool:
    """One pool on a machine, the user's two token accounts and a referrer's two."""

    machine: Machine
    keys: PoolKeys
    users: tuple[Pubkey, Pubkey]
    referrers: tuple[Pubkey, Pubkey]

    def swap(
        self, a_to_b: bool, amount: int, threshold: int, mode: int = 0, *, referral: Pubkey | None = None
    ) -> Instruction:
        source, destination = self.users if a_to_b else self.users[::-1]
        return accounts.swap2_instruction(
            self.keys,
            payer=self.machine.user.pubkey(),
            input_account=source,
            output_account=destination,
            amount=amount,
            threshold=threshold,
            mode=mode,
            referral=referral,
        )

    def balances(self) -> list[int]:
        return [self.machine.amount(a) for a in (*self.users, *self.keys.vaults, *self.referrers)]

    def data(self) -> bytes:
        return self.machine.data(self.keys.pool)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    machine = Machine()
    yield machine


def set_clock(machine: Machine, now: int, slot: int) -> None:
    clock = machine.svm.get_clock()
    clock.unix_timestamp, clock.slot, clock.epoch = now, slot, EPOCH
    machine.svm.set_clock(clock)


def place(machine: Machine, data: bytes, fees: tuple[TransferFee | None, TransferFee | None] = (None, None)) -> Pool:
    """Puts a pool's bytes on the machine, with mints and vaults of its own."""
    programs = tuple(TOKEN_PROGRAM_ID if fee is None else TOKEN_2022_PROGRAM_ID for fee in fees)
    made = accounts.derive_pool(mints=(Pubkey.new_unique(), Pubkey.new_unique()), token_programs=programs)
    data = data[:168] + b"".join(map(bytes, (*made.mints, *made.vaults))) + data[296:]
    keys = accounts.read_pool(made.pool, data, programs)
    machine.svm.set_account(keys.pool, Account(10**10, data, PROGRAM_ID))
    owner = machine.user.pubkey()
    users, referrers = [], []
    for mint, vault, program, fee in zip(keys.mints, keys.vaults, programs, fees, strict=True):
        machine.svm.set_account(mint, Account(10**10, mint_data(fee), program))
        machine.svm.set_account(vault, token_account(mint, accounts.AUTHORITY, VAULT_BALANCE, program))
        users.append(Pubkey.new_unique())
        referrers.append(Pubkey.new_unique())
        machine.svm.set_account(users[-1], token_account(mint, owner, USER_BALANCE, program))
        machine.svm.set_account(referrers[-1], token_account(mint, Pubkey.new_unique(), 0, program))
    return Pool(machine, keys, (users[0], users[1]), (referrers[0], referrers[1]))


def event_of(result: Any) -> bytes:
    (event,) = (
        bytes(one.instruction().data)
        for group in result.inner_instructions()
        for one in group
        if bytes(one.instruction().data[:8]) == pump_captures.EVENT_TAG
    )
    return event


def quote_of(state: damm.State, swap: Swap) -> Quote:
    return (state.quote_in, state.quote_partial, state.quote_out)[swap.mode](swap.a_to_b, swap.amount, swap.now)


def check(machine: Machine, data: bytes, swap: Swap, threshold: int | None = None) -> Quote:
    """One swap on a fresh pool, everything compared with the reference, whose quote it returns."""
    fees = tuple(TransferFee(basis_points=fee.bps, maximum=fee.maximum) if fee.bps else None for fee in swap.fees)
    pool = place(machine, data, (fees[0], fees[1]))
    set_clock(machine, swap.now, swap.slot)
    data, before = pool.data(), pool.balances()
    state = replace(damm.decode_pool(data), transfer_fees=swap.fees, slot=swap.slot, referral=swap.referral)
    quote = quote_of(state, swap)
    bad = {0: 0, 1: 0, 2: U64 - 1}[swap.mode]
    fee_side = 0 if state.collect == damm.BOTH and not swap.a_to_b else 1
    referral = pool.referrers[fee_side] if swap.referral else None
    asked = bad if threshold is None else threshold
    result = machine.send(pool.swap(swap.a_to_b, swap.amount, asked, swap.mode, referral=referral))
    what = (damm.decode_pool(data), swap, asked, quote, result)
    if quote.status != "ok":
        assert error_code(result) == (quote.error or PANIC), what
        assert (pool.data(), pool.balances()) == (data, before)
        return quote
    if quote.amount_in > asked if swap.mode == accounts.EXACT_OUT else quote.amount_out < asked:
        assert error_code(result) == SLIPPAGE, what
        return quote
    if quote.amount_in > USER_BALANCE:
        assert error_code(result) == 1, what  # the token program: insufficient funds
        return quote
    assert error_code(result) is None, what
    source = 0 if swap.a_to_b else 1
    after = pool.balances()
    moved = [now - then for then, now in zip(before, after, strict=True)]
    assert (-moved[source], moved[1 - source]) == (quote.amount_in, quote.amount_out), what
    assert moved[4 + fee_side] == swap.fees[fee_side].arrives(quote.creator_fee) and moved[5 - fee_side] == 0
    found, left = damm.decode_pool(pool.data()), state.after(quote, swap.now)
    assert (found.price, found.reserves, found.volatility) == (left.price, left.reserves, left.volatility), what
    for at in (392, 600):
        assert struct.unpack_from("<Q", pool.data(), at + 8 * fee_side)[0] == quote.protocol_fee
    event = event_of(result)
    assert len(event) == 196 and event[16:48] == bytes(pool.keys.pool)
    assert event[48:51] == bytes([not swap.a_to_b, state.collect, swap.referral])
    assert struct.unpack_from("<QQB", event, 51) == (swap.amount, asked, swap.mode)
    claiming, protocol, kept, paid_on = struct.unpack_from("<4Q", event, 116)
    assert (claiming + protocol + kept + paid_on, protocol, paid_on) == (
        quote.fee,
        quote.protocol_fee,
        quote.creator_fee,
    )
    sent, _, received, time, *reserves = struct.unpack_from("<6Q", event, 148)
    assert (sent, received, time) == (quote.amount_in, quote.amount_out, swap.now)
    assert reserves == [quote.reserve_a, quote.reserve_b]
    return quote


def rows_of(rng: random.Random, count: int, swaps: int = 4) -> Iterator[Row]:
    """Pools that decode, and swaps on them."""
    while count > 0:
        pool = without_counters(unit.random_pool(rng))
        try:
            damm.decode_pool(pool)
        except damm.VenueDataError:
            continue
        for _ in range(swaps):
            count -= 1
            yield pool, unit.random_swap(rng, pool)


@pytest.mark.parametrize("seed", range(3))
def test_random_swaps_agree(machine: Machine, seed: int) -> None:
    rng = random.Random(seed)
    outcomes: Counter[tuple[int, str]] = Counter()
    for pool, swap in rows_of(rng, 200, 1):
        if pool[16] == damm.LIMITER and any(pool[22:40]):
            swap = swap._replace(now=min(swap.now, U64 // 2 - 1))
        swap = swap._replace(now=swap.now % (1 << 62), slot=min(swap.slot, 1 << 62))
        threshold = unit.word(rng) if rng.randrange(4) == 0 else None
        outcomes[swap.mode, check(machine, pool, swap, threshold).status] += 1
    assert sum(outcomes[mode, "ok"] for mode in range(3)) > 50, outcomes


def test_every_recorded_swap_of_the_real_program(machine: Machine) -> None:
    folder = data_dir() / "accounts" / "meteora_damm_v2"
    dumps = {
        path.stem: base64.b64decode(json.loads(path.read_text())["account"]["data"][0]) for path in folder.glob("*")
    }
    rows = 0
    with (data_dir() / "golden" / "meteora_damm_v2.csv").open() as file:
        for row in csv.DictReader(file):
            pool = place(machine, dumps[row["pool"]])
            set_clock(machine, int(row["unix_time"]), 1)
            a_to_b, mode = row["a_to_b"] == "1", int(row["mode(0 exact_in,2 exact_out)"])
            result = machine.send(pool.swap(a_to_b, int(row["amount"]), U64 - 1 if mode == 2 else 0, mode))
            if not row["amount_in"].isdigit() or not row["amount_out"].isdigit():
                assert error_code(result) is not None, row
                continue
            assert error_code(result) is None, (row, result)
            a, b = (pool.machine.amount(user) - USER_BALANCE for user in pool.users)
            assert (-a, b) if a_to_b else (-b, a) == (int(row["amount_in"]), int(row["amount_out"])), row
            paid, got = (-a, b) if a_to_b else (-b, a)
            assert (paid, got) == (int(row["amount_in"]), int(row["amount_out"])), row
            assert int.from_bytes(pool.data()[456:472], "little") == int(row["post_sqrt"]), row
            assert result.logs()[1] == "Program log: sniperforge emulation of Meteora DAMM v2"
            rows += 1
    assert rows >= 100


# -- pools that a market opens -----------------------------------------------------------------------------


def market_pool(machine: Machine, **terms: Any) -> Pool:
    price = accounts.sqrt_price(150 / 1000)
    made = accounts.derive_pool(mints=(Pubkey.new_unique(), Pubkey.new_unique()))
    liquidity = accounts.liquidity_of(10**12, price)
    values: dict[str, Any] = {"price": price, "liquidity": liquidity, "dynamic": accounts.DynamicFee(), **terms}
    pool = place(machine, accounts.pool_data(made, **values))
    set_clock(machine, NOW, 10**6)
    return pool


def state_of(pool: Pool) -> damm.State:
    return replace(damm.decode_pool(pool.data()), slot=10**6)


@pytest.mark.parametrize("collect", [accounts.BOTH, accounts.ONLY_B, accounts.COMPOUNDING])
def test_swaps_follow_each_other(machine: Machine, collect: int) -> None:
    """On a pool as a market opens it, volatility and reserves carried from swap to swap."""
    terms = {"reserves": (10**13, 15 * 10**11), "compounding_bps": 2500} if collect == accounts.COMPOUNDING else {}
    pool = market_pool(machine, collect=collect, **terms)
    rng = random.Random(collect)
    state, now = state_of(pool), NOW
    for turn in range(60):
        now += rng.choice([0, 1, 15, 200])
        set_clock(machine, now, 10**6)
        swap = Swap(mode=turn % 3, a_to_b=rng.random() < 0.5, amount=rng.randrange(1, 10**10), now=now)
        quote = quote_of(state, swap)
        assert quote.status == "ok"
        before = pool.balances()
        limit = quote.amount_in if swap.mode == accounts.EXACT_OUT else quote.amount_out
        result = machine.send(pool.swap(swap.a_to_b, swap.amount, limit, swap.mode))
        assert error_code(result) is None, result
        source = 0 if swap.a_to_b else 1
        moved = [after - then for then, after in zip(before, pool.balances(), strict=True)]
        assert (-moved[source], moved[1 - source]) == (quote.amount_in, quote.amount_out)
        state = state.after(quote, now)
        assert replace(state_of(pool), start_price=state.start_price) == state
    assert state.volatility is not None and state.volatility.accumulator > 0


def test_limits_are_exact(machine: Machine) -> None:
    data = market_pool(machine).data()
    for mode in range(3):
        for a_to_b in (False, True):
            swap = Swap(mode=mode, a_to_b=a_to_b, amount=10**9, now=NOW, slot=1)
            quote = check(machine, data, swap)
            edge, beyond = quote.amount_out, quote.amount_out + 1
            if mode == accounts.EXACT_OUT:
                edge, beyond = quote.amount_in, quote.amount_in - 1
            check(machine, data, swap, edge)
            check(machine, data, swap, beyond)


def test_the_older_instruction(machine: Machine) -> None:
    pool = market_pool(machine)
    quote = quote_of(state_of(pool), Swap(amount=10**9, now=NOW))
    old = accounts.swap_instruction(
        pool.keys,
        payer=machine.user.pubkey(),
        input_account=pool.users[0],
        output_account=pool.users[1],
        amount_in=10**9,
        minimum_amount_out=quote.amount_out,
    )
    assert error_code(machine.send(old)) is None
    assert machine.amount(pool.users[1]) - USER_BALANCE == quote.amount_out
    assert error_code(machine.send(old)) == SLIPPAGE


def test_the_limiter_lets_one_swap_a_transaction_pass(machine: Machine) -> None:
    base = accounts.BaseFee(10_000_000, accounts.LIMITER, 100, 0, 10**9, 600, 5000)
    pool = market_pool(machine, base=base, collect=accounts.ONLY_B, activation_point=NOW - 10)
    assert pool.keys.limiter
    buy, sale = pool.swap(False, 10**9, 0), pool.swap(True, 10**9, 0)
    quote = quote_of(state_of(pool), Swap(a_to_b=False, amount=5 * 10**9, now=NOW))
    assert error_code(machine.send(buy, buy)) == NOT_SINGLE_SWAP
    assert error_code(machine.send(sale, buy)) == NOT_SINGLE_SWAP
    bare = Instruction(PROGRAM_ID, bytes(buy.data), list(buy.accounts)[:14])
    assert error_code(machine.send(bare)) == NOT_SINGLE_SWAP
    other = market_pool(machine)
    assert error_code(machine.send(other.swap(True, 10**9, 0), pool.swap(False, 5 * 10**9, quote.amount_out))) is None
    assert error_code(machine.send(buy, sale)) is None
    set_clock(machine, NOW + 600, 10**6)
    assert error_code(machine.send(buy, buy)) is None


def test_wrong_accounts_are_refused(machine: Machine) -> None:
    pool, other = market_pool(machine), market_pool(machine)
    good = pool.swap(True, 10**6, 0)
    stranger = Pubkey.new_unique()
    machine.svm.set_account(forged := Pubkey.new_unique(), Account(10**10, pool.data(), TOKEN_PROGRAM_ID))
    cases = [
        (0, stranger, 2012),
        (1, forged, 3007),
        (1, other.keys.pool, 2001),
        (2, stranger, 3012),
        (3, forged, PANIC),
        (4, other.keys.vaults[0], 2001),
        (5, other.keys.vaults[1], 2001),
        (6, other.keys.mints[0], 2014),
        (7, other.keys.mints[1], 2014),
        (9, TOKEN_2022_PROGRAM_ID, 2021),
        (11, stranger, 3007),
        (12, stranger, 2006),
    ]
    before = (pool.data(), pool.balances())
    for at, key, code in cases:
        assert error_code(machine.send(changed_key(good, at, key))) == code, (at, code)
    for at in (1, 2, 3, 4, 5):
        account = good.accounts[at].pubkey
        assert error_code(machine.send(changed_key(good, at, account, writable=False))) == 3006, at
    short = Instruction(PROGRAM_ID, bytes(good.data), list(good.accounts)[:13])
    assert error_code(machine.send(short)) == 3005
    for data, code in ((b"", 101), (bytes(25), 101), (bytes(good.data)[:24], 102)):
        assert error_code(machine.send(Instruction(PROGRAM_ID, data, good.accounts))) == code
    assert (pool.data(), pool.balances()) == before
    assert error_code(machine.send(good)) is None
    closed = market_pool(machine, disabled=True)
    assert error_code(machine.send(closed.swap(True, 10**6, 0))) == DISABLED


def test_compute_units(machine: Machine) -> None:
    for mode in range(3):
        for a_to_b in (False, True):
            for collect in (accounts.BOTH, accounts.ONLY_B):
                pool = market_pool(machine, collect=collect)
                result = machine.send(pool.swap(a_to_b, 10**9, U64 - 1 if mode == 2 else 0, mode))
                assert error_code(result) is None and result.compute_units_consumed() < 40_000, (mode, result)


# -- the arithmetic alone ------------------------------------------------------------------------------------

DECLARATION = "void native_run( uint8_t *, uint64_t const *, uint64_t, uint64_t * );"
GLUE = """
#include "sbf/meteora_damm_v2_math.h"
static __attribute__( ( noinline ) ) uint64_t run_one( damm_swap_t * s ) {
  return damm_is_open( s ) ? GUARDED( damm_run( s ) ) : DAMM_DISABLED;
}
/* rows as the C core's test takes them, answers as it gives them */
void native_run( uint8_t * pools, uint64_t const * t, uint64_t cnt, uint64_t * out ) {
  for( uint64_t i = 0; i < cnt; i++, pools += 1112, t += 10, out += 20 ) {
    for( int k = 0; k < 20; k++ ) out[k] = 0;
    damm_swap_t s = { .pool = pools, .referral = t[5], .mode = t[6], .a_to_b = t[7], .amount = t[8], .now = t[9] };
    token_fee_t fee[2] = { { t[0], t[1] }, { t[2], t[3] } };
    s.transfer_in      = fee[!s.a_to_b];
    s.transfer_out     = fee[s.a_to_b];
    s.point            = pools[DAMM_ACTIVATION_TYPE] ? s.now : t[4];
    uint64_t code      = run_one( &s );
    out[1]             = code != 0;
    out[2]             = code == UINT64_MAX ? 0 : code;
    out[13]            = 1;
    if( code ) continue;
    uint64_t words[] = { s.sent, s.received, s.fee, s.protocol_fee, s.referral_fee, sbf_u64( pools + DAMM_RESERVES ),
                         sbf_u64( pools + DAMM_RESERVES + 8 ), sbf_u64( pools + DAMM_PRICE ),
                         sbf_u64( pools + DAMM_PRICE + 8 ), s.fee_on_input };
    for( int k = 0; k < 10; k++ ) out[3 + k] = words[k];
    if( !pools[DAMM_DYNAMIC] ) continue;
    sbf_u128_t rate;
    damm_variable_rate( &rate, pools );
    out[14] = sbf_u64( pools + DAMM_VOLATILITY );
    out[15] = sbf_u64( pools + DAMM_CARRIED );
    out[16] = sbf_u64( pools + DAMM_UPDATED );
    out[17] = rate.lo;
    out[18] = sbf_u64( pools + DAMM_REFERENCE );
    out[19] = sbf_u64( pools + DAMM_REFERENCE + 8 );
  }
}
"""

Run = Callable[[list[Row]], list[tuple[int, ...]]]


def runner(ffi: Any, function: Any) -> Run:
    def run(rows: list[Row]) -> list[tuple[int, ...]]:
        words = [
            w for _, s in rows for w in (*s.fees[0], *s.fees[1], s.slot, s.referral, s.mode, s.a_to_b, s.amount, s.now)
        ]
        terms, out = ffi.new("uint64_t[]", words), ffi.new("uint64_t[]", 20 * len(rows))
        function(ffi.new("uint8_t[]", b"".join(pool for pool, _ in rows)), terms, len(rows), out)
        flat = ffi.unpack(out, 20 * len(rows))
        return [tuple(flat[at : at + 20]) for at in range(0, len(flat), 20)]

    return run


def compare_natively(directory: Path, seed: int, cases: int) -> Counter[tuple[int, int]]:
    """Emulation, C core and reference on the same rows; how many of each mode ended how."""
    (directory / "core").mkdir()
    core_ffi, core = core_library.build(directory / "core", unit.SOURCES, unit.DECLARATIONS, unit.GLUE)
    native_ffi, native = native_sbf.build(directory, DECLARATION, GLUE)
    emulated, in_c = runner(native_ffi, native.native_run), runner(core_ffi, core.run)
    rng = random.Random(seed)
    outcomes: Counter[tuple[int, int]] = Counter()
    for _ in range(0, cases, 10_000):
        rows = list(rows_of(rng, 10_000))
        expected = [unit.reference(row) for row in rows]
        for name, answers in (("emulation", emulated(rows)), ("core", in_c(rows))):
            wrong = [
                (name, row[1], damm.decode_pool(row[0]), got, want)
                for row, got, want in zip(rows, answers, expected, strict=True)
                if got != want
            ]
            assert not wrong, (len(wrong), wrong[:2])
        outcomes.update((swap.mode, want[1]) for (_, swap), want in zip(rows, expected, strict=True))
    return outcomes


def test_arithmetic_agrees(tmp_path: Path) -> None:
    outcomes = compare_natively(tmp_path, 1, 30_000)
    assert len(outcomes) == 6 and min(outcomes.values()) > 1_000, outcomes


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_much_arithmetic_agrees(tmp_path: Path) -> None:
    cases = emulation_differential.slow_cases()
    assert sum(compare_natively(tmp_path, 2, cases).values()) == cases
