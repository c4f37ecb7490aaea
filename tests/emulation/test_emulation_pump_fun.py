"""The emulated pump.fun bonding curve inside LiteSVM: against the recorded results of the real program of
January 2025 and a captured transaction, and against a plain big-integer reference."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import pump_fun_accounts
from sniperforge.simnet.pump_fun_accounts import GLOBAL, PROGRAM_ID, TOKEN_PROGRAM_ID, CurveKeys
from tests.data import data_dir
from tests.emulation.accounts_changed import changed, ro, rw
from tests.emulation.cpmm_machine import TOKEN_2022_PROGRAM_ID, Machine, error_code, mint_data, token_account

NOW = 1_736_800_000
U64 = 1 << 64
PANIC = -1
TOO_MUCH_SOL, TOO_LITTLE_SOL, COMPLETE, NOT_AUTHORIZED = 6002, 6003, 6005, 6000
USER_TOKENS = 1 << 62
RENT = 10**10
FEE_RECIPIENT = Pubkey.new_unique()
NETWORK_FEE = 5000


class Refused(Exception):
    """The program refuses the trade with this code; PANIC when it stops without one."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Terms:
    """A curve: virtual tokens and SOL, real tokens and SOL."""

    virtual: tuple[int, int] = (1_070_419_577_927_421, 30_072_319_932)
    real: tuple[int, int] = (790_519_577_927_421, 72_319_932)
    complete: bool = False
    fee: int = 100


@dataclass(frozen=True)
class Traded:
    sol: int
    fee: int
    after: tuple[int, int, int, int]


