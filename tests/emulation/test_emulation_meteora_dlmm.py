"""The emulated Meteora DLMM inside LiteSVM: against the recorded results of the real program's builds, and against
both the plain-integer reference and the C core; its arithmetic also by itself, as often as asked for."""

from __future__ import annotations

import base64
import csv
import json
import random
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import meteora_dlmm_accounts as accounts
from sniperforge.simnet import sbf
from sniperforge.simnet.meteora_dlmm_accounts import PROGRAM_ID, TOKEN_PROGRAM_ID, PairKeys
from sniperforge.venues import meteora_dlmm as dlmm
from sniperforge.venues.quote import Quote
from tests import emulation_differential, native_sbf
from tests.data import data_dir
from tests.emulation.accounts_changed import changed_key
from tests.emulation.cpmm_machine import EPOCH, TOKEN_2022_PROGRAM_ID, Machine, error_code, mint_data, token_account
from tests.emulation.cpmm_reference import TransferFee
from tests.unit import pump_captures
from tests.unit import test_venue_meteora_dlmm as unit

NOW = 1_790_000_000
U64 = 1 << 64
PANIC = -1
USER_BALANCE, RESERVE_BALANCE = 1 << 62, 1 << 63
INVALID_INPUT, SLIPPAGE, NO_ARRAY, OVERFLOW, NO_OUTPUT, DISABLED = 6002, 6003, 6009, 6018, 6039, 6042
OLDER_BUILD = '#define DLMM_OLDER 1\n#include "sbf/meteora_dlmm.c"\n'


@dataclass(frozen=True)
class Case:
    """A pair's accounts as bytes, and what the references make of them."""

    pair: bytes
    arrays: list[bytes]
    bitmap: bytes | None
    made: unit.Made

    @property
    def state(self) -> dlmm.State:
        """Without what only the token programs look at."""
        return replace(self.made.python, reserves=None, plain_accounts=(False, False))


def random_case(rng: random.Random) -> Case:
    """A pair of the unit test's generator, with its bytes."""
    kept: list[Case] = []

    def both(pair: bytes, arrays: list[bytes], bitmap: bytes | None, settings: dlmm.State, now: int) -> unit.Made:
        plain = replace(settings, reserves=None, plain_accounts=(False, False))
        kept.append(Case(pair, arrays, bitmap, in_both(pair, arrays, bitmap, plain, now)))
        return kept[0].made

    in_both = unit.both
    unit.both = both
    try:
        unit.made(rng)
    finally:
        unit.both = in_both
    return kept[0]


def quote_of(state: dlmm.State, x_to_y: bool, exact_out: bool, amount: int, now: int) -> Quote:
    return (state.quote_out if exact_out else state.quote_in)(x_to_y, amount, now)


# A swap that would bring a bin's own amount beyond 64 bits fails in the program, which the references do not look at
# and whose steps in C do not know what the other side of a bin holds: no mint has so many tokens, since a bin and the
# payer together hold at most its supply. Only a refusal in such a bin, made by random bytes, is let off; it is counted.
IMPOSSIBLE = "more than any supply"


