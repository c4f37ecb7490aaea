"""The emulated Raydium CLMM: inside LiteSVM against mainnet's own fills, and as a whole against the C core and the
Python reference."""

from __future__ import annotations

import base64
import csv
import json
import random
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import raydium_clmm_accounts as accounts
from sniperforge.simnet.orca_whirlpool_accounts import Position
from sniperforge.simnet.raydium_clmm_accounts import DynamicFee, PoolKeys
from sniperforge.venues import raydium_clmm as clmm
from sniperforge.venues.quote import Quote
from sniperforge.venues.ticks import U64, raydium_sqrt_price
from sniperforge.venues.transfer_fee import NO_FEE, TransferFee
from tests import emulated_raydium_clmm as emulated
from tests import emulation_differential
from tests.data import data_dir
from tests.emulation.accounts_changed import ro, rw
from tests.emulation.cpmm_machine import (
    EPOCH,
    TOKEN_2022_PROGRAM_ID,
    Machine,
    error_code,
    mint_data,
    mint_fee,
    token_account,
)
from tests.native_program import PANIC as NATIVE_PANIC
from tests.native_program import NativeProgram

TOKEN_PROGRAM_ID = accounts.TOKEN_PROGRAM_ID
NOW = 1_760_000_000
HELD, VAULT_HELD = 1 << 62, 1 << 63
PANIC = -1
Q64 = 1 << 64
MOST_UNITS = set_compute_unit_limit(1_400_000)
CONFIG_INDEX = 4


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

    def arrays(self, zero_for_one: bool) -> list[int]:
        return accounts.swap_arrays(self.data, self.machine.data(self.keys.extension), zero_for_one)

    def swap(self, zero_for_one: bool, exact_in: bool, amount: int, **more: Any) -> Instruction:
        more.setdefault("threshold", 0 if exact_in else U64 - 1)
        more.setdefault("arrays", self.arrays(zero_for_one))
        return accounts.swap_instruction(
            self.keys, payer=self.machine.user.pubkey(), user_accounts=self.accounts, zero_for_one=zero_for_one,
            exact_in=exact_in, amount=amount, **more,
        )  # fmt: skip

    def held(self) -> list[int]:
        return [self.machine.amount(a) for a in (*self.accounts, *self.keys.vaults)]

    def state(self, fees: tuple[TransferFee, TransferFee] = (NO_FEE, NO_FEE)) -> clmm.State:
        """What the reference makes of the accounts as they are."""
        starts = sorted({*self.arrays(True), *self.arrays(False)})
        arrays = [self.machine.data(accounts.tick_array_address(self.keys.pool, start)) for start in starts]
        decoded = [clmm.decode_array(data, self.keys.tick_spacing) for data in arrays]
        numbers = clmm.decode_extension(self.machine.data(self.keys.extension))[1]
        rates = clmm.decode_config(self.machine.data(self.keys.config))
        return replace(clmm.State.of(clmm.decode_pool(self.data), rates, decoded, numbers), transfer_fees=fees)


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
    spacing: int = 10,
    fees: tuple[TransferFee | None, TransferFee | None] = (None, None),
    **more: Any,
) -> Pool:
    first, second = sorted((Pubkey.new_unique(), Pubkey.new_unique()), key=bytes)
    programs = [TOKEN_PROGRAM_ID if fee is None else TOKEN_2022_PROGRAM_ID for fee in fees]
    keys = accounts.derive_pool(
        config=accounts.config_address(CONFIG_INDEX), mints=(first, second), tick_spacing=spacing,
        token_programs=(programs[0], programs[1]),
    )  # fmt: skip
    made = accounts.make_pool(
        keys, sqrt_price=raydium_sqrt_price(tick) + 1, positions=positions, config_index=CONFIG_INDEX,
        trade_fee_rate=2_500, vault_amounts=(VAULT_HELD, VAULT_HELD), **more,
    )  # fmt: skip
    for address, account in made.items():
        machine.svm.set_account(address, account)
    return place(machine, keys, fees)


DEEP = [Position(-6_000, 6_000, 10**12)]
LADDER = [Position(-10 * (i + 1), 10 * (i + 1), 10**12) for i in range(8)] + [Position(-3_000, 3_000, 10**11)]


