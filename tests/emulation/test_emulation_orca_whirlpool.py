"""The emulated Orca Whirlpool: inside LiteSVM against the recorded results of the real program, and as a whole
against the C core and the Python reference."""

from __future__ import annotations

import base64
import csv
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import orca_whirlpool_accounts as accounts
from sniperforge.simnet.orca_whirlpool_accounts import AdaptiveFee, PoolKeys, Position
from sniperforge.venues import orca_whirlpool as orca
from sniperforge.venues.dumps import table
from sniperforge.venues.golden.orca_whirlpool import Snapshot
from sniperforge.venues.quote import Quote
from sniperforge.venues.ticks import U64, orca_sqrt_price
from sniperforge.venues.transfer_fee import NO_FEE, TransferFee
from tests import emulated_orca_whirlpool as emulated
from tests import emulation_differential
from tests.data import data_dir
from tests.emulation.accounts_changed import ro, rw
from tests.emulation.cpmm_machine import (
    TOKEN_2022_PROGRAM_ID,
    Machine,
    error_code,
    mint_data,
    mint_fee,
    token_account,
)
from tests.native_program import NativeProgram

TOKEN_PROGRAM_ID = accounts.TOKEN_PROGRAM_ID
NOW = 1_760_000_000
HELD, VAULT_HELD = 1 << 62, 1 << 63
PANIC = -1
Q64 = 1 << 64
MOST_UNITS = set_compute_unit_limit(1_400_000)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    machine = Machine()
    machine.set_time(NOW)
    yield machine


@dataclass
class Pool:
    """One pool on a machine, and the user's two token accounts."""

    machine: Machine
    keys: PoolKeys
    accounts: tuple[Pubkey, Pubkey]

    @property
    def data(self) -> bytes:
        return self.machine.data(self.keys.pool)

    def swap(self, a_to_b: bool, exact_in: bool, amount: int, **more: Any) -> Instruction:
        more.setdefault("threshold", 0 if exact_in else U64 - 1)
        return accounts.swap_instruction(
            self.keys, tick=accounts.current_tick(self.data), authority=self.machine.user.pubkey(),
            user_accounts=self.accounts, a_to_b=a_to_b, exact_in=exact_in, amount=amount, **more,
        )  # fmt: skip

    def held(self) -> list[int]:
        return [self.machine.amount(a) for a in (*self.accounts, *self.keys.vaults)]

    def state(self, fees: tuple[TransferFee, TransferFee] = (NO_FEE, NO_FEE)) -> orca.State:
        """What the reference makes of the accounts as they are."""
        pool = orca.decode_pool(self.data)
        arrays = {}
        for start in {s for way in (True, False) for s in orca.array_starts(pool.tick_spacing, pool.tick, way)}:
            account = self.machine.svm.get_account(accounts.tick_array_address(self.keys.pool, start))
            data = bytes(account.data) if account else b""
            arrays[start] = orca.decode_array(data, pool.tick_spacing).net if data else {}
        oracle = self.machine.svm.get_account(self.keys.oracle)
        decoded = orca.decode_oracle(bytes(oracle.data)) if oracle and oracle.data else None
        state = orca.State.of(pool, arrays, decoded)
        object.__setattr__(state, "transfer_fees", fees)
        return state


def place(machine: Machine, keys: PoolKeys, fees: tuple[TransferFee | None, TransferFee | None]) -> Pool:
    """Gives the user, the vaults and the mints their accounts."""
    users = (Pubkey.new_unique(), Pubkey.new_unique())
    for i in (0, 1):
        mint, program, vault = keys.mints[i], keys.token_programs[i], keys.vaults[i]
        machine.svm.set_account(mint, Account(10**10, mint_data(mint_fee(fees[i])), program))
        machine.svm.set_account(vault, token_account(mint, keys.pool, VAULT_HELD, program))
        machine.svm.set_account(users[i], token_account(mint, machine.user.pubkey(), HELD, program))
    return Pool(machine, keys, users)


