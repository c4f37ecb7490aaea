"""The emulated Raydium AMM v4 inside LiteSVM: against the recorded results of the real program, and
against a plain big-integer reference written from the program's source."""

from __future__ import annotations

import base64
import csv
import json
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import amm_v4_accounts
from sniperforge.simnet.amm_v4_accounts import PROGRAM_ID, TOKEN_PROGRAM_ID, PoolKeys
from tests.data import data_dir
from tests.emulation.accounts_changed import changed, ro, rw
from tests.emulation.cpmm_machine import EPOCH, TOKEN_2022_PROGRAM_ID, Machine, error_code, recorded, token_account

NOW = 1_760_000_000
U64 = 1 << 64
PANIC = -1
EXPECTED_ACCOUNT, INVALID_STATUS, WRONG_ACCOUNTS_NUMBER, INVALID_INPUT, EXCEEDED_SLIPPAGE = 3, 22, 24, 29, 30
SUB_OVERFLOW, INSUFFICIENT_FUNDS, INVALID_USER_TOKEN = 32, 40, 42
USER_BALANCE = 1 << 62


class Refused(Exception):
    """The program refuses the swap with this code; PANIC when it stops without one."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Terms:
    """Everything that decides over a swap; pairs are (coin, pc)."""

    vaults: tuple[int, int] = (10**12, 10**11)
    owed: tuple[int, int] = (0, 0)
    fee: tuple[int, int] = (25, 10_000)
    status: int = 6
    open_time: int = 0


def reference(terms: Terms, side: int, exact_in: bool, amount: int, limit: int) -> tuple[int, int, int]:
    """What is paid, received and kept as fee; raises Refused."""
    if terms.status != 6 and not (terms.status == 7 and terms.open_time <= NOW):
        raise Refused(INVALID_STATUS)
    if min(v - o for v, o in zip(terms.vaults, terms.owed, strict=True)) < 0:
        raise Refused(SUB_OVERFLOW)
    x, y = (terms.vaults[i] - terms.owed[i] for i in (side, 1 - side))
    n, d = terms.fee
    if exact_in:
        if amount > USER_BALANCE:
            raise Refused(INSUFFICIENT_FUNDS)
        fee = -(-amount * n // d) if d else amount + 1
        if fee > amount or x + amount - fee == 0:
            raise Refused(PANIC)
        got = y * (amount - fee) // (x + amount - fee)
        if got < limit:
            raise Refused(EXCEEDED_SLIPPAGE)
        if not got:
            raise Refused(INVALID_INPUT)
        if got >= y:
            raise Refused(INSUFFICIENT_FUNDS)
        paid = amount
    else:
        if amount >= y or n >= d:
            raise Refused(PANIC)
        curve = -(-x * amount // (y - amount))
        paid = -(-curve * d // (d - n))
        if paid >= U64:
            raise Refused(PANIC)
        if paid > USER_BALANCE:
            raise Refused(INSUFFICIENT_FUNDS)
        if paid > limit:
            raise Refused(EXCEEDED_SLIPPAGE)
        if not paid or not amount:
            raise Refused(INVALID_INPUT)
        got, fee = amount, paid - curve
    if terms.vaults[side] + paid >= U64:
        raise Refused(14)  # the token program: Overflow
    return paid, got, fee


@dataclass
class Pool:
    """One pool on a machine, and the user's two token accounts."""

    machine: Machine
    keys: PoolKeys
    accounts: tuple[Pubkey, Pubkey]

    def swap(self, side: int, exact_in: bool, amount: int, limit: int | None = None) -> Instruction:
        owner, source, destination = self.machine.user.pubkey(), self.accounts[side], self.accounts[1 - side]
        if exact_in:
            return amm_v4_accounts.swap_base_in_instruction(
                self.keys, owner=owner, input_account=source, output_account=destination,
                amount_in=amount, minimum_amount_out=limit or 0,
            )  # fmt: skip
        return amm_v4_accounts.swap_base_out_instruction(
            self.keys, owner=owner, input_account=source, output_account=destination,
            amount_out=amount, max_amount_in=U64 - 1 if limit is None else limit,
        )  # fmt: skip

    def fill_user(self) -> None:
        for mint, address in zip(self.keys.mints, self.accounts, strict=True):
            account = token_account(mint, self.machine.user.pubkey(), USER_BALANCE, TOKEN_PROGRAM_ID)
            self.machine.svm.set_account(address, account)

    def snapshot(self) -> list[bytes]:
        return [self.machine.data(a) for a in (self.keys.pool, *self.keys.vaults, *self.accounts)]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    machine = Machine()
    machine.set_time(NOW)
    yield machine