def swap_event(logs: list[str]) -> tuple[Any, ...]:
    """Amounts and transfer fees of token 0 and 1, direction, price, liquidity and tick of the one SwapEvent."""
    (line,) = [line for line in logs if line.startswith("Program data: ")]
    data = base64.b64decode(line.removeprefix("Program data: "))
    assert len(data) == 205
    wide = [int.from_bytes(data[at : at + 16], "little") for at in (169, 185)]
    return (*struct.unpack_from("<4Q?", data, 136), *wide, *struct.unpack_from("<i", data, 201))


def check(pool: Pool, result: Any, quote: Quote, zero_for_one: bool, before: tuple[bytes, list[int]]) -> None:
    """Everything a swap leaves is as the reference says."""
    data, held = before
    assert error_code(result) is None, result
    now = [after - was for after, was in zip(pool.held(), held, strict=True)]
    into, out = (0, 1) if zero_for_one else (1, 0)
    assert (-now[into], now[out], now[2 + into], -now[2 + out]) == (*quote[:2], *quote[:2])
    after = clmm.decode_pool(pool.data)
    assert (after.sqrt_price, after.tick, after.liquidity) == (quote.sqrt_price, quote.tick, quote.liquidity)
    event = swap_event(result.logs())
    assert (event[2 * into], event[2 * out]) == quote[:2]
    assert event[4:] == (zero_for_one, quote.sqrt_price, quote.liquidity, quote.tick)

    def grown(*offsets: int) -> int:
        return sum(
            int.from_bytes(d[at : at + 8], "little") * s for d, s in ((pool.data, 1), (data, -1)) for at in offsets
        )

    assert grown(309, 317, 1064, 1072) == quote.protocol_fee
    assert grown(1032, 1048) == quote.fee - quote.protocol_fee
    first, second = (325, 341) if zero_for_one else (357, 373)
    assert (grown(first), grown(second)) == quote[:2]
    assert struct.unpack_from("<Q", pool.data, 1088) == (EPOCH,)


# -- the real program ---------------------------------------------------------------------------------------


def load_capture(machine: Machine, capture: Mapping[str, Any], trade_rate: int) -> Pool:
    """The accounts of a capture, with those that it does not have made up: config, observations, extension."""
    address, data = Pubkey.from_string(capture["pool_address"]), base64.b64decode(capture["pool_b64"])
    keys = accounts.read_pool(address, data)
    rates = {"trade_fee_rate": trade_rate, "protocol_fee_rate": 120_000, "fund_fee_rate": 40_000}
    config = accounts.config_data(index=CONFIG_INDEX, tick_spacing=keys.tick_spacing, **rates)
    made = {
        address: data,
        keys.config: config,
        keys.observation: accounts.observation_data(address),
        keys.extension: accounts.extension_data(address, []),
    }
    for array in capture["tick_arrays"]:
        made[Pubkey.from_string(array["address"])] = base64.b64decode(array["data_b64"])
    for key, content in made.items():
        machine.svm.set_account(key, accounts.owned(content))
    machine.set_time(capture["swap"]["block_time"])
    return place(machine, keys, (None, None))


def test_every_recorded_swap_of_mainnet() -> None:
    machine = Machine()
    folder = data_dir("accounts/raydium_clmm/sol_usdc_captures")
    rate = round(json.loads((folder / "clmm_pool_metadata.json").read_text())["fee_rate"] * 10**6)
    rows = fills = 0
    with (data_dir() / "golden" / "raydium_clmm_sol_usdc.csv").open() as file:
        for row in csv.DictReader(file):
            capture = json.loads((folder / row["capture"]).read_text())
            pool = load_capture(machine, capture, rate)
            for array in capture["tick_arrays"]:
                start = struct.unpack_from("<i", base64.b64decode(array["data_b64"]), 40)[0]
                key = accounts.tick_array_address(pool.keys.pool, start)
                assert str(key) == array["address"]
            zero_for_one, exact_in = row["zero_for_one"] == "1", row["exact_in"] == "1"
            starts = [
                start
                for start in pool.arrays(zero_for_one)
                if str(accounts.tick_array_address(pool.keys.pool, start))
                in {array["address"] for array in capture["tick_arrays"]}
            ]
            swap = pool.swap(zero_for_one, exact_in, int(row["amount"]), arrays=starts, v2=rows % 2 == 1)
            result = machine.send(MOST_UNITS, swap)
            rows += 1
            if row["amount_in"].startswith("ERR"):
                assert error_code(result) is not None, row
                continue
            into, out = (0, 1) if zero_for_one else (1, 0)
            paid, got = HELD - machine.amount(pool.accounts[into]), machine.amount(pool.accounts[out]) - HELD
            assert (paid, got) == (int(row["amount_in"]), int(row["amount_out"])), (row, result)
            after = clmm.decode_pool(pool.data)
            assert (after.sqrt_price, after.tick) == (int(row["post_sqrt"]), int(row["post_tick"])), row
            assert result.logs()[3] == "Program log: sniperforge emulation of Raydium CLMM"
            fills += row["source"].startswith("mainnet")
            if row["source"].startswith("mainnet"):
                real = capture["swap"]
                assert (paid, got) == (real["observed_amount_in"], real["observed_amount_out"])
    assert rows > 50 and fills >= 9