def overflows(state: dlmm.State, x_to_y: bool, bin_id: int) -> bool:
    """Whether a bin has no room for all that buys its other side."""
    index, place = divmod(bin_id, dlmm.ARRAY_BINS)
    price = dlmm.price_of(bin_id, state.pair.bin_step)
    if index not in state.arrays or not price:
        return False
    at = state.arrays[index][place]
    held, empties = (at.x, -(-(at.y << 64) // price)) if x_to_y else (at.y, -(-at.x * price >> 64))
    return held + empties >= U64


def accepted(code: int, quote: Quote, state: dlmm.State, x_to_y: bool, ended: int | None = None) -> bool:
    """Whether this code of a refusal is what the quote says; `ended` is the bin in which the program was, if known."""
    if code == OVERFLOW != quote.error:
        way = range(-dlmm.ID_MAX, state.pair.active_id + 1) if x_to_y else range(state.pair.active_id, dlmm.ID_MAX + 1)
        loaded = (index * dlmm.ARRAY_BINS + place for index in state.arrays for place in range(dlmm.ARRAY_BINS))
        bins = [at for at in loaded if at in way] if ended is None else [ended]
        return any(overflows(state, x_to_y, at) for at in bins)
    if quote.status == "exhausted":
        return code == NO_ARRAY
    if quote.status == "ok":
        return False
    if quote.error == 0:  # nothing goes in, or nothing comes out: the references do not know the code
        return code in (INVALID_INPUT, NO_OUTPUT)
    # where the loaded arrays end and a transfer fee on what came in overflows, the reference says the latter
    return code == quote.error or (quote.error == OVERFLOW and code == NO_ARRAY)


# -- in the virtual machine -----------------------------------------------------------------------------


@dataclass
class Pair:
    """One pair on a machine, and the user's two token accounts."""

    machine: Machine
    keys: PairKeys
    users: tuple[Pubkey, Pubkey]
    arrays: list[int]
    program: Pubkey = PROGRAM_ID

    def swap(
        self,
        x_to_y: bool,
        exact_out: bool,
        amount: int,
        limit: int | None = None,
        *,
        older_form: bool = False,
        arrays: list[int] | None = None,
    ) -> Instruction:
        common: dict[str, Any] = {
            "user": self.machine.user.pubkey(),
            "user_accounts": self.users,
            "x_to_y": x_to_y,
            "arrays": self.arrays if arrays is None else arrays,
            "older_form": older_form,
        }
        if exact_out:
            most = U64 - 1 if limit is None else limit
            return accounts.swap_exact_out_instruction(self.keys, max_amount_in=most, amount_out=amount, **common)
        return accounts.swap_instruction(self.keys, amount_in=amount, minimum_amount_out=limit or 0, **common)

    def run(self, *instructions: Instruction) -> Any:
        """Sends them with as much of the machine's time as there is."""
        return self.machine.send(set_compute_unit_limit(1_400_000), *instructions)

    def balances(self) -> list[int]:
        return [self.machine.amount(a) for a in (*self.users, *self.keys.reserves)]

    def data(self) -> list[bytes]:
        return [self.machine.data(a) for a in (self.keys.pair, *map(self.keys.array, self.arrays))]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    yield Machine()


@pytest.fixture(scope="module")
def older_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """With the build of the program from before limit orders."""
    source = tmp_path_factory.mktemp("older") / "meteora_dlmm_older.c"
    source.write_text(OLDER_BUILD)
    machine = Machine()
    machine.svm.add_program(PROGRAM_ID, sbf.link(sbf.compile_source(source), b""))
    yield machine


def set_clock(machine: Machine, now: int, slot: int = 1) -> None:
    clock = machine.svm.get_clock()
    clock.unix_timestamp, clock.slot, clock.epoch = now, slot, EPOCH
    machine.svm.set_clock(clock)


def place_tokens(machine: Machine, keys: PairKeys, fees: tuple[TransferFee | None, ...], reserves: int) -> Pair:
    users = (Pubkey.new_unique(), Pubkey.new_unique())
    for i in (0, 1):
        mint, program = keys.mints[i], keys.token_programs[i]
        machine.svm.set_account(mint, Account(10**10, mint_data(fees[i]), program))
        machine.svm.set_account(keys.reserves[i], token_account(mint, keys.pair, reserves, program))
        user = token_account(mint, machine.user.pubkey(), USER_BALANCE, program)
        machine.svm.set_account(users[i], user)
    return Pair(machine, keys, users, [])


def place(machine: Machine, case: Case) -> Pair:
    """Puts a random pair's bytes on the machine, at an address that its own seeds give."""
    fees = tuple(
        TransferFee(basis_points=fee.bps, maximum=fee.maximum) if fee.bps else None for fee in case.state.transfer_fees
    )
    programs = tuple(TOKEN_PROGRAM_ID if fee is None else TOKEN_2022_PROGRAM_ID for fee in fees)
    mints = (Pubkey.new_unique(), Pubkey.new_unique())
    keys = accounts.derive_pair(mints=mints, step=1, base_factor=1, token_programs=(programs[0], programs[1]))
    keys = replace(keys, has_extension=case.bitmap is not None)
    data = bytearray(case.pair)
    # a permissionless pair is a customizable one without activation; its seeds are the easiest to have
    base_key, low, high = bytes(Pubkey.new_unique()), *sorted(map(bytes, mints))
    seeds = [base_key, low, high, *([bytes(data[73:75])] if data[75] == 1 else [])]
    if data[75] == 0:
        seeds = [low, high, bytes(data[73:75])]
    address, bump = Pubkey.find_program_address(seeds, PROGRAM_ID)
    keys = replace(keys, pair=address, bump=bump)
    data[72], data[83] = bump, 0
    data[88:216] = b"".join(map(bytes, (*keys.mints, *keys.reserves)))
    data[552:584], data[784:816] = bytes(keys.oracle), base_key
    if data[264]:  # it has rewards
        data[264:296] = b"\1" * 32
    machine.svm.set_account(keys.pair, Account(10**10, bytes(data), PROGRAM_ID))
    machine.svm.set_account(keys.oracle, Account(10**10, accounts.oracle_data(), PROGRAM_ID))
    pair = place_tokens(machine, keys, fees, RESERVE_BALANCE)
    if case.bitmap is not None:
        bitmap = case.bitmap[:8] + bytes(address) + case.bitmap[40:]
        machine.svm.set_account(keys.extension, Account(10**10, bitmap, PROGRAM_ID))
    for array in case.arrays:
        index = int(struct.unpack_from("<q", array, 8)[0])
        moved = array[:24] + bytes(address) + array[56:]
        machine.svm.set_account(keys.array(index), Account(10**10, moved, PROGRAM_ID))
        pair.arrays.append(index)
    return pair


def events_of(result: Any) -> list[bytes]:
    inner = (bytes(one.instruction().data) for group in result.inner_instructions() for one in group)
    return [data for data in inner if data[:8] == pump_captures.EVENT_TAG]


@dataclass(frozen=True)
class Traded:
    """What the event of a swap says, of either build."""

    bins: tuple[int, int]
    amounts: tuple[int, int]
    x_to_y: bool
    fee: int
    protocol_fee: int
    order_fee: int


def traded(event: bytes, newest: bool) -> Traded:
    bins = struct.unpack_from("<ii", event, 80)
    if newest:
        assert event[8:16].hex() == "2e7452d7941b544d" and len(event) == 163
        x_to_y, paid, left, received, fee, protocol, orders, host, on_input, in_x = struct.unpack_from(
            "<?16x7Q??", event, 88
        )
        assert (left, host, in_x) == (0, 0, on_input and x_to_y)
        return Traded(bins, (paid, received), x_to_y, fee, protocol, orders)
    assert event[8:16].hex() == "516ce3becdd00ac4" and len(event) == 145
    paid, received, x_to_y, fee, protocol, host = struct.unpack_from("<QQ?QQ16xQ", event, 88)
    assert host == 0
    return Traded(bins, (paid, received), x_to_y, fee, protocol, 0)


def check(pair: Pair, state: dlmm.State, x_to_y: bool, exact_out: bool, amount: int, limit: int | None) -> Quote:
    """One swap, everything compared with the reference, whose quote it returns."""
    quote = quote_of(state, x_to_y, exact_out, amount, pair.machine.svm.get_clock().unix_timestamp)
    before, data = pair.balances(), pair.data()
    result = pair.run(pair.swap(x_to_y, exact_out, amount, limit))
    what = (state.pair, state.newest, x_to_y, exact_out, amount, limit, quote, result)
    code = error_code(result)
    if code is None:
        assert quote.status == "ok", what
    elif quote.status == "ok":
        bad = limit is not None and (quote.amount_in > limit if exact_out else quote.amount_out < limit)
        rich = quote.amount_in <= USER_BALANCE and quote.amount_out <= RESERVE_BALANCE // 2
        assert code == SLIPPAGE if bad else not rich or accepted(code, quote, state, x_to_y), what
    else:
        assert accepted(code, quote, state, x_to_y), what
    if code is not None:
        assert (pair.balances(), pair.data()) == (before, data)
        return quote
    side = 0 if x_to_y else 1
    moved = [now - then for then, now in zip(before, pair.balances(), strict=True)]
    assert (-moved[side], moved[1 - side]) == (quote.amount_in, quote.amount_out), what
    (event,) = events_of(result)
    told = traded(event, state.newest)
    assert told.amounts == (moved[2 + side], -moved[3 - side]), what
    assert (told.bins, told.x_to_y) == ((state.pair.active_id, quote.tick), x_to_y)
    assert told.protocol_fee == quote.protocol_fee
    if not state.newest:
        assert told.fee == quote.fee
    check_pair_after(data[0], pair.data()[0], quote, x_to_y)
    return quote


def check_pair_after(before: bytes, after: bytes, quote: Quote, x_to_y: bool) -> None:
    fee_in_x = quote.fee_in_input == x_to_y and x_to_y
    counted = [
        (struct.unpack_from("<Q", after, at)[0] - struct.unpack_from("<Q", before, at)[0]) % U64 for at in (216, 224)
    ]
    assert counted == ([quote.protocol_fee, 0] if fee_in_x else [0, quote.protocol_fee])
    assert struct.unpack_from("<i", after, 76)[0] == quote.tick


@pytest.mark.parametrize("newest", [True, False])
def test_random_swaps_agree(machine: Machine, older_machine: Machine, newest: bool) -> None:
    rng = random.Random(newest)
    outcomes: Counter[str] = Counter()
    while sum(outcomes.values()) < 250:
        case = random_case(rng)
        if case.state.newest != newest or len(case.arrays) > 8:
            continue
        pair = place(machine if newest else older_machine, case)
        set_clock(pair.machine, case.made.now, case.state.slot)
        amount = rng.choice(list(unit.amounts(rng, case.made)))
        limit = rng.getrandbits(64) >> rng.randrange(64) if rng.randrange(4) == 0 else None
        quote = check(pair, case.state, rng.random() < 0.5, rng.random() < 0.5, amount, limit)
        outcomes[quote.status] += 1
    assert min(outcomes[status] for status in ("ok", "refused", "exhausted")) > 10, outcomes


def dumped(folder: Path) -> dict[str, tuple[Pubkey, Account]]:
    found = {}
    for path in folder.glob("*.json"):
        dump = json.loads(path.read_text())
        data, owner = base64.b64decode(dump["account"]["data"][0]), Pubkey.from_string(dump["account"]["owner"])
        found[path.stem] = Pubkey.from_string(dump["pubkey"]), Account(10**18, data, owner)
    return found


def test_every_recorded_swap_of_the_real_program(machine: Machine, older_machine: Machine) -> None:
    """Of both builds, with the code that each failed with."""
    done: Counter[str] = Counter()
    with (data_dir() / "golden" / "meteora_dlmm.csv").open() as file:
        for row in csv.DictReader(file):
            newest = row["program"] == "meteora_dlmm.so"
            pair = place_dump(machine if newest else older_machine, row["lb_pair"])
            set_clock(pair.machine, int(row["unix_time"]))
            x_to_y, exact_out = row["x_to_y"] == "1", row["exact_out"] == "1"
            result = pair.machine.send(pair.swap(x_to_y, exact_out, int(row["amount"])))
            if row["amount_in"] == "ERR":
                assert f"Custom({error_code(result)})" == row["amount_out"], (row, result)
                done[row["amount_out"]] += 1
                continue
            assert error_code(result) is None, (row, result)
            x, y = (now - USER_BALANCE for now in pair.balances()[:2])
            moved = (-x, y) if x_to_y else (-y, x)
            assert moved == (int(row["amount_in"]), int(row["amount_out"])), row
            assert struct.unpack_from("<i", pair.data()[0], 76)[0] == int(row["post_active_id"]), row
            assert result.logs()[1] == "Program log: sniperforge emulation of Meteora DLMM"
            done["newest" if newest else "older"] += 1
    assert sum(done.values()) >= 120 and len(done) >= 5, done


def place_dump(machine: Machine, name: str) -> Pair:
    dump = dumped(data_dir() / "accounts" / "meteora_dlmm" / name)
    for address, account in dump.values():
        machine.svm.set_account(address, account)
    address, data = Pubkey.from_string(name), bytes(dump["lb_pair"][1].data)
    flags = data[880:882]
    programs = tuple(TOKEN_2022_PROGRAM_ID if flag else TOKEN_PROGRAM_ID for flag in flags)
    keys = accounts.read_pair(address, data, (programs[0], programs[1]))
    users = (Pubkey.new_unique(), Pubkey.new_unique())
    for mint, program, user in zip(keys.mints, programs, users, strict=True):
        if machine.svm.get_account(mint) is None:
            machine.svm.set_account(mint, Account(10**10, mint_data(None), program))
        # of the oldest size, with no room for what a mint withholds: as the recorded payers had them
        held = token_account(mint, machine.user.pubkey(), USER_BALANCE, TOKEN_PROGRAM_ID)
        machine.svm.set_account(user, Account(10**10, bytes(held.data), program))
    indexes = [struct.unpack_from("<q", bytes(a.data), 8)[0] for k, (_, a) in dump.items() if k.startswith("bin_array")]
    return Pair(machine, keys, users, indexes)


# -- pairs that a market opens -----------------------------------------------------------------------------


def market_pair(
    machine: Machine, *, active: int = 0, step: int = 10, parameters: accounts.Parameters | None = None
) -> Pair:
    mints = (Pubkey.new_unique(), Pubkey.new_unique())
    keys = accounts.derive_pair(mints=mints, step=step, base_factor=10_000)
    if abs(active) > 30_000:
        keys = accounts.with_extension(keys)
    bins = accounts.spot_bins(active, keys.step, x=10**12, y=10**11, width=100)
    made = accounts.accounts(keys, active, bins, parameters or accounts.DEFAULT_PARAMETERS)
    for address, data in made.items():
        machine.svm.set_account(address, Account(10**10, data, PROGRAM_ID))
    pair = place_tokens(machine, keys, (None, None), 0)
    for side, amount in enumerate(accounts.totals(bins)):
        reserve = token_account(keys.mints[side], keys.pair, amount, TOKEN_PROGRAM_ID)
        machine.svm.set_account(keys.reserves[side], reserve)
    set_clock(machine, NOW)
    pair.arrays = sorted({accounts.array_of(bin_id) for bin_id in bins})
    return pair


def state_of(pair: Pair) -> dlmm.State:
    decoded = dlmm.decode_pair(pair.data()[0])
    far = None
    if pair.keys.has_extension:
        far = dlmm.decode_bitmap(pair.keys.pair, pair.machine.data(pair.keys.extension))
    arrays = dict(dlmm.decode_array(pair.keys.pair, decoded, data) for data in pair.data()[1:])
    return dlmm.State(decoded, arrays, far)


def claims(pair: Pair) -> tuple[int, int]:
    """What bins hold and the protocol may claim, of x and y."""
    state, fees = state_of(pair), struct.unpack_from("<QQ", pair.data()[0], 216)
    bins = [at for array in state.arrays.values() for at in array]
    return sum(at.x for at in bins) + fees[0], sum(at.y for at in bins) + fees[1]


@pytest.mark.parametrize("active", [0, 2_011, -45])
@pytest.mark.parametrize("collect_y", [False, True])
def test_swaps_follow_each_other(machine: Machine, active: int, collect_y: bool) -> None:
    """Each is priced on the bins and the volatility that the last left, and no reserve holds less than it owes."""
    pair = market_pair(machine, active=active, parameters=accounts.Parameters(collect_y=collect_y))
    rng = random.Random(active)
    now, volatile = NOW, 0
    for _ in range(60):
        now += rng.choice([0, 5, 40, 700])
        set_clock(machine, now)
        state = state_of(pair)
        references = state._references(now)
        x_to_y, exact_out = rng.random() < 0.5, rng.random() < 0.5
        side = (1 if x_to_y else 0) if exact_out else (0 if x_to_y else 1)
        amount = rng.randrange(1, (10**11, 10**10)[side])
        ahead = accounts.next_arrays(pair.data()[0], None, x_to_y=x_to_y, count=3)
        pair.arrays, every = ahead, pair.arrays
        quote = quote_of(state, x_to_y, exact_out, amount, now)
        result = pair.run(pair.swap(x_to_y, exact_out, amount))
        pair.arrays = every
        if quote.status != "ok":
            assert error_code(result) is not None
            continue
        assert error_code(result) is None, (quote, result)
        after = state_of(pair)
        assert after.pair.active_id == quote.tick and after.pair.last_update == now
        assert (after.pair.index_reference, after.pair.volatility_reference) == references
        away = abs(references[0] - quote.tick)
        assert after.pair.accumulator == min(references[1] + away * 10_000, state.pair.max_accumulator)
        volatile = max(volatile, after.pair.accumulator)
        reserves = pair.balances()[2:]
        assert all(held >= owed for held, owed in zip(reserves, claims(pair), strict=True))
    assert volatile > 0


def test_arrays_far_away_are_in_the_extension(machine: Machine) -> None:
    for active in (36_000, -36_000):
        pair = market_pair(machine, active=active, step=1)
        state = state_of(pair)
        for x_to_y in (False, True):
            quote = check(pair, state, x_to_y, False, 10**6, None)
            assert quote.status == "ok"
            state = state_of(pair)
        marked = pair.machine.data(pair.keys.extension)
        for x_to_y in (False, True):
            ahead = accounts.next_arrays(pair.data()[0], marked, x_to_y=x_to_y, count=9)
            assert ahead == [i for i in sorted(pair.arrays, reverse=x_to_y) if i in ahead] and ahead
        bare = pair.swap(True, False, 10**6)
        assert error_code(machine.send(changed_key(bare, 1, PROGRAM_ID, writable=False))) == 6036


@pytest.mark.parametrize("exact_out", [False, True])
@pytest.mark.parametrize("x_to_y", [False, True])
@pytest.mark.parametrize("older_form", [False, True])
def test_limits_are_exact_in_every_form(machine: Machine, exact_out: bool, x_to_y: bool, older_form: bool) -> None:
    pair = market_pair(machine)
    quote = quote_of(state_of(pair), x_to_y, exact_out, 10**8, NOW)
    edge, beyond = quote.amount_out, quote.amount_out + 1
    if exact_out:
        edge, beyond = quote.amount_in, quote.amount_in - 1
    assert error_code(machine.send(pair.swap(x_to_y, exact_out, 10**8, beyond, older_form=older_form))) == SLIPPAGE
    assert error_code(machine.send(pair.swap(x_to_y, exact_out, 10**8, edge, older_form=older_form))) is None


def test_orders_are_filled_after_the_bins_own_liquidity(machine: Machine) -> None:
    """What is left of orders in processing first, then open ones, which then are in processing."""
    pair = market_pair(machine)
    array = bytearray(pair.machine.data(pair.keys.array(0)))
    struct.pack_into("<QQQIB", array, 56 + 112, 3 * 10**8, 10**8, 5 * 10**7, 7, 0)
    pair.machine.svm.set_account(pair.keys.array(0), Account(10**10, bytes(array), PROGRAM_ID))
    state = state_of(pair)
    own = state.arrays[0][0].y
    quote = check(pair, state, True, True, own + 5 * 10**7 + 10**8, None)
    assert quote.status == "ok" and quote.tick == 0
    after = machine.data(pair.keys.array(0))
    open_orders, processing, left, age, ask = struct.unpack_from("<QQQIB", after, 56 + 112)
    assert (open_orders, processing, left, age, ask) == (0, 3 * 10**8, 2 * 10**8, 8, 0)
    assert struct.unpack_from("<QQ", after, 56 + 48) == (0, 15 * 10**7)
    assert struct.unpack_from("<QQ", after, 56)[1] == 0 and struct.unpack_from("<QQ", after, 56 + 64)[1] > 0
    again = check(pair, state_of(pair), True, False, 10**6, None)
    assert again.status == "ok" and again.tick == 0


def test_wrong_accounts_are_refused(machine: Machine) -> None:
    pair, other = market_pair(machine), market_pair(machine)
    good = pair.swap(True, False, 10**6)
    stranger = Pubkey.new_unique()
    machine.svm.set_account(forged := Pubkey.new_unique(), Account(10**10, pair.data()[0], TOKEN_PROGRAM_ID))
    cases = [
        (0, forged, 3007),
        (0, other.keys.pair, 2001),
        (0, pair.keys.oracle, 3002),
        (1, pair.keys.pair, 3002),
        (2, other.keys.reserves[0], 2001),
        (3, other.keys.reserves[1], 2001),
        (4, stranger, 3012),
        (6, other.keys.mints[0], 2001),
        (8, other.keys.oracle, 2001),
        (9, stranger, PANIC),
        (11, TOKEN_2022_PROGRAM_ID, 2021),
        (13, stranger, 3008),
        (14, stranger, 2006),
        (16, other.keys.array(0), NO_ARRAY),
        (16, pair.keys.pair, 3002),
    ]
    before = (pair.data(), pair.balances())
    for at, key, code in cases:
        assert error_code(machine.send(changed_key(good, at, key))) == code, (at, code)
    for at in (0, 2, 3, 4, 5, 8):
        account = good.accounts[at].pubkey
        assert error_code(machine.send(changed_key(good, at, account, writable=False))) == 2000, at
    assert error_code(machine.send(pair.swap(True, False, 10**6, arrays=[]))) == NO_ARRAY
    short = Instruction(PROGRAM_ID, bytes(good.data), list(good.accounts)[:15])
    assert error_code(machine.send(short)) == 3005
    hooked = bytes(good.data)[:24] + struct.pack("<IBB", 1, 0, 1)
    assert error_code(machine.send(Instruction(PROGRAM_ID, hooked, good.accounts))) == PANIC
    for data, code in ((b"", 101), (bytes(28), 101), (bytes(good.data)[:27], 102)):
        assert error_code(machine.send(Instruction(PROGRAM_ID, data, good.accounts))) == code
    assert (pair.data(), pair.balances()) == before
    assert error_code(machine.send(good)) is None
    closed = bytearray(pair.data()[0])
    closed[82] = 1
    machine.svm.set_account(pair.keys.pair, Account(10**10, bytes(closed), PROGRAM_ID))
    assert error_code(machine.send(good)) == DISABLED


@pytest.mark.parametrize("x_to_y", [True, False])
def test_an_array_behind_may_be_named(machine: Machine, x_to_y: bool) -> None:
    """What swaps of ours name: the price may cross an array's edge towards them before they come."""
    active, way, behind = (-1, [-1, -2], 0) if x_to_y else (0, [0, 1], -1)
    alone, both = (market_pair(machine, active=active) for _ in range(2))
    assert alone.arrays == [-2, -1, 0, 1]
    for pair, arrays in ((alone, way), (both, [*way, behind])):
        assert error_code(machine.send(pair.swap(x_to_y, False, 10**6, arrays=arrays))) is None
    assert [pair.machine.amount(pair.users[x_to_y]) for pair in (alone, both)] == [alone.balances()[x_to_y]] * 2
    assert error_code(machine.send(both.swap(not x_to_y, False, 4 * 10**10))) is None
    assert accounts.array_of(state_of(both).pair.active_id) == behind
    assert error_code(machine.send(both.swap(x_to_y, False, 10**6, arrays=way))) == NO_ARRAY
    assert error_code(machine.send(both.swap(x_to_y, False, 10**6, arrays=[*way, behind]))) is None


def test_compute_units(machine: Machine) -> None:
    for exact_out in (False, True):
        for x_to_y in (False, True):
            one = machine.send(market_pair(machine).swap(x_to_y, exact_out, 10**7)).compute_units_consumed()
            far = machine.send(market_pair(machine).swap(x_to_y, exact_out, 4 * 10**10)).compute_units_consumed()
            assert one < 40_000 and far < 400_000, (one, far)


# -- the arithmetic alone ------------------------------------------------------------------------------------

DECLARATION = (
    "void native_run( uint8_t const *, uint8_t const *, uint8_t const *, uint64_t, uint64_t const *, uint64_t * );"
)
GLUE = """
#include <string.h>
#include "sbf/meteora_dlmm_math.h"
static uint8_t pair[PAIR_SIZE], extension[EXTENSION_SIZE], arrays[DLMM_ARRAYS_MAX][ARRAY_SIZE];
static __attribute__( ( noinline ) ) uint64_t run_one( dlmm_swap_t * s ) { return GUARDED( dlmm_run( s ) ); }
void native_run( uint8_t const * p, uint8_t const * e, uint8_t const * a, uint64_t n, uint64_t const * t,
                 uint64_t * out ) {
  dlmm_swap_t s = { .pair = pair, .extension = e ? extension : 0, .array_count = n, .newest = t[0], .x_to_y = t[1],
                    .exact_out = t[2], .amount = t[3], .now = t[4], .slot = t[5] };
  token_fee_t fee[2] = { { t[7], t[6] }, { t[9], t[8] } };
  s.transfer_in      = fee[!s.x_to_y];
  s.transfer_out     = fee[s.x_to_y];
  memcpy( pair, p, PAIR_SIZE );
  if( e ) memcpy( extension, e, EXTENSION_SIZE );
  memcpy( arrays, a, n * ARRAY_SIZE );
  for( uint64_t i = 0; i < n; i++ ) s.array[i] = arrays[i];
  out[0]           = run_one( &s );
  uint64_t words[] = { s.sent, s.received, s.fee, s.protocol_fee, s.fee_on_input, (uint64_t)s.active };
  memcpy( out + 1, words, sizeof( words ) );
}
"""


def in_c(case: Case, x_to_y: bool, exact_out: bool, amount: int) -> Quote:
    return unit.compare(case.made, x_to_y, exact_out, amount)


def compare_natively(directory: Path, seed: int, cases: int) -> Mapping[str, int]:
    """Emulation, C core and reference on the same swaps; how many ended how."""
    native_ffi, native = native_sbf.build(directory, DECLARATION, GLUE)
    rng, out = random.Random(seed), native_ffi.new("uint64_t[7]")
    outcomes: Counter[str] = Counter()
    while sum(outcomes.values()) < cases:
        case = random_case(rng)
        state, now, arrays = case.state, case.made.now, b"".join(case.arrays)
        rest = [now, state.slot, *state.transfer_fees[0], *state.transfer_fees[1]]
        for amount in unit.amounts(rng, case.made):
            for x_to_y in (False, True):
                for exact_out in (False, True):
                    quote = in_c(case, x_to_y, exact_out, amount)
                    terms = [int(state.newest), int(x_to_y), int(exact_out), amount, *rest]
                    extension = native_ffi.NULL if case.bitmap is None else case.bitmap
                    native.native_run(case.pair, extension, arrays, len(case.arrays), terms, out)
                    code, *found = native_ffi.unpack(out, 7)
                    what = (state.pair, state.newest, x_to_y, exact_out, amount, quote, code, found)
                    impossible = code == OVERFLOW != quote.error
                    outcomes[IMPOSSIBLE if impossible else quote.status] += 1
                    found[5] -= found[5] >> 63 << 64
                    if code:
                        assert accepted(code, quote, state, x_to_y, found[5]), what
                        continue
                    wanted = [quote.amount_in, quote.amount_out, quote.fee, quote.protocol_fee]
                    assert quote.status == "ok" and found == [*wanted, quote.fee_in_input, quote.tick], what
    return outcomes


def test_arithmetic_agrees(tmp_path: Path) -> None:
    outcomes = compare_natively(tmp_path, 1, 20_000)
    assert min(outcomes[status] for status in ("ok", "refused", "exhausted")) > 1_000, outcomes
    assert outcomes[IMPOSSIBLE] < 20, outcomes


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_much_arithmetic_agrees(tmp_path: Path) -> None:
    cases = emulation_differential.slow_cases()
    outcomes = compare_natively(tmp_path, 2, cases)
    assert sum(outcomes.values()) >= cases and outcomes[IMPOSSIBLE] <= cases // 1_000, outcomes