def reference(terms: Terms, buy: bool, tokens: int, limit: int) -> Traded:
    """What a trade moves and leaves behind; raises Refused."""
    (vt, vs), (rt, rs) = terms.virtual, terms.real
    left = vt - tokens if buy else vt + tokens
    if left < 0 or left == 0:
        raise Refused(PANIC)
    sol = (tokens * vs // left) % U64 + buy
    if sol == U64:
        raise Refused(PANIC)
    fee = (sol * terms.fee // 10_000) % U64
    total = sol + fee if buy else sol - fee
    if not 0 <= total < U64:
        raise Refused(PANIC)
    if buy and total > limit:
        raise Refused(TOO_MUCH_SOL)
    if not buy and total < limit:
        raise Refused(TOO_LITTLE_SOL)
    if terms.complete:
        raise Refused(COMPLETE)
    sign = 1 if buy else -1
    after = (vt - sign * tokens, vs + sign * sol, rt - sign * tokens, rs + sign * sol)
    if min(after) < 0 or max(after) >= U64:
        raise Refused(PANIC)
    return Traded(sol, fee, after)


@dataclass
class Curve:
    """One curve on a machine, and the user's token account."""

    machine: Machine
    keys: CurveKeys
    tokens: Pubkey

    def trade(self, buy: bool, tokens: int, limit: int | None = None) -> Instruction:
        common: dict[str, Any] = {
            "user": self.machine.user.pubkey(),
            "user_tokens": self.tokens,
            "fee_recipient": FEE_RECIPIENT,
        }
        if buy:
            limit = U64 - 1 if limit is None else limit
            return pump_fun_accounts.buy_instruction(self.keys, tokens=tokens, max_sol=limit, **common)
        return pump_fun_accounts.sell_instruction(self.keys, tokens=tokens, min_sol=limit or 0, **common)

    def lamports(self) -> tuple[int, int, int]:
        """Of the user, the curve and the fee recipient."""
        svm = self.machine.svm
        user, curve, fees = (svm.get_balance(k) for k in (self.machine.user.pubkey(), self.keys.curve, FEE_RECIPIENT))
        assert user is not None and curve is not None and fees is not None
        return user, curve, fees

    def snapshot(self) -> list[bytes]:
        return [self.machine.data(a) for a in (self.keys.curve, self.keys.curve_tokens, self.tokens)]


def set_global(machine: Machine, fee: int) -> None:
    data = pump_fun_accounts.global_data(authority=Pubkey.default(), fee_recipient=FEE_RECIPIENT, fee_basis_points=fee)
    machine.svm.set_account(GLOBAL, Account(RENT, data, PROGRAM_ID))


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    machine = Machine()
    machine.set_time(NOW)
    machine.svm.set_account(FEE_RECIPIENT, Account(RENT, b"", Pubkey.default()))
    yield machine


def open_curve(machine: Machine, terms: Terms) -> Curve:
    set_global(machine, terms.fee)
    keys = pump_fun_accounts.derive_curve(Pubkey.new_unique())
    data = pump_fun_accounts.curve_data(
        virtual_tokens=terms.virtual[0], virtual_sol=terms.virtual[1], real_tokens=terms.real[0],
        real_sol=terms.real[1], complete=terms.complete,
    )  # fmt: skip
    svm = machine.svm
    svm.set_account(machine.user.pubkey(), Account(1 << 62, b"", Pubkey.default()))
    svm.set_account(FEE_RECIPIENT, Account(RENT, b"", Pubkey.default()))
    svm.set_account(keys.mint, Account(RENT, mint_data(None), TOKEN_PROGRAM_ID))
    svm.set_account(keys.curve, Account(RENT + terms.real[1], data, PROGRAM_ID))
    svm.set_account(keys.curve_tokens, token_account(keys.mint, keys.curve, terms.real[0], TOKEN_PROGRAM_ID))
    curve = Curve(machine, keys, Pubkey.new_unique())
    svm.set_account(curve.tokens, token_account(keys.mint, machine.user.pubkey(), USER_TOKENS, TOKEN_PROGRAM_ID))
    return curve


def events(logs: list[str]) -> list[bytes]:
    return [base64.b64decode(line[14:]) for line in logs if line.startswith("Program data: ")]


def discriminator(name: str) -> bytes:
    return hashlib.sha256(f"event:{name}".encode()).digest()[:8]


def check(machine: Machine, terms: Terms, buy: bool, tokens: int, limit: int) -> int | None:
    """Runs one trade on a fresh curve and compares everything with the reference; the code it got."""
    curve = open_curve(machine, terms)
    before, lamports = curve.snapshot(), curve.lamports()
    expected, code = None, None
    try:
        expected = reference(terms, buy, tokens, limit)
    except Refused as refused:
        code = refused.code
    result = machine.send(curve.trade(buy, tokens, limit))
    assert error_code(result) == code, (terms, buy, tokens, limit, result)
    if expected is None:
        assert curve.snapshot() == before and curve.lamports()[1:] == lamports[1:]
        return code
    sign = 1 if buy else -1
    sol, fee = expected.sol, expected.fee
    user_change = -(sol + fee) if buy else sol - fee
    curve_change = sol if buy else -sol
    changes = [after - old for after, old in zip(curve.lamports(), lamports, strict=True)]
    assert changes == [user_change - NETWORK_FEE, curve_change, fee]
    assert machine.amount(curve.tokens) - USER_TOKENS == sign * tokens
    assert machine.amount(curve.keys.curve_tokens) - terms.real[0] == -sign * tokens
    vt, vs, rt, rs = expected.after
    complete = buy and rt == 0
    state = machine.data(curve.keys.curve)
    assert struct.unpack_from("<4Q", state, 8) == expected.after and state[48] == complete
    user = bytes(machine.user.pubkey())
    trade = discriminator("TradeEvent") + bytes(curve.keys.mint) + struct.pack("<QQ?", sol, tokens, buy) + user
    wanted = [trade + struct.pack("<q4Q", NOW, vs, vt, rs, rt)]
    if complete:
        head = discriminator("CompleteEvent") + user + bytes(curve.keys.mint) + bytes(curve.keys.curve)
        wanted.insert(0, head + struct.pack("<q", NOW))
    assert events(result.logs()) == wanted
    inner = [i.instruction() for group in result.inner_instructions() for i in group]
    sent = [bytes(i.data) for i in inner if bytes(i.data)[:8] == bytes.fromhex("e445a52e51cb9a1d")]
    assert [data[8:] for data in sent] == wanted
    return None


def test_every_recorded_trade_of_the_real_program(machine: Machine) -> None:
    dump = json.loads((data_dir() / "accounts" / "pump_fun" / "global_2025q1.json").read_text())
    global_bytes = base64.b64decode(dump["account"]["data"][0])
    assert dump["pubkey"] == str(GLOBAL)
    authority, recipient = (Pubkey.from_bytes(global_bytes[i : i + 32]) for i in (9, 41))
    assert global_bytes == pump_fun_accounts.global_data(
        authority=authority, fee_recipient=recipient, fee_basis_points=100
    )
    rows = 0
    with (data_dir() / "golden" / "pump_fun_curve_2025q1.csv").open() as file_:
        for row in csv.DictReader(file_):
            vt, vs = int(row["pre_vt"]), int(row["pre_vs"])
            curve = open_curve(machine, Terms(virtual=(vt, vs), real=(vt - 279_900_000_000_000, vs - 30_000_000_000)))
            buy, before = row["side"] == "buy", curve.lamports()
            result = machine.send(curve.trade(buy, int(row["tokens"])))
            assert error_code(result) is None, (row, result)
            user, held, fees = (after - old for after, old in zip(curve.lamports(), before, strict=True))
            sol, paid = int(row["sol_curve"]), int(row["sol_user"])
            assert (held, fees) == (sol if buy else -sol, int(row["fee"])), row
            assert user + NETWORK_FEE == (-paid if buy else paid), row
            state = struct.unpack_from("<QQ", machine.data(curve.keys.curve), 8)
            assert state == (int(row["post_vt"]), int(row["post_vs"])), row
            assert result.logs()[1] == "Program log: sniperforge emulation of pump.fun, January 2025"
            assert result.compute_units_consumed() < 60_000
            rows += 1
    assert rows >= 60


def test_a_captured_buy_and_sale(machine: Machine) -> None:
    path = data_dir() / "tx" / "pump_fun" / "2024_raw_buy_tx_from_getTransaction.json"
    captured = events(json.loads(path.read_text())["result"]["meta"]["logMessages"])
    assert len(captured) == 2
    sol, tokens = struct.unpack_from("<QQ", captured[0], 40)
    vs, vt, rs, rt = struct.unpack_from("<4Q", captured[0], 97)
    curve = open_curve(machine, Terms(virtual=(vt + tokens, vs - sol), real=(rt + tokens, rs - sol)))
    result = machine.send(curve.trade(True, tokens), curve.trade(False, tokens))
    assert error_code(result) is None
    found = events(result.logs())
    for mine, theirs in zip(found, captured, strict=True):
        assert (mine[:8], mine[40:57], mine[97:]) == (theirs[:8], theirs[40:57], theirs[97:])


@pytest.mark.parametrize("seed", range(4))
def test_random_trades_agree_with_the_reference(machine: Machine, seed: int) -> None:
    rng = random.Random(seed)

    def size(bits: int) -> int:
        return rng.getrandbits(rng.randrange(1, bits + 1))

    done = 0
    for _ in range(400):
        terms = Terms(complete=rng.random() < 0.03)
        if rng.random() < 0.5:
            real = (size(60), size(58))
            terms = Terms(
                (real[0] + size(60), real[1] + size(60)), real, False, rng.choice([0, 1, 100, 10_000, size(14)])
            )
        buy = rng.random() < 0.5
        scale = terms.real[0] or 1
        choices = [size(61), rng.randrange(scale), rng.randrange(scale // 1000 + 1), rng.choice([0, 1, scale])]
        tokens = rng.choice(choices)
        limit = size(60) if rng.random() < 0.3 else (1 << 61 if buy else 0)
        done += check(machine, terms, buy, tokens, limit) is None
    assert done > 100


@pytest.mark.parametrize("buy", [True, False])
def test_slippage_limit_is_exact(machine: Machine, buy: bool) -> None:
    done = reference(Terms(), buy, 10**11, U64 - 1 if buy else 0)
    edge = done.sol + done.fee if buy else done.sol - done.fee
    assert check(machine, Terms(), buy, 10**11, edge) is None
    beyond = check(machine, Terms(), buy, 10**11, edge - 1 if buy else edge + 1)
    assert beyond == (TOO_MUCH_SOL if buy else TOO_LITTLE_SOL)


def test_the_last_tokens_complete_the_curve(machine: Machine) -> None:
    terms = Terms()
    assert check(machine, terms, True, terms.real[0], U64 - 1) is None
    assert check(machine, terms, True, terms.real[0] + 1, U64 - 1) == PANIC
    curve = open_curve(machine, terms)
    assert error_code(machine.send(curve.trade(True, terms.real[0]))) is None
    for buy in (True, False):
        assert error_code(machine.send(curve.trade(buy, 10**6))) == COMPLETE


def test_a_later_failure_reverts_everything(machine: Machine) -> None:
    curve = open_curve(machine, Terms())
    before, lamports = curve.snapshot(), curve.lamports()
    result = machine.send(curve.trade(True, 10**10), curve.trade(False, 10**10, 10**12))
    assert error_code(result) == TOO_LITTLE_SOL and result.err().index == 1
    assert curve.snapshot() == before and curve.lamports()[1:] == lamports[1:]


def test_a_user_without_enough_sol(machine: Machine) -> None:
    curve = open_curve(machine, Terms())
    machine.svm.set_account(machine.user.pubkey(), Account(10**9, b"", Pubkey.default()))
    assert error_code(machine.send(curve.trade(True, 10**14))) == 1  # the system program


@pytest.mark.parametrize("buy", [True, False])
def test_wrong_accounts_are_refused(machine: Machine, buy: bool) -> None:
    curve, other = open_curve(machine, Terms()), open_curve(machine, Terms())
    before, before_other = curve.snapshot(), other.snapshot()

    def place(data: bytes, owner: Pubkey) -> Pubkey:
        machine.svm.set_account(address := Pubkey.new_unique(), Account(RENT, data, owner))
        return address

    keys, empty = curve.keys, Pubkey.new_unique()
    copied_global = place(machine.data(GLOBAL), PROGRAM_ID)
    forged_curve = place(machine.data(keys.curve), TOKEN_PROGRAM_ID)
    copied_curve = place(machine.data(keys.curve), PROGRAM_ID)
    own_vault = place(machine.data(keys.curve_tokens), TOKEN_PROGRAM_ID)
    newer_tokens = place(machine.data(curve.tokens), TOKEN_2022_PROGRAM_ID)
    stranger = place(bytes(700), PROGRAM_ID)
    good = curve.trade(buy, 10**9)
    user = machine.user.pubkey()
    cases = [
        (0, ro(copied_global), 2006),
        (0, ro(empty), 3012),
        (0, ro(keys.curve), 3002),
        (1, ro(FEE_RECIPIENT), 2000),
        (1, rw(empty), NOT_AUTHORIZED),
        (2, ro(other.keys.mint), 2006),  # the curve is not of that mint
        (2, ro(empty), 3012),
        (3, rw(forged_curve), 3007),
        (3, rw(copied_curve), 2006),
        (3, rw(stranger), 3002),
        (3, rw(other.keys.curve), 2006),
        (3, ro(keys.curve), 2000),
        (4, rw(own_vault), 2006),
        (4, rw(other.keys.curve_tokens), 2006),
        (4, ro(keys.curve_tokens), 2000),
        (5, rw(newer_tokens), 3007),
        (5, rw(empty), 3012),
        (5, rw(other.tokens), 3),  # the token program: another mint
        (5, ro(curve.tokens), 2000),
        (6, rw(Pubkey.new_unique()), 3010),
        (7, ro(TOKEN_PROGRAM_ID), 3008),
        (8, ro(TOKEN_2022_PROGRAM_ID), 3008),
        (9, ro(TOKEN_2022_PROGRAM_ID), 3015 if buy else 3008),
        (10, ro(empty), 2006),
    ]
    for at, meta, code in cases:
        assert error_code(machine.send(changed(good, at, meta))) == code, (at, code)
    missing = Instruction(PROGRAM_ID, bytes(good.data), list(good.accounts)[:11])
    assert error_code(machine.send(missing)) == 3005
    for data, code in ((b"", 101), (bytes(24), 101), (bytes(good.data)[:23], 102)):
        assert error_code(machine.send(Instruction(PROGRAM_ID, data, good.accounts))) == code
    assert (curve.snapshot(), other.snapshot()) == (before, before_other)
    extra = Instruction(PROGRAM_ID, bytes(good.data) + b"!", [*good.accounts, ro(user)])
    assert error_code(machine.send(extra)) is None


def test_nobody_else_can_send_it_an_event(machine: Machine) -> None:
    data = bytes.fromhex("e445a52e51cb9a1d") + bytes(129)
    event_authority = pump_fun_accounts.EVENT_AUTHORITY
    signer = AccountMeta(machine.user.pubkey(), is_signer=True, is_writable=True)
    for accounts, code in (([], 3005), ([ro(event_authority)], 2002), ([signer], 2006)):
        assert error_code(machine.send(Instruction(PROGRAM_ID, data, accounts))) == code