KINDS = ("within", "crossed", "refused", "slippage", "exhausted", "not whole")

# -- differential -------------------------------------------------------------------------------------------


def test_random_swaps_agree_with_core_and_reference() -> None:
    outcomes = emulation_differential.run("raydium_clmm", 2_000, seed=1)
    assert min(outcomes[kind] for kind in KINDS) > 5 and outcomes["lagging"], outcomes


@pytest.mark.slow
@pytest.mark.timeout(3_000)
def test_many_random_swaps_agree_with_core_and_reference() -> None:
    cases = emulation_differential.slow_cases()
    outcomes = emulation_differential.run("raydium_clmm", cases, seed=2)
    assert min(outcomes[kind] for kind in KINDS) > cases // 300 and outcomes["lagging"], outcomes


def test_the_machine_gives_what_the_native_program_gives(machine: Machine, tmp_path: Path) -> None:
    """One and the same swap leaves the same bytes in all accounts, or the same error."""
    rng = random.Random(3)
    native = NativeProgram(tmp_path, "raydium_clmm")
    native.lib.host_epoch = EPOCH
    done = 0
    for _ in range(60):
        keys, made = emulated.some_pool(rng)
        native.load(made)
        native.set_time(NOW + 1)
        machine.set_time(NOW + 1)
        user = machine.user.pubkey()
        for address, account in made.items():
            if address in emulated.USER_ACCOUNTS:
                data = bytes(account.data)
                account = Account(account.lamports, data[:32] + bytes(user) + data[64:], account.owner)
            machine.svm.set_account(address, account)
        for _ in range(4):
            pool = native.data(keys.pool)
            zero_for_one, exact_in = rng.randrange(2) == 1, rng.randrange(2) == 1
            starts = accounts.swap_arrays(pool, native.data(keys.extension), zero_for_one)
            terms: dict[str, Any] = {
                "arrays": starts, "user_accounts": emulated.USER_ACCOUNTS, "zero_for_one": zero_for_one,
                "exact_in": exact_in, "amount": rng.getrandbits(62) >> rng.randrange(60),
                "threshold": 0 if exact_in else U64 - 1, "v2": not starts or rng.randrange(2) == 1,
            }  # fmt: skip
            code = native.run(accounts.swap_instruction(keys, payer=emulated.USER, **terms))
            result = machine.send(MOST_UNITS, accounts.swap_instruction(keys, payer=user, **terms))
            if "exceeded CUs" in str(result) or error_code(result) == 1:
                # a fee that changes at every spacing over a long way, or more than the vault has, which the token
                # program refuses: the machine's pool is behind now
                break
            expected = PANIC if code == NATIVE_PANIC else code or None
            assert error_code(result) == expected, (keys, terms, code, result)
            if code:
                continue
            done += 1
            for address in made:
                if address not in emulated.USER_ACCOUNTS:
                    assert machine.data(address) == native.data(address), (address, terms)
    machine.set_time(NOW)
    assert done > 30


# -- what a swap leaves -------------------------------------------------------------------------------------


@pytest.mark.parametrize("v2", [False, True])
@pytest.mark.parametrize("zero_for_one", [False, True])
@pytest.mark.parametrize("exact_in", [False, True])
@pytest.mark.parametrize("fee_on", [0, 1, 2])
def test_swap_over_ticks(machine: Machine, v2: bool, zero_for_one: bool, exact_in: bool, fee_on: int) -> None:
    pool = open_pool(machine, LADDER, fee_on=fee_on)
    for amount in (10**6, 10**10, 10**9):
        state = pool.state()
        quote = (state.quote_in if exact_in else state.quote_out)(zero_for_one, amount, NOW)
        before = (pool.data, pool.held())
        check(pool, machine.send(pool.swap(zero_for_one, exact_in, amount, v2=v2)), quote, zero_for_one, before)
        zero_for_one = not zero_for_one