def open_pool(
    machine: Machine,
    positions: list[Position],
    *,
    tick: int = 0,
    spacing: int = 64,
    fee_rate: int = 3_000,
    fees: tuple[TransferFee | None, TransferFee | None] = (None, None),
    **more: Any,
) -> Pool:
    first, second = sorted((Pubkey.new_unique(), Pubkey.new_unique()), key=bytes)
    programs = [TOKEN_PROGRAM_ID if fee is None else TOKEN_2022_PROGRAM_ID for fee in fees]
    keys = accounts.derive_pool(
        mints=(first, second), tick_spacing=spacing, token_programs=(programs[0], programs[1]),
        fee_tier_index=1_024 + spacing if more.get("adaptive") else None,
    )  # fmt: skip
    made = accounts.make_pool(
        keys, sqrt_price=orca_sqrt_price(tick) + 1, positions=positions, fee_rate=fee_rate, **more
    )
    for address, account in made.items():
        machine.svm.set_account(address, account)
    return place(machine, keys, fees)


DEEP = [Position(-6_400, 6_400, 10**12)]
LADDER = [Position(-64 * (i + 1), 64 * (i + 1), 10**12) for i in range(8)]


def traded(logs: list[str]) -> tuple[Any, ...]:
    """The fields of the one Traded event in these logs, without the pool's address."""
    (line,) = [line for line in logs if line.startswith("Program data: ")]
    data = base64.b64decode(line.removeprefix("Program data: "))
    assert len(data) == 121
    prices = [int.from_bytes(data[at : at + 16], "little") for at in (41, 57)]
    return (data[40], *prices, *struct.unpack_from("<6Q", data, 73))


def check(pool: Pool, result: Any, quote: Quote, a_to_b: bool, before: tuple[bytes, list[int]]) -> None:
    """Everything a swap leaves is as the reference says."""
    data, held = before
    assert error_code(result) is None, result
    now = [after - was for after, was in zip(pool.held(), held, strict=True)]
    into, out = (0, 1) if a_to_b else (1, 0)
    assert (-now[into], now[2 + out]) == (quote.amount_in, -quote.amount_out)
    after = orca.decode_pool(pool.data)
    assert (after.sqrt_price, after.tick, after.liquidity) == (quote.sqrt_price, quote.tick, quote.liquidity)
    event = traded(result.logs())
    assert event[:3] == (a_to_b, int.from_bytes(data[65:81], "little"), quote.sqrt_price)
    assert event[3:5] == (quote.amount_in, quote.amount_out)
    assert event[7:] == (quote.fee - quote.protocol_fee, quote.protocol_fee)


# -- the real program ---------------------------------------------------------------------------------------


def test_every_recorded_swap_of_the_real_program(machine: Machine) -> None:
    snapshot = Snapshot(table(data_dir("accounts/orca_whirlpool") / "all_pools_slot185759999.csv.gz"))
    rows = failures = 0
    at = ""
    with (data_dir() / "golden" / "whirlpool_slot185759999.csv").open() as file:
        for row in csv.DictReader(file):
            address, a_to_b = Pubkey.from_string(row["pool"]), row["a_to_b"] == "1"
            data, decoded = snapshot.pool(row["pool"])
            if row["pool"] != at:
                keys, at = accounts.read_pool(address, data), row["pool"]
                arrays = snapshot.arrays(row["pool"], decoded.tick_spacing)
            machine.svm.set_account(address, accounts.owned(data))
            for start in orca.array_starts(decoded.tick_spacing, decoded.tick, a_to_b):
                if start in arrays:
                    key = accounts.tick_array_address(address, start)
                    machine.svm.set_account(key, accounts.owned(arrays[start][0]))
            pool = place(machine, keys, (None, None))
            swap = pool.swap(a_to_b, row["exact_in"] == "1", int(row["amount"]))
            named = list(swap.accounts)
            for i in range(int(row["tick_arrays"]), 3):
                named[7 + i] = named[6 + i]
            result = machine.send(MOST_UNITS, Instruction(swap.program_id, bytes(swap.data), named))
            rows += 1
            if row["amount_in"].startswith("ERR"):
                assert error_code(result) is not None, row
                failures += 1
                continue
            quote = Quote(
                int(row["amount_in"]), int(row["amount_out"]), sqrt_price=int(row["post_sqrt"]),
                tick=int(row["post_tick"]), liquidity=int(row["post_liquidity"]),
            )  # fmt: skip
            user_a, user_b = (machine.amount(a) - HELD for a in pool.accounts)
            paid, got = (-user_a, user_b) if a_to_b else (-user_b, user_a)
            after = orca.decode_pool(pool.data)
            assert (paid, got) == (quote.amount_in, quote.amount_out), (row, result)
            assert (after.sqrt_price, after.tick, after.liquidity) == (quote.sqrt_price, quote.tick, quote.liquidity)
            assert result.logs()[3] == "Program log: sniperforge emulation of Orca Whirlpool"
    assert (rows, failures) == (3399, 388)