def open_pool(machine: Machine, terms: Terms) -> Pool:
    keys = amm_v4_accounts.derive_pool(
        market=Pubkey.new_unique(),
        market_program=Pubkey.new_unique(),
        mints=(Pubkey.new_unique(), Pubkey.new_unique()),
    )
    data = amm_v4_accounts.pool_data(
        keys, decimals=(9, 6), lp_amount=1, status=terms.status, open_time=terms.open_time,
        swap_fee=terms.fee, need_take_pnl=terms.owed,
    )  # fmt: skip
    machine.svm.set_account(keys.pool, Account(10**10, data, PROGRAM_ID))
    for mint, vault, amount in zip(keys.mints, keys.vaults, terms.vaults, strict=True):
        account = token_account(mint, amm_v4_accounts.AUTHORITY, amount, TOKEN_PROGRAM_ID)
        machine.svm.set_account(vault, account)
    pool = Pool(machine, keys, (Pubkey.new_unique(), Pubkey.new_unique()))
    pool.fill_user()
    return pool


def logged(logs: list[str]) -> tuple[int, ...]:
    """The fields of the one ray_log in these logs."""
    (line,) = [line for line in logs if line.startswith("Program log: ray_log: ")]
    return struct.unpack("<B7Q", base64.b64decode(line.removeprefix("Program log: ray_log: ")))


def counters(data: bytes) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """What swaps brought, took and left as fee: for coin coming in, then for pc coming in."""

    def at(offset: int, size: int) -> int:
        return int.from_bytes(data[offset : offset + size], "little")

    return (at(256, 16), at(272, 16), at(328, 8)), (at(296, 16), at(312, 16), at(288, 8))


def check(machine: Machine, terms: Terms, side: int, exact_in: bool, amount: int, limit: int) -> int | None:
    """Runs one swap on a fresh pool and compares everything with the reference; the code it got."""
    pool = open_pool(machine, terms)
    before = pool.snapshot()
    code = None
    paid = got = fee = 0
    try:
        paid, got, fee = reference(terms, side, exact_in, amount, limit)
    except Refused as refused:
        code = refused.code
    result = machine.send(pool.swap(side, exact_in, amount, limit))
    assert error_code(result) == code, (terms, side, exact_in, amount, limit, result)
    if code is not None:
        assert pool.snapshot() == before
        return code
    assert USER_BALANCE - machine.amount(pool.accounts[side]) == paid
    assert machine.amount(pool.accounts[1 - side]) - USER_BALANCE == got
    state = machine.data(pool.keys.pool)
    assert counters(state)[side] == (paid, got, fee) and counters(state)[1 - side] == (0, 0, 0)
    assert struct.unpack_from("<Q", state, 0) == (6,) and struct.unpack_from("<Q", state, 736) == (EPOCH,)
    coin, pc = (v - o for v, o in zip(terms.vaults, terms.owed, strict=True))
    asked = (3, amount, limit) if exact_in else (4, limit, amount)
    assert logged(result.logs()) == (*asked, 2 - side, USER_BALANCE, coin, pc, got if exact_in else paid)
    return None


def test_every_recorded_swap_of_the_real_program(machine: Machine) -> None:
    folder = data_dir() / "accounts" / "raydium_amm_v4" / "sol_usdc"
    snapshot = recorded(folder)
    address = Pubkey.from_string(json.loads((folder / "amm_id.json").read_text())["pubkey"])
    keys = amm_v4_accounts.read_pool(address, bytes(snapshot[address].data))
    assert amm_v4_accounts.AUTHORITY in snapshot
    pool = Pool(machine, keys, (Pubkey.new_unique(), Pubkey.new_unique()))
    rows = 0
    with (data_dir() / "golden" / "raydium_amm_v4_sol_usdc.csv").open() as file_:
        for row in csv.DictReader(file_):
            for key, value in snapshot.items():
                machine.svm.set_account(key, value)
            pool.fill_user()
            side = 0 if row["coin_to_pc"] == "1" else 1
            result = machine.send(pool.swap(side, row["exact_in"] == "1", int(row["amount"])))
            paid = USER_BALANCE - machine.amount(pool.accounts[side])
            received = machine.amount(pool.accounts[1 - side]) - USER_BALANCE
            assert (paid, received) == (int(row["amount_in"]), int(row["amount_out"])), (row, result)
            assert result.logs()[1] == "Program log: sniperforge emulation of Raydium AMM v4"
            assert result.compute_units_consumed() < 40_000
            rows += 1
    assert rows >= 75