def tick_of(pool: Pool, tick: int) -> bytes:
    span = 60 * pool.keys.tick_spacing
    start = tick // span * span
    array = pool.machine.data(accounts.tick_array_address(pool.keys.pool, start))
    at = 44 + 168 * ((tick - start) // pool.keys.tick_spacing)
    return array[at : at + 168]


def test_fee_growth_of_the_pool_and_of_crossed_ticks(machine: Machine) -> None:
    pool = open_pool(machine, LADDER)
    state = pool.state()
    first = state.quote_in(True, U64 - 1, NOW, raydium_sqrt_price(-10))
    assert error_code(machine.send(pool.swap(True, True, first.amount_in + 10**8))) is None
    after_tick = (first.fee - first.protocol_fee) * Q64 // state.liquidity
    growth = int.from_bytes(pool.data[277:293], "little")
    assert growth > after_tick and int.from_bytes(pool.data[293:309], "little") == 0
    tick = tick_of(pool, -10)
    assert int.from_bytes(tick[36:52], "little") == after_tick and int.from_bytes(tick[52:68], "little") == 0
    assert error_code(machine.send(pool.swap(False, True, 10**9))) is None
    tick = tick_of(pool, -10)
    assert int.from_bytes(tick[36:52], "little") == growth - after_tick
    assert int.from_bytes(tick[52:68], "little") > 0


def test_observations(machine: Machine) -> None:
    pool = open_pool(machine, LADDER)

    def entry(index: int) -> tuple[int, int]:
        seconds, cumulated = struct.unpack_from("<Iq", machine.data(pool.keys.observation), 51 + 44 * index)
        return seconds, cumulated

    ticks = []
    for seconds in (0, 14, 15, 40):
        machine.set_time(NOW + seconds)
        ticks.append(accounts.current_tick(pool.data))
        assert error_code(machine.send(pool.swap(True, True, 10**9))) is None
    assert struct.unpack_from("<?8xH", machine.data(pool.keys.observation), 8) == (True, 2)
    assert entry(0) == (NOW, 0) and entry(1) == (NOW + 15, 15 * ticks[2])
    assert entry(2) == (NOW + 40, 15 * ticks[2] + 25 * ticks[3])
    machine.set_time(NOW)


def test_dynamic_fee_rises_and_decays(machine: Machine) -> None:
    pool = open_pool(machine, DEEP, dynamic=DynamicFee(control=40_000))
    rates = []
    for now, amount in ((NOW, 10**10), (NOW + 1, 10**10), (NOW + 40, 10**9), (NOW + 10_000, 10**9)):
        machine.set_time(now)
        quote = pool.state().quote_in(True, amount, now)
        before = (pool.data, pool.held())
        check(pool, machine.send(MOST_UNITS, pool.swap(True, True, amount)), quote, True, before)
        rates.append(quote.fee * 10**6 // amount)
    machine.set_time(NOW)
    assert rates[0] > 2_500 and rates[1] > rates[0] and rates[3] < rates[1]
    dynamic = clmm.decode_pool(pool.data).dynamic
    assert dynamic is not None and dynamic.last_update == NOW + 10_000


def test_limit_orders_are_filled(machine: Machine) -> None:
    orders = {-20: 5 * 10**8, -30: 3 * 10**8, 600: 10**6}
    pool = open_pool(machine, [Position(-3_000, 3_000, 10**11)], orders=orders)
    assert struct.unpack_from("<QQ", tick_of(pool, -20), 124) == (5 * 10**8, 0)
    for amount in (3 * 10**8, 5 * 10**8, 10**9):
        quote = pool.state().quote_in(True, amount, NOW)
        before = (pool.data, pool.held())
        check(pool, machine.send(pool.swap(True, True, amount)), quote, True, before)
        if amount == 3 * 10**8:  # part of the first order
            phase, fresh, part = struct.unpack_from("<QQQ", tick_of(pool, -20), 116)
            ratio = int.from_bytes(tick_of(pool, -20)[140:156], "little")
            assert (phase, fresh) == (1, 0) and 0 < part < 5 * 10**8
            assert ratio == part * Q64 // (5 * 10**8)
    assert struct.unpack_from("<QQ", tick_of(pool, -20), 124) == (0, 0)
    assert struct.unpack_from("<QQ", tick_of(pool, -30), 124) == (0, 0)
    numbers = accounts.array_numbers(pool.data, machine.data(pool.keys.extension))
    assert -1 not in numbers and 1 in numbers  # no tick is left in that array


@pytest.mark.parametrize("zero_for_one", [False, True])
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
    machine: Machine, zero_for_one: bool, exact_in: bool, fees: tuple[TransferFee | None, TransferFee | None]
) -> None:
    pool = open_pool(machine, LADDER, fees=fees)
    rules = (fees[0] or NO_FEE, fees[1] or NO_FEE)
    into, out = (0, 1) if zero_for_one else (1, 0)
    far = raydium_sqrt_price(-2_000 if zero_for_one else 2_000)
    for amount, limit in ((10**8, 0), (10**11, raydium_sqrt_price(-77 if zero_for_one else 77)), (10**7, far)):
        state = pool.state(rules)
        quote = (state.quote_in if exact_in else state.quote_out)(zero_for_one, amount, NOW, limit)
        before = pool.held()
        result = machine.send(pool.swap(zero_for_one, exact_in, amount, sqrt_price_limit=limit, v2=True))
        if not limit and not exact_in and rules[out].of(quote.amount_out or amount):
            # what leaves the vault is more than was asked for, which the program takes for a swap that was not whole
            assert quote.error == clmm.NOT_EQUAL
        if quote.status == "refused":
            assert error_code(result) == quote.error
            continue
        assert error_code(result) is None, result
        change = [after - was for after, was in zip(pool.held(), before, strict=True)]
        assert (-change[into], change[out]) == (quote.amount_in, quote.amount_out)
        event = swap_event(result.logs())
        assert event[2 * into] + event[2 * into + 1] == quote.amount_in and event[2 * out] == quote.amount_out
        assert event[2 * into + 1] == rules[into].of(quote.amount_in)
        assert change[2 + into] == event[2 * into]


def test_rewards_grow(machine: Machine) -> None:
    pool = open_pool(machine, LADDER)
    data = bytearray(pool.data)
    struct.pack_into("<BQQQ", data, 397, 1, NOW - 500, NOW + 500, NOW - 100)
    data[397 + 25 : 397 + 41] = (5 * Q64 + 1).to_bytes(16, "little")
    data[397 + 57 : 397 + 89] = bytes(pool.keys.mints[0])
    machine.svm.set_account(pool.keys.pool, accounts.owned(bytes(data)))
    liquidity = int.from_bytes(data[237:253], "little")
    assert error_code(machine.send(pool.swap(True, True, 10**10))) is None
    reward = pool.data[397 : 397 + 169]
    grown = int.from_bytes(reward[153:169], "little")
    assert grown == 100 * (5 * Q64 + 1) // liquidity
    assert struct.unpack_from("<BQQQ", reward) == (2, NOW - 500, NOW + 500, NOW)
    assert struct.unpack_from("<Q", reward, 41) == (501,)
    assert int.from_bytes(tick_of(pool, -10)[68:84], "little") == grown


# -- limits and accounts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("v2", [False, True])
@pytest.mark.parametrize("zero_for_one", [False, True])
@pytest.mark.parametrize("exact_in", [False, True])
def test_thresholds_are_exact(machine: Machine, v2: bool, zero_for_one: bool, exact_in: bool) -> None:
    pool = open_pool(machine, LADDER)
    state = pool.state()
    quote = (state.quote_in if exact_in else state.quote_out)(zero_for_one, 10**9, NOW)
    edge = quote.amount_out if exact_in else quote.amount_in
    beyond = edge + 1 if exact_in else edge - 1
    refused = machine.send(pool.swap(zero_for_one, exact_in, 10**9, threshold=beyond, v2=v2))
    assert error_code(refused) == (6022 if exact_in else 6023)
    assert error_code(machine.send(pool.swap(zero_for_one, exact_in, 10**9, threshold=edge, v2=v2))) is None


def test_arrays_beyond_the_pools_own_bitmap(machine: Machine) -> None:
    middle = 60 * 10 * 530
    positions = [Position(middle - 6_000, middle + 6_000, 10**15), Position(-320_000, middle + 50_000, 10**14)]
    pool = open_pool(machine, positions, tick=middle)
    assert 540 in accounts.array_numbers(pool.data, machine.data(pool.keys.extension))
    for zero_for_one, amount in ((True, 10**4), (False, 10**15)):
        quote = pool.state().quote_in(zero_for_one, amount, NOW)
        assert quote.status == "ok"
        before = (pool.data, pool.held())
        check(pool, machine.send(pool.swap(zero_for_one, True, amount)), quote, zero_for_one, before)
    good = pool.swap(True, True, 10**4, v2=True)
    without = [meta for meta in good.accounts if meta.pubkey != pool.keys.extension]
    assert error_code(machine.send(Instruction(accounts.PROGRAM_ID, bytes(good.data), without))) == 6040


def test_wrong_accounts_are_refused(machine: Machine) -> None:
    pool, other = open_pool(machine, LADDER), open_pool(machine, LADDER)
    good = pool.swap(True, True, 10**6)
    array, others = good.accounts[9].pubkey, other.swap(True, True, 1).accounts[9].pubkey
    cases = [
        (0, ro(Pubkey.new_unique()), 3010),
        (1, ro(array), 3002),
        (2, rw(array), 3002),
        (2, ro(pool.keys.pool), 2000),
        (3, rw(other.accounts[1]), 3),  # the token program: MintMismatch
        (5, rw(other.keys.vaults[0]), 6025),
        (5, rw(pool.keys.vaults[1]), 6025),
        (6, rw(other.keys.vaults[1]), 6025),
        (7, rw(other.keys.observation), 2012),
        (7, ro(pool.keys.observation), 2000),
        (8, ro(TOKEN_2022_PROGRAM_ID), 3008),
        (9, rw(others), 2003),
        (9, ro(array), 2000),
        (9, rw(pool.keys.pool), 3002),
        (11, rw(pool.keys.vaults[0]), 3007),
    ]
    for at, meta, code in cases:
        changed = list(good.accounts)
        changed[at] = meta
        result = machine.send(Instruction(accounts.PROGRAM_ID, bytes(good.data), changed))
        assert error_code(result) == code, (at, code, result)
    for data, code in ((bytes(good.data)[:40], 102), (b"\1" * 8 + bytes(good.data)[8:], 101)):
        assert error_code(machine.send(Instruction(accounts.PROGRAM_ID, data, good.accounts))) == code
    few = Instruction(accounts.PROGRAM_ID, bytes(good.data), good.accounts[:9])
    assert error_code(machine.send(few)) == 3005
    assert error_code(machine.send(pool.swap(True, True, 10**6, arrays=[3_000]))) == 6028
    alone = Instruction(accounts.PROGRAM_ID, bytes(pool.swap(True, True, 10**13).data), good.accounts[:11])
    assert error_code(machine.send(alone)) == 6027
    assert error_code(machine.send(good)) is None


@pytest.mark.parametrize(("status", "code"), [(16, 6001), (255, 6001), (15, None), (32, None)])
def test_pool_status(machine: Machine, status: int, code: int | None) -> None:
    pool = open_pool(machine, LADDER)
    data = bytearray(pool.data)
    data[389] = status
    machine.svm.set_account(pool.keys.pool, accounts.owned(bytes(data)))
    assert error_code(machine.send(pool.swap(True, True, 10**6))) == code


def test_opening_time(machine: Machine) -> None:
    pool = open_pool(machine, LADDER, open_time=NOW)
    assert error_code(machine.send(pool.swap(True, True, 10**6))) == 2505
    machine.set_time(NOW + 1)
    assert error_code(machine.send(pool.swap(True, True, 10**6))) is None
    machine.set_time(NOW)


@pytest.mark.parametrize("zero_for_one", [True, False])
def test_an_array_behind_may_be_named_first(machine: Machine, zero_for_one: bool) -> None:
    """What swaps of ours name: the price may cross an array's edge towards them before they come."""
    pool = open_pool(machine, LADDER, tick=-5 if zero_for_one else 5)
    way = pool.arrays(zero_for_one)
    behind = 0 if zero_for_one else -600
    assert way[0] == (-600 if zero_for_one else 0)
    for arrays in (way, [behind, *way]):
        assert error_code(machine.send(pool.swap(zero_for_one, True, 10**6, arrays=arrays))) is None
    assert error_code(machine.send(pool.swap(not zero_for_one, True, 10**10))) is None
    assert pool.arrays(zero_for_one)[0] == behind
    assert error_code(machine.send(pool.swap(zero_for_one, True, 10**6, arrays=way))) == 6028
    assert error_code(machine.send(pool.swap(zero_for_one, True, 10**6, arrays=[behind, *way]))) is None


def test_compute_units(machine: Machine) -> None:
    """A swap fits the units that callers of the real program ask for."""
    pool = open_pool(machine, LADDER)
    within = machine.send(pool.swap(True, True, 10**6)).compute_units_consumed()
    result = machine.send(pool.swap(True, True, 16 * 10**9))
    assert error_code(result) is None and pool.state().liquidity <= 4 * 10**12
    assert within < 60_000 and result.compute_units_consumed() < 200_000
