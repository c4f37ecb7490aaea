"""The emulated Raydium CPMM inside LiteSVM: against the recorded results of the real program, and
against a plain big-integer reference written from the program's source."""

from __future__ import annotations

import csv
import json
import random
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import cpmm_accounts, sbf
from sniperforge.simnet.cpmm_accounts import TOKEN_PROGRAM_ID
from tests.data import data_dir
from tests.emulation.accounts_changed import changed, ro, rw
from tests.emulation.cpmm_machine import (
    EPOCH,
    TOKEN_2022_PROGRAM_ID,
    Machine,
    Pool,
    error_code,
    open_pool,
    recorded,
    swap_event,
    token_account,
)
from tests.emulation.cpmm_reference import (
    EXCEEDED_SLIPPAGE,
    INVALID_VAULT,
    NOT_APPROVED,
    NOW,
    PANIC,
    REQUIRE_GT,
    U64,
    USER_BALANCE,
    ZERO_TRADING_TOKENS,
    Refused,
    Swapped,
    Terms,
    TransferFee,
    swap,
)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    yield Machine()


@pytest.fixture(autouse=True)
def usual_time(machine: Machine) -> None:
    machine.set_time(NOW)


def check(machine: Machine, terms: Terms, side: int, exact_in: bool, amount: int, limit: int) -> int | None:
    """Runs one swap on a fresh pool and compares everything with the reference; the code it got."""
    pool = open_pool(machine, terms)
    before = pool.snapshot()
    try:
        expected: Swapped | None = swap(terms, side, exact_in, amount, limit)
        code = None
    except Refused as refused:
        expected, code = None, refused.code
    result = machine.send(pool.swap(side, exact_in, amount, limit))
    assert error_code(result) == code, (terms, side, exact_in, amount, limit, result)
    if expected is None:
        assert pool.snapshot() == before
        return code
    assert USER_BALANCE - machine.amount(pool.accounts[side]) == expected.paid
    assert machine.amount(pool.accounts[1 - side]) - USER_BALANCE == expected.received
    state = machine.data(pool.keys.pool)
    fees = struct.unpack_from("<4Q", state, 341) + struct.unpack_from("<2Q", state, 397)
    assert (fees[:2], fees[2:4], fees[4:]) == expected.fees
    assert int.from_bytes(state[381:389], "little") == EPOCH
    address, event = swap_event(result.logs())
    assert address == bytes(pool.keys.pool) and event == expected.event
    return None


def test_every_recorded_swap_of_the_real_program(machine: Machine) -> None:
    folder: Path = data_dir() / "accounts" / "raydium_cpmm" / "sol_usdc"
    snapshot = recorded(folder)
    address = Pubkey.from_string(json.loads((folder / "sol_usdc_pool_state.json").read_text())["pubkey"])
    keys = cpmm_accounts.read_pool(address, bytes(snapshot[address].data))
    accounts = (Pubkey.new_unique(), Pubkey.new_unique())
    pool = Pool(machine, keys, accounts)
    rows = 0
    with (data_dir() / "golden" / "raydium_cpmm_sol_usdc.csv").open() as file_:
        for row in csv.DictReader(file_):
            for key, value in snapshot.items():
                machine.svm.set_account(key, value)
            for i in (0, 1):
                user = token_account(keys.mints[i], machine.user.pubkey(), USER_BALANCE, TOKEN_PROGRAM_ID)
                machine.svm.set_account(accounts[i], user)
            side = 0 if row["zero_for_one"] == "1" else 1
            result = machine.send(pool.swap(side, row["exact_in"] == "1", int(row["amount"])))
            paid = USER_BALANCE - machine.amount(accounts[side])
            received = machine.amount(accounts[1 - side]) - USER_BALANCE
            assert (paid, received) == (int(row["amount_in"]), int(row["amount_out"])), (row, result)
            assert result.logs()[1] == "Program log: sniperforge emulation of Raydium CPMM"
            assert result.compute_units_consumed() < 60_000
            rows += 1
    assert rows >= 75
    assert error_code(machine.send(pool.swap(0, True, 5))) == REQUIRE_GT  # rounds to zero