# -- differential -------------------------------------------------------------------------------------------


def test_random_swaps_agree_with_core_and_reference() -> None:
    outcomes = emulation_differential.run("orca_whirlpool", 800, seed=1)
    assert min(outcomes[kind] for kind in ("within", "crossed", "refused", "slippage")) > 10, outcomes


@pytest.mark.slow
@pytest.mark.timeout(3_000)
def test_many_random_swaps_agree_with_core_and_reference() -> None:
    cases = emulation_differential.slow_cases()
    outcomes = emulation_differential.run("orca_whirlpool", cases, seed=2)
    assert min(outcomes.values()) > cases // 100, outcomes


def test_the_machine_gives_what_the_native_program_gives(machine: Machine, tmp_path: Path) -> None:
    """One and the same swap leaves the same bytes in all accounts, or the same error."""
    rng = random.Random(3)
    native = NativeProgram(tmp_path, "orca_whirlpool")
    done = 0
    for _ in range(60):
        keys, made = emulated.some_pool(rng)
        native.load(made)
        native.set_time(NOW)
        user = machine.user.pubkey()
        for address, account in made.items():
            if address in emulated.USER_ACCOUNTS:
                data = bytes(account.data)
                account = Account(account.lamports, data[:32] + bytes(user) + data[64:], account.owner)
            machine.svm.set_account(address, account)
        for _ in range(3):
            pool = native.data(keys.pool)
            a_to_b, exact_in = rng.randrange(2) == 1, rng.randrange(2) == 1
            terms: dict[str, Any] = {
                "tick": accounts.current_tick(pool), "user_accounts": emulated.USER_ACCOUNTS, "a_to_b": a_to_b,
                "exact_in": exact_in, "amount": rng.getrandbits(62) >> rng.randrange(60),
                "threshold": 0 if exact_in else U64 - 1, "v2": rng.randrange(2) == 1,
            }  # fmt: skip
            code = native.run(accounts.swap_instruction(keys, authority=emulated.USER, **terms))
            result = machine.send(MOST_UNITS, accounts.swap_instruction(keys, authority=user, **terms))
            if "exceeded CUs" in str(result):
                break  # a fee that changes at every tick over a long way; the machine's pool is behind now
            assert error_code(result) == (code or None), (keys, terms, code, result)
            if code:
                continue
            done += 1
            for address in made:
                if address not in emulated.USER_ACCOUNTS:
                    assert machine.data(address) == native.data(address), (address, terms)
    assert done > 40


# -- what a swap leaves -------------------------------------------------------------------------------------