@pytest.mark.parametrize("seed", range(4))
def test_random_swaps_agree_with_the_reference(machine: Machine, seed: int) -> None:
    rng = random.Random(seed)

    def size(bits: int) -> int:
        return rng.getrandbits(rng.randrange(1, bits + 1))

    done = 0
    for _ in range(500):
        vaults = (size(64), size(64))
        owed = (rng.randrange(vaults[0] + 1), rng.randrange(vaults[1] + 1)) if rng.random() < 0.4 else (0, 0)
        if rng.random() < 0.05:
            owed = (size(64), size(64))
        fee = rng.choice([(25, 10_000), (0, 1), (1, 3), (9_999, 10_000), (0, 0), (7, 5), (5, 5), (size(40), size(40))])
        terms = Terms(vaults, owed, (25, 10_000) if rng.random() < 0.5 else fee)
        side, exact_in = rng.randrange(2), rng.random() < 0.5
        scale = max(terms.vaults[side] if exact_in else terms.vaults[1 - side], 1)
        amount = rng.choice([size(64), rng.randrange(scale), scale // 1000, rng.choice([0, 1, scale, U64 - 1])])
        limit = 0 if exact_in else U64 - 1
        if rng.random() < 0.3:
            limit = size(64)
        done += check(machine, terms, side, exact_in, amount, limit) is None
    assert done > 100


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("exact_in", [True, False])
def test_slippage_limit_is_exact(machine: Machine, side: int, exact_in: bool) -> None:
    paid, got, _ = reference(Terms(), side, exact_in, 10**8, 0 if exact_in else U64 - 1)
    edge, beyond = (got, got + 1) if exact_in else (paid, paid - 1)
    assert check(machine, Terms(), side, exact_in, 10**8, edge) is None
    assert check(machine, Terms(), side, exact_in, 10**8, beyond) == EXCEEDED_SLIPPAGE


@pytest.mark.parametrize(
    ("terms", "exact_in", "amount", "code"),
    [
        *[(Terms(status=status), True, 10**6, INVALID_STATUS) for status in range(6)],
        (Terms(status=8), True, 10**6, PANIC),
        (Terms(status=7, open_time=NOW + 1), True, 10**6, INVALID_STATUS),
        (Terms(status=7, open_time=NOW), True, 10**6, None),
        (Terms(status=7), False, 10**6, None),
        (Terms(owed=(10**12 + 1, 0)), True, 10**6, SUB_OVERFLOW),
        (Terms(), True, 0, INVALID_INPUT),
        (Terms(), True, 1, INVALID_INPUT),  # the fee takes it all
        (Terms(), False, 0, INVALID_INPUT),
        (Terms(), False, 10**11, PANIC),
        (Terms(), True, USER_BALANCE + 1, INSUFFICIENT_FUNDS),
        (Terms(vaults=(0, 10**6), fee=(0, 1)), True, 5, INSUFFICIENT_FUNDS),  # an empty side gives all
    ],
)
def test_refusals(machine: Machine, terms: Terms, exact_in: bool, amount: int, code: int | None) -> None:
    if terms.status == 8:
        pool = open_pool(machine, terms)
        assert error_code(machine.send(pool.swap(0, exact_in, amount))) == code
        return
    assert check(machine, terms, 0, exact_in, amount, 0 if exact_in else U64 - 1) == code


def test_two_swaps_in_one_transaction_and_a_later_failure(machine: Machine) -> None:
    terms = Terms()
    pool = open_pool(machine, terms)
    paid, got, _ = reference(terms, 0, True, 10**8, 0)
    after = replace(terms, vaults=(terms.vaults[0] + paid, terms.vaults[1] - got))
    back, again, _ = reference(after, 1, False, 10**6, U64 - 1)
    before = pool.snapshot()
    refused = machine.send(pool.swap(0, True, 10**8), pool.swap(1, True, 10**6, 10**9))
    assert error_code(refused) == EXCEEDED_SLIPPAGE and refused.err().index == 1
    assert pool.snapshot() == before
    assert error_code(machine.send(pool.swap(0, True, 10**8), pool.swap(1, False, 10**6))) is None
    assert machine.amount(pool.accounts[0]) == USER_BALANCE - paid + again
    assert machine.amount(pool.accounts[1]) == USER_BALANCE + got - back


def test_wrong_accounts_are_refused(machine: Machine) -> None:
    pool, other = open_pool(machine, Terms()), open_pool(machine, Terms())
    before, before_other = pool.snapshot(), other.snapshot()

    def place(data: bytes, owner: Pubkey) -> Pubkey:
        machine.svm.set_account(address := Pubkey.new_unique(), Account(10**10, data, owner))
        return address

    forged = place(machine.data(pool.keys.pool), TOKEN_PROGRAM_ID)  # right bytes, other owner
    short = place(machine.data(pool.keys.pool)[:751], PROGRAM_ID)
    user = machine.user.pubkey()
    tokens = machine.data(pool.accounts[0])
    newer_tokens = place(tokens, TOKEN_2022_PROGRAM_ID)
    closed_tokens = place(bytes(165), TOKEN_PROGRAM_ID)
    mint_sized = place(bytes(82), TOKEN_PROGRAM_ID)
    strangers_tokens = Pubkey.new_unique()
    machine.svm.set_account(
        strangers_tokens, token_account(pool.keys.mints[0], Pubkey.new_unique(), USER_BALANCE, TOKEN_PROGRAM_ID)
    )
    good = pool.swap(0, True, 10**6)
    cases = [
        (0, ro(TOKEN_2022_PROGRAM_ID), 38),
        (1, rw(forged), 27),
        (1, rw(short), EXPECTED_ACCOUNT),
        (1, rw(Pubkey.new_unique()), 27),
        (1, rw(other.keys.pool), 4),  # the vaults are not of that pool
        (1, ro(pool.keys.pool), PANIC),  # the runtime: it may not be changed
        (2, ro(Pubkey.new_unique()), 1),
        (5, rw(other.keys.vaults[0]), 4),
        (5, rw(pool.keys.vaults[1]), 4),
        (6, rw(other.keys.vaults[1]), 5),
        (15, rw(pool.keys.vaults[0]), INVALID_USER_TOKEN),
        (16, rw(pool.keys.vaults[1]), INVALID_USER_TOKEN),
        (15, rw(newer_tokens), 38),
        (15, rw(closed_tokens), EXPECTED_ACCOUNT),
        (15, rw(mint_sized), EXPECTED_ACCOUNT),
        (15, rw(other.accounts[0]), INVALID_USER_TOKEN),
        (15, rw(pool.accounts[1]), INVALID_USER_TOKEN),
        (15, rw(strangers_tokens), 4),  # the token program: OwnerMismatch
        (16, rw(pool.accounts[0]), INVALID_USER_TOKEN),
        (16, rw(other.accounts[1]), INVALID_USER_TOKEN),
        (17, ro(Pubkey.new_unique()), 21),
    ]
    for at, meta, code in cases:
        assert error_code(machine.send(changed(good, at, meta))) == code, (at, code)
    accounts = list(good.accounts)
    for wrong in (accounts[:16], [*accounts, ro(user)], []):
        result = machine.send(Instruction(PROGRAM_ID, bytes(good.data), wrong))
        assert error_code(result) == WRONG_ACCOUNTS_NUMBER
    for data in (b"", b"\x09", bytes(good.data)[:16], b"\x01" + bytes(good.data)[1:]):
        result = machine.send(Instruction(PROGRAM_ID, data, accounts))
        assert "InvalidInstructionData" in str(result.err())
    assert (pool.snapshot(), other.snapshot()) == (before, before_other)
    without_target_orders = Instruction(PROGRAM_ID, bytes(good.data) + b"!", accounts[:4] + accounts[5:])
    assert error_code(machine.send(without_target_orders)) is None