def random_terms(rng: random.Random) -> Terms:
    def size(bits: int) -> int:
        return rng.getrandbits(rng.randrange(1, bits + 1)) + 1

    def fee() -> TransferFee | None:
        if rng.random() < 0.5:
            return None
        points = rng.choice([0, 1, 100, 3333, 9999, 10_000, rng.randrange(10_001)])
        return TransferFee(points, rng.choice([0, size(20), size(62), U64 - 1]))

    vaults = (size(62), size(62))

    def owed() -> tuple[int, int]:
        return (rng.randrange(vaults[0] // 4 + 1), rng.randrange(vaults[1] // 4 + 1))

    with_fees = rng.random() < 0.5
    protocol = rng.randrange(600_001)
    return Terms(
        vaults=vaults,
        trade_rate=rng.choice([0, 1, 2500, rng.randrange(300_000)]),
        protocol_rate=protocol,
        fund_rate=rng.randrange(1_000_001 - protocol),
        creator_rate=rng.choice([0, 500, rng.randrange(300_000)]),
        creator_fee_on=rng.randrange(3),
        enable_creator_fee=rng.random() < 0.7,
        protocol_fees=owed() if with_fees else (0, 0),
        fund_fees=owed() if with_fees else (0, 0),
        creator_fees=owed() if with_fees else (0, 0),
        transfer_fees=(fee(), fee()),
    )


@pytest.mark.parametrize("seed", range(8))
def test_random_swaps_agree_with_the_reference(machine: Machine, seed: int) -> None:
    rng = random.Random(seed)
    done = 0
    for _ in range(500):
        terms = random_terms(rng)
        side, exact_in = rng.randrange(2), rng.random() < 0.5
        x, y = terms.reserves(side)
        scale = x if exact_in else y
        amount = rng.choice([rng.getrandbits(rng.randrange(1, 64)), rng.randrange(2 * scale), scale // 1000])
        limit = 0 if exact_in else U64 - 1
        if rng.random() < 0.3:
            limit = rng.getrandbits(rng.randrange(1, 64))
        done += check(machine, terms, side, exact_in, amount, limit) is None
    assert done > 100


@pytest.mark.parametrize("creator_fee_on", [0, 1, 2])
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("exact_in", [True, False])
def test_every_fee_at_once(machine: Machine, creator_fee_on: int, side: int, exact_in: bool) -> None:
    terms = Terms(
        creator_rate=500, creator_fee_on=creator_fee_on, enable_creator_fee=True,
        protocol_fees=(11, 22), fund_fees=(33, 44), creator_fees=(55, 66),
        transfer_fees=(TransferFee(100, 10**6), TransferFee(250, U64 - 1)),
    )  # fmt: skip
    limit = 0 if exact_in else U64 - 1
    assert check(machine, terms, side, exact_in, 123_456_789, limit) is None


@pytest.mark.parametrize("exact_in", [True, False])
def test_slippage_limit_is_exact(machine: Machine, exact_in: bool) -> None:
    done = swap(Terms(), 0, exact_in, 10**8, 0 if exact_in else U64 - 1)
    edge, beyond = (done.received, done.received + 1) if exact_in else (done.paid, done.paid - 1)
    assert check(machine, Terms(), 0, exact_in, 10**8, edge) is None
    assert check(machine, Terms(), 0, exact_in, 10**8, beyond) == EXCEEDED_SLIPPAGE


@pytest.mark.parametrize(
    ("terms", "exact_in", "amount", "code"),
    [
        (Terms(status=4), True, 10**6, NOT_APPROVED),
        (Terms(status=3), True, 10**6, None),
        (Terms(open_time=NOW + 1), True, 10**6, NOT_APPROVED),
        (Terms(open_time=NOW), True, 10**6, None),
        (Terms(), True, 0, REQUIRE_GT),
        (Terms(status=4), False, 0, REQUIRE_GT),  # checked before the status
        (Terms(status=4), True, 0, NOT_APPROVED),
        (Terms(vaults=(10**12, 10)), True, 1000, REQUIRE_GT),  # the output rounds to zero
        (Terms(vaults=(10, 10**12)), False, 10, REQUIRE_GT),  # the input rounds to zero
        (Terms(vaults=(10, 100)), False, 5, None),  # 10*5/95 is a half or more: costs 1
        (Terms(), False, 10**11, PANIC),  # all there is
        (Terms(trade_rate=0), True, 10**6, ZERO_TRADING_TOKENS),
        (Terms(transfer_fees=(TransferFee(10_000, U64 - 1), None)), True, 10**6, REQUIRE_GT),
        (Terms(transfer_fees=(None, TransferFee(10_000, U64 - 1))), True, 10**6, REQUIRE_GT),
        (Terms(transfer_fees=(None, TransferFee(10_000, 7))), False, 10**6, None),
    ],
)
def test_refusals(machine: Machine, terms: Terms, exact_in: bool, amount: int, code: int | None) -> None:
    assert check(machine, terms, 0, exact_in, amount, 0 if exact_in else U64 - 1) == code


def test_two_swaps_in_one_transaction(machine: Machine) -> None:
    terms = Terms()
    pool = open_pool(machine, terms)
    first = swap(terms, 0, True, 10**8, 0)
    owed = first.fees[0][0] + first.fees[1][0]
    after = replace(
        terms, vaults=(terms.vaults[0] + 10**8, terms.vaults[1] - first.received),
        protocol_fees=first.fees[0], fund_fees=first.fees[1],
    )  # fmt: skip
    assert after.reserves(0)[0] == terms.vaults[0] + 10**8 - owed
    second = swap(after, 1, False, 5 * 10**7, U64 - 1)
    result = machine.send(pool.swap(0, True, 10**8), pool.swap(1, False, 5 * 10**7))
    assert error_code(result) is None
    assert machine.amount(pool.accounts[0]) == USER_BALANCE - first.paid + second.received
    assert machine.amount(pool.accounts[1]) == USER_BALANCE + first.received - second.paid
    state = machine.data(pool.keys.pool)
    assert struct.unpack_from("<4Q", state, 341) == (*second.fees[0], *second.fees[1])
    assert result.compute_units_consumed() < 2 * 60_000


def test_a_later_failure_reverts_everything(machine: Machine) -> None:
    pool = open_pool(machine, Terms())
    before = pool.snapshot()
    result = machine.send(pool.swap(0, True, 10**8), pool.swap(1, True, 10**6, 10**9))
    assert error_code(result) == EXCEEDED_SLIPPAGE
    assert result.err().index == 1
    assert pool.snapshot() == before


def test_wrong_accounts_are_refused(machine: Machine) -> None:
    pool, other = open_pool(machine, Terms()), open_pool(machine, Terms())
    before, before_other = pool.snapshot(), other.snapshot()
    machine.svm.set_account(stranger := Pubkey.new_unique(), Account(10**10, bytes(700), cpmm_accounts.PROGRAM_ID))
    copied_config = Pubkey.new_unique()  # right bytes and owner, other address
    config = machine.svm.get_account(pool.keys.config)
    assert config is not None
    machine.svm.set_account(copied_config, config)
    forged_pool = Pubkey.new_unique()  # right bytes, other owner
    forged = Account(10**10, machine.data(pool.keys.pool), TOKEN_PROGRAM_ID)
    machine.svm.set_account(forged_pool, forged)
    empty = Pubkey.new_unique()
    user = machine.user.pubkey()
    good = pool.swap(0, True, 10**6)
    cases = [
        (0, ro(Pubkey.new_unique()), 3010),
        (1, ro(Pubkey.new_unique()), 2006),
        (2, ro(empty), 3012),
        (2, ro(pool.keys.mints[0]), 3007),
        (2, ro(stranger), 3002),
        (2, ro(copied_config), 2012),
        (3, rw(forged_pool), 3007),
        (3, rw(stranger), 3002),
        (3, rw(other.keys.pool), 2003),  # the vaults are not of that pool
        (3, ro(pool.keys.pool), 2000),
        (4, rw(empty), 3012),
        (4, rw(pool.keys.pool), 3007),
        (4, ro(pool.accounts[0]), 2000),
        (4, rw(other.accounts[0]), 3),  # the token program: another mint
        (5, rw(other.accounts[1]), 3),
        (6, rw(other.keys.vaults[0]), 2003),
        (6, rw(pool.keys.vaults[1]), 2012),  # now the input mint is not the vault's
        (7, rw(pool.keys.vaults[0]), 2012),
        (7, ro(pool.keys.vaults[1]), 2000),
        (8, ro(user), 3008),
        (9, ro(user), 3008),
        (8, ro(TOKEN_2022_PROGRAM_ID), PANIC),  # the token program refuses: not its account
        (10, ro(pool.keys.mints[1]), 2012),
        (11, ro(other.keys.mints[1]), 2012),
        (12, rw(other.keys.observation), 2012),
        (12, ro(pool.keys.observation), 2000),
        (12, rw(pool.keys.pool), 3002),
    ]
    for at, meta, code in cases:
        assert error_code(machine.send(changed(good, at, meta))) == code, (at, code)
    one_vault = changed(changed(good, 6, rw(pool.keys.vaults[1])), 10, ro(pool.keys.mints[1]))
    assert error_code(machine.send(one_vault)) == INVALID_VAULT
    missing = Instruction(good.program_id, bytes(good.data), list(good.accounts)[:12])
    assert error_code(machine.send(missing)) == 3005
    for data, code in ((b"", 101), (bytes(24), 101), (bytes(good.data)[:23], 102)):
        assert error_code(machine.send(Instruction(good.program_id, data, good.accounts))) == code
    assert (pool.snapshot(), other.snapshot()) == (before, before_other)
    extra = Instruction(good.program_id, bytes(good.data) + b"!", [*good.accounts, *good.accounts, ro(user)])
    assert error_code(machine.send(extra)) is None


def test_errors_are_logged_in_anchors_words(machine: Machine) -> None:
    pool = open_pool(machine, Terms())
    logs = machine.send(pool.swap(0, True, 10**6, U64 - 1)).meta().logs()
    assert (
        "Program log: AnchorError occurred. Error Code: ExceededSlippage. Error Number: 6005. "
        "Error Message: Exceeds desired slippage limit." in logs
    )
    wrong = changed(pool.swap(0, True, 10**6), 1, AccountMeta(Pubkey.new_unique(), False, False))
    assert (
        "Program log: AnchorError caused by account: authority. Error Code: ConstraintSeeds. "
        "Error Number: 2006. Error Message: A seeds constraint was violated." in machine.send(wrong).meta().logs()
    )


def test_prices_are_observed(machine: Machine) -> None:
    pool = open_pool(machine, Terms())
    entries = [[0, 0, 0] for _ in range(100)]
    index, last, vaults = 0, 0, Terms().vaults
    rng = random.Random(5)
    now = NOW
    for turn in range(260):
        machine.set_time(now)
        state = machine.data(pool.keys.pool)
        owed = struct.unpack_from("<4Q", state, 341)
        vaults = (machine.amount(pool.keys.vaults[0]), machine.amount(pool.keys.vaults[1]))
        x, y = vaults[0] - owed[0] - owed[2], vaults[1] - owed[1] - owed[3]
        if turn == 0:
            entries[0], last = [now, 0, 0], now
        elif now > last and now > entries[index][0]:
            at = index
            if now - entries[index][0] >= 15:
                at = (index + 1) % 100
            seconds = now - last
            entries[at] = [
                now if at != index else entries[index][0],
                entries[index][1] + (y << 32) // x * seconds,
                entries[index][2] + (x << 32) // y * seconds,
            ]
            index, last = at, now
        side = rng.randrange(2)
        assert error_code(machine.send(pool.swap(side, True, vaults[side] // 200))) is None
        data = machine.data(pool.keys.observation)
        found = [
            [
                struct.unpack_from("<Q", data, 43 + 40 * i)[0],
                int.from_bytes(data[51 + 40 * i : 67 + 40 * i], "little"),
                int.from_bytes(data[67 + 40 * i : 83 + 40 * i], "little"),
            ]
            for i in range(100)
        ]
        assert found == entries, turn
        assert struct.unpack_from("<BH", data, 8) == (1, index)
        assert struct.unpack_from("<Q", data, 4043)[0] == last
        now += rng.choice([0, 1, 7, 15, 16, 40])


PROXY = """
#include "sbf/sbf.h"

/* Calls the program given as first account with all other accounts and the same data. */
uint64_t
entrypoint( uint8_t * input ) {
  struct { sbf_account_t accounts[24]; sbf_meta_t metas[24]; sbf_instruction_t instruction; } * h = SBF_HEAP;
  sbf_parse( input, h->accounts, 24, &h->instruction );
  uint64_t count = h->instruction.account_count - 1;
  for( uint64_t i = 0; i < count; i++ ) {
    sbf_account_t const * a = h->accounts + 1 + i;
    h->metas[i] = ( sbf_meta_t ){ .key = a->key, .is_writable = a->is_writable, .is_signer = a->is_signer };
  }
  sbf_call_t call = { h->accounts[0].key, h->metas, count, h->instruction.data, h->instruction.data_len };
  return sol_invoke_signed_c( &call, h->accounts + 1, count, 0, 0 );
}
"""


def test_another_program_can_call_it(machine: Machine, tmp_path: Path) -> None:
    source = tmp_path / "proxy.c"
    source.write_text(PROXY)
    proxy = Pubkey.new_unique()
    machine.svm.add_program(proxy, sbf.link(sbf.compile_source(source), b""))
    terms = Terms()
    pool = open_pool(machine, terms)
    direct = pool.swap(0, True, 10**8)
    target = AccountMeta(cpmm_accounts.PROGRAM_ID, False, False)
    result = machine.send(Instruction(proxy, bytes(direct.data), [target, *direct.accounts]))
    assert error_code(result) is None, result
    expected = swap(terms, 0, True, 10**8, 0)
    assert machine.amount(pool.accounts[1]) - USER_BALANCE == expected.received
    assert swap_event(result.logs())[1] == expected.event
    refused = pool.swap(0, True, 10**8, U64 - 1)
    result = machine.send(Instruction(proxy, bytes(refused.data), [target, *refused.accounts]))
    assert error_code(result) == EXCEEDED_SLIPPAGE


def test_one_account_for_both_tokens_is_refused_by_the_token_program(machine: Machine) -> None:
    pool = open_pool(machine, Terms())
    same = changed(pool.swap(0, True, 10**6), 5, AccountMeta(pool.accounts[0], False, True))
    assert error_code(machine.send(same)) == 3  # MintMismatch