@pytest.mark.parametrize("v2", [False, True])
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("a_to_b", [False, True])
@pytest.mark.parametrize("exact_in", [False, True])
def test_swap_over_ticks(machine: Machine, v2: bool, dynamic: bool, a_to_b: bool, exact_in: bool) -> None:
    pool = open_pool(machine, LADDER, dynamic_arrays=dynamic)
    for amount in (10**6, 10**11, 10**9):
        state = pool.state()
        quote = (state.quote_in if exact_in else state.quote_out)(a_to_b, amount, NOW)
        before = (pool.data, pool.held())
        check(pool, machine.send(pool.swap(a_to_b, exact_in, amount, v2=v2)), quote, a_to_b, before)
        a_to_b = not a_to_b


def test_fee_growth_of_the_pool_and_of_crossed_ticks(machine: Machine) -> None:
    pool = open_pool(machine, LADDER)
    state = pool.state()
    to_tick = orca_sqrt_price(-64)
    first = state.quote_in(True, U64 - 1, NOW, to_tick)
    rest = 10**8
    assert error_code(machine.send(pool.swap(True, True, first.amount_in + rest))) is None
    share = first.fee - first.fee * 300 // 10_000
    after_tick = share * Q64 // state.liquidity
    growth = int.from_bytes(pool.data[165:181], "little")
    second = pool.data[49:65]
    assert int.from_bytes(second, "little") == state.liquidity - 10**12
    assert growth > after_tick and int.from_bytes(pool.data[245:261], "little") == 0
    array = machine.data(accounts.tick_array_address(pool.keys.pool, -5_632))
    tick = array[12 + 113 * 87 : 12 + 113 * 88]
    assert int.from_bytes(tick[33:49], "little") == after_tick and int.from_bytes(tick[49:65], "little") == 0
    # back over the tick: what has grown outside of it is now what grew since
    assert error_code(machine.send(pool.swap(False, True, 10**10))) is None
    array = machine.data(accounts.tick_array_address(pool.keys.pool, -5_632))
    tick = array[12 + 113 * 87 : 12 + 113 * 88]
    assert int.from_bytes(tick[33:49], "little") == growth - after_tick
    assert int.from_bytes(tick[49:65], "little") > 0
    owed = struct.unpack_from("<QQ", pool.data, 85)
    assert min(owed) > 0


def test_adaptive_fee_rises_and_decays(machine: Machine) -> None:
    fee = AdaptiveFee(tick_group_size=1, major_swap_threshold_ticks=64)
    pool = open_pool(machine, DEEP, adaptive=fee)
    rates = []
    for now, amount in ((NOW, 10**10), (NOW + 1, 10**10), (NOW + 40, 10**9), (NOW + 10_000, 10**9)):
        machine.set_time(now)
        quote = pool.state().quote_in(True, amount, now)
        before = (pool.data, pool.held())
        check(pool, machine.send(pool.swap(True, True, amount)), quote, True, before)
        rates.append(quote.fee * 10**6 // amount)
    machine.set_time(NOW)
    assert rates[0] > 3_000 and rates[1] > rates[0] and rates[3] < rates[1]
    oracle = orca.decode_oracle(machine.data(pool.keys.oracle))
    assert oracle.reference_update == NOW + 10_000 and oracle.major_swap >= NOW


def test_trade_enable_time(machine: Machine) -> None:
    pool = open_pool(machine, DEEP, adaptive=AdaptiveFee(trade_enable_timestamp=NOW + 1))
    assert error_code(machine.send(pool.swap(True, True, 10**6))) == 6064
    machine.set_time(NOW + 1)
    assert error_code(machine.send(pool.swap(True, True, 10**6))) is None
    machine.set_time(NOW)


@pytest.mark.parametrize("a_to_b", [False, True])
@pytest.mark.parametrize("exact_in", [False, True])
@pytest.mark.parametrize(
    "fees",
    [
        (TransferFee(100, 10**6), None),
        (None, TransferFee(250, U64 - 1)),
        (TransferFee(10_000, 5), TransferFee(1, 10**3)),
        (TransferFee(0, 0), TransferFee(9_999, 10**4)),
    ],
)
def test_transfer_fees(
    machine: Machine, a_to_b: bool, exact_in: bool, fees: tuple[TransferFee | None, TransferFee | None]
) -> None:
    pool = open_pool(machine, LADDER, fees=fees)
    rules = (fees[0] or NO_FEE, fees[1] or NO_FEE)
    for amount, limit in ((10**8, 0), (10**11, orca_sqrt_price(-100 if a_to_b else 100)), (77, 0)):
        state = pool.state(rules)
        quote = (state.quote_in if exact_in else state.quote_out)(a_to_b, amount, NOW, limit)
        before = pool.held()
        result = machine.send(pool.swap(a_to_b, exact_in, amount, sqrt_price_limit=limit, v2=True))
        if quote.status == "refused":
            assert error_code(result) == quote.error
            continue
        assert error_code(result) is None, result
        into, out = (0, 1) if a_to_b else (1, 0)
        change = [after - was for after, was in zip(pool.held(), before, strict=True)]
        assert (-change[into], change[out]) == (quote.amount_in, quote.amount_out)
        event = traded(result.logs())
        assert event[3] == quote.amount_in and event[4] - event[6] == quote.amount_out
        assert event[5] == rules[into].of(quote.amount_in)
        assert change[2 + into] == event[3] - event[5]


def test_rewards_grow(machine: Machine) -> None:
    pool = open_pool(machine, LADDER)
    data = bytearray(pool.data)
    struct.pack_into("<Q", data, 261, NOW - 100)
    data[269:301] = bytes(pool.keys.mints[0])
    data[269 + 96 : 269 + 112] = (5 * Q64).to_bytes(16, "little")
    machine.svm.set_account(pool.keys.pool, accounts.owned(bytes(data)))
    liquidity = int.from_bytes(data[49:65], "little")
    assert error_code(machine.send(pool.swap(True, True, 5 * 10**10))) is None
    grown = int.from_bytes(pool.data[269 + 112 : 269 + 128], "little")
    assert grown == 100 * 5 * Q64 // liquidity and struct.unpack_from("<Q", pool.data, 261) == (NOW,)
    array = machine.data(accounts.tick_array_address(pool.keys.pool, -5_632))
    assert int.from_bytes(array[12 + 113 * 87 + 65 : 12 + 113 * 87 + 81], "little") == grown
    machine.set_time(NOW - 1)
    assert error_code(machine.send(pool.swap(True, True, 10**6))) == 6022
    machine.set_time(NOW)


# -- limits and accounts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("a_to_b", [False, True])
@pytest.mark.parametrize("exact_in", [False, True])
def test_thresholds_are_exact(machine: Machine, a_to_b: bool, exact_in: bool) -> None:
    pool = open_pool(machine, LADDER)
    state = pool.state()
    quote = (state.quote_in if exact_in else state.quote_out)(a_to_b, 10**9, NOW)
    edge = quote.amount_out if exact_in else quote.amount_in
    beyond = edge + 1 if exact_in else edge - 1
    refused = machine.send(pool.swap(a_to_b, exact_in, 10**9, threshold=beyond))
    assert error_code(refused) == (6036 if exact_in else 6037)
    assert error_code(machine.send(pool.swap(a_to_b, exact_in, 10**9, threshold=edge))) is None


def test_missing_arrays(machine: Machine) -> None:
    """Arrays that were never made are empty; a row ends where an account is not the next array."""
    pool = open_pool(machine, [Position(-64 * 200, 64 * 200, 10**12)])
    swap = pool.swap(True, True, 3 * 10**11)
    assert machine.svm.get_account(swap.accounts[7].pubkey) is None
    quote = pool.state().quote_in(True, 3 * 10**11, NOW)
    before = (pool.data, pool.held())
    check(pool, machine.send(swap), quote, True, before)

    pool = open_pool(machine, [Position(-64 * 200, 64 * 200, 10**12)])
    named = list(pool.swap(True, True, 10**12).accounts)
    named[8] = named[9] = named[7]
    short = Instruction(accounts.PROGRAM_ID, bytes(swap.data), named)
    assert error_code(machine.send(short)) == 6038
    named[7] = named[8] = named[9] = AccountMeta(Pubkey.new_unique(), is_signer=False, is_writable=True)
    none = Instruction(accounts.PROGRAM_ID, bytes(swap.data), named)
    assert error_code(machine.send(none)) == 6023


def test_supplemental_arrays(machine: Machine) -> None:
    pool = open_pool(machine, LADDER)
    good = pool.swap(True, True, 10**11, v2=True)
    arrays = [meta.pubkey for meta in good.accounts[11:14]]
    extra = pool.swap(True, True, 10**11, v2=True, supplemental=arrays)
    named = list(extra.accounts)
    other = AccountMeta(accounts.tick_array_address(pool.keys.pool, 5_632), is_signer=False, is_writable=True)
    named[11] = named[12] = named[13] = other
    quote = pool.state().quote_in(True, 10**11, NOW)
    before = (pool.data, pool.held())
    swap = Instruction(accounts.PROGRAM_ID, bytes(extra.data), named)
    check(pool, machine.send(swap), quote, True, before)
    four = pool.swap(True, True, 10**6, v2=True, supplemental=[*arrays, other.pubkey])
    assert error_code(machine.send(four)) == 6055
    data = bytearray(extra.data)
    data[-1] = 4
    assert error_code(machine.send(Instruction(accounts.PROGRAM_ID, bytes(data), named))) == 6049
    data[-2] = 3
    assert error_code(machine.send(Instruction(accounts.PROGRAM_ID, bytes(data), named))) == 6048


def test_wrong_accounts_are_refused(machine: Machine) -> None:
    pool, other = open_pool(machine, LADDER), open_pool(machine, LADDER)
    good = pool.swap(True, True, 10**6)
    array = good.accounts[7].pubkey
    cases = [
        (0, ro(TOKEN_2022_PROGRAM_ID), 3008),
        (1, ro(Pubkey.new_unique()), 3010),
        (2, rw(other.keys.oracle), 3012),
        (2, rw(array), 3002),
        (2, ro(pool.keys.pool), 2000),
        (3, rw(other.accounts[0]), 2003),
        (3, rw(pool.accounts[1]), 2003),
        (4, rw(other.keys.vaults[0]), 2012),
        (5, ro(pool.accounts[1]), 2000),
        (6, rw(pool.keys.vaults[0]), 2012),
        (7, ro(array), 2000),
        (8, rw(other.swap(True, True, 1).accounts[7].pubkey), 6056),
        (8, rw(pool.keys.vaults[0]), 3007),
        (8, rw(pool.keys.pool), 3002),
        (10, rw(other.keys.oracle), 2006),
    ]
    for at, meta, code in cases:
        changed = list(good.accounts)
        changed[at] = meta
        result = machine.send(Instruction(accounts.PROGRAM_ID, bytes(good.data), changed))
        assert error_code(result) == code, (at, code, result)
    for data, code in ((bytes(good.data)[:41], 102), (b"\1" * 8 + bytes(good.data)[8:], 101)):
        assert error_code(machine.send(Instruction(accounts.PROGRAM_ID, data, good.accounts))) == code
    few = Instruction(accounts.PROGRAM_ID, bytes(good.data), good.accounts[:10])
    assert error_code(machine.send(few)) == 3005
    assert error_code(machine.send(good)) is None


def test_compute_units(machine: Machine) -> None:
    """A swap fits the units that callers of the real program ask for."""
    pool = open_pool(machine, LADDER)
    within = machine.send(pool.swap(True, True, 10**6)).compute_units_consumed()
    pool = open_pool(machine, LADDER)
    result = machine.send(pool.swap(True, True, 10**11))
    crossed = pool.state().liquidity
    assert error_code(result) is None and crossed <= 3 * 10**12
    assert within < 60_000 and result.compute_units_consumed() < 200_000
