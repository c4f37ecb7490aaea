"""Raydium AMM v4: the C core against the plain-integer reference, and both against what the program paid."""

from __future__ import annotations

import json
import random
from base64 import b64decode
from typing import Any

import pytest
from solders.pubkey import Pubkey
from solders.token import ID as TOKEN_PROGRAM
from solders.transaction import VersionedTransaction

from ipc._core import ffi, lib
from ipc.errors import CoreError, check
from sniperforge.venues import core, golden
from sniperforge.venues import raydium_amm_v4 as amm
from sniperforge.venues.quote import Quote
from sniperforge.venues.raydium_cpmm import VenueDataError
from tests.data import data_dir

U64 = 2**64
ROUNDS = 12_000
AUTHORITY = "5Q544fKrFoe6tsEbD7S8EmxGTJYAKtTVhAW5Q5pge4j1"


def dump(name: str, where: str = "sol_usdc") -> tuple[str, bytes]:
    text = (data_dir("accounts") / "raydium_amm_v4" / where / f"{name}.json").read_text()
    found = json.loads(text)
    return found["pubkey"], b64decode(found["account"]["data"][0])


def word(rng: random.Random) -> int:
    if rng.randrange(8) == 0:
        return rng.choice([0, 1, 2, 399, 400, 401, U64 - 1, U64 - 2, 2**63, 2**32, 10**4 - 1, 10**4])
    return rng.getrandbits(64) >> rng.randrange(64)


def pool_bytes(state: amm.State) -> bytes:
    """A pool account of this state."""
    data = bytearray(random.Random(1).randbytes(amm.POOL_BYTES))
    for offset, number in (
        (0, state.status),
        (8, 254),
        (176, state.fee[0]),
        (184, state.fee[1]),
        (192, state.owed[0]),
        (200, state.owed[1]),
        (224, state.open_time),
    ):
        data[offset : offset + 8] = number.to_bytes(8, "little")
    return bytes(data)


def in_c(state: amm.State) -> Any:
    data = pool_bytes(state)
    made = ffi.new("sf_raydium_amm_v4_state_t *")
    check(lib.sf_raydium_amm_v4_pool_decode(bytes(32), data, len(data), made))
    check(lib.sf_raydium_amm_v4_vaults(made, *state.vaults))
    return made


def same(state: amm.State, made: Any, a_to_b: bool, exact_in: bool, amount: int, now: int) -> Quote:
    function = lib.sf_raydium_amm_v4_quote_in if exact_in else lib.sf_raydium_amm_v4_quote_out
    got = core.quote(function, made, a_to_b, amount, now)
    reference = (state.quote_in if exact_in else state.quote_out)(a_to_b, amount, now)
    if got.status == "refused":
        got = Quote(0, 0, got.status, got.error)
    assert got == reference, (state, a_to_b, exact_in, amount, now)
    return got


def random_state(rng: random.Random) -> amm.State:
    vaults = word(rng), word(rng)
    owed = (rng.randrange(vaults[0] + 1), rng.randrange(vaults[1] + 1)) if rng.randrange(3) == 0 else (0, 0)
    if rng.randrange(2):
        fee = (25, 10_000)
    else:
        denominator = rng.choice([1, 10_000, 10**6, U64 - 1, 1 + word(rng) % (U64 - 1)])
        fee = (rng.randrange(denominator), denominator)
    return amm.State(vaults, owed, fee, rng.choice([6, 6, 6, 6, 7, 1, 5, 2]), rng.choice([0, 100, 10**10]))


def test_random_swaps_agree() -> None:
    rng = random.Random(20260705)
    outcomes = {"ok": 0, "refused": 0}
    for _ in range(ROUNDS):
        state = random_state(rng)
        made = in_c(state)
        for a_to_b in (False, True):
            for exact_in in (False, True):
                amount = word(rng)
                if rng.randrange(4) == 0:  # near a full drain
                    amount = max(0, state.vaults[a_to_b] - state.owed[a_to_b] - rng.randrange(3))
                outcomes[same(state, made, a_to_b, exact_in, amount, rng.choice([0, 99, 100, 10**10])).status] += 1
    assert min(outcomes.values()) > ROUNDS / 2, outcomes


def test_extremes_agree() -> None:
    edge = [0, 1, 2, 25, 9_999, 10_000, U64 // 2, U64 - 2, U64 - 1]
    for a in edge:
        for b in edge:
            state = amm.State((a, b))
            made = in_c(state)
            for amount in edge:
                for a_to_b in (False, True):
                    for exact_in in (False, True):
                        same(state, made, a_to_b, exact_in, amount, 0)


def test_golden_rows() -> None:
    found = 0
    for row in golden.rows(data_dir("golden") / "raydium_amm_v4_sol_usdc.csv", data_dir("accounts")):
        assert not golden.difference(row.expected, row.run_c()), row.name
        assert not golden.difference(row.expected, row.run_python()), row.name
        found += 1
    assert found == 75


def test_a_pool_with_profit_to_take() -> None:
    address, data = dump("amm_id", "sol_usdc_slot433179580")
    pool = amm.decode_pool(data)
    assert pool.owed == (162834498, 12518360)
    state = amm.State.of(pool, 10**12, 10**11)
    made = ffi.new("sf_raydium_amm_v4_state_t *")
    check(lib.sf_raydium_amm_v4_pool_decode(bytes(Pubkey.from_string(address)), data, len(data), made))
    check(lib.sf_raydium_amm_v4_vaults(made, 10**12, 10**11))
    assert list(made.reserve) == [10**12 - pool.owed[0], 10**11 - pool.owed[1]]
    same(state, made, True, True, 10**9, 0)
    with pytest.raises(CoreError, match="owe"):
        check(lib.sf_raydium_amm_v4_vaults(made, pool.owed[0] - 1, 10**11))
    with pytest.raises(VenueDataError, match="owe"):
        amm.State.of(pool, pool.owed[0] - 1, 10**11)


def decodes(data: bytes) -> bool:
    """Whether both decode it; fails if they differ."""
    made = ffi.new("sf_raydium_amm_v4_state_t *")
    code = lib.sf_raydium_amm_v4_pool_decode(bytes(32), data, len(data), made)
    try:
        pool = amm.decode_pool(data)
    except VenueDataError:
        assert code == lib.SF_ERR_DATA
        return False
    assert code == 0 and (made.status, made.fee_numerator, made.fee_denominator) == (pool.status, *pool.fee)
    return True


def test_bad_bytes_are_refused_alike() -> None:
    _, data = dump("amm_id")
    for length in range(len(data) + 16):
        assert decodes((data + bytes(16))[:length]) == (length == amm.POOL_BYTES)
    for bit in range(8 * 240):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        decodes(bytes(flipped))


def test_swap_accounts() -> None:
    address, data = dump("amm_id")
    made = ffi.new("sf_raydium_amm_v4_state_t *")
    check(lib.sf_raydium_amm_v4_pool_decode(bytes(Pubkey.from_string(address)), data, len(data), made))
    metas, count = ffi.new("sf_account_meta_t[18]"), ffi.new("uint32_t *")
    user = [bytes([i]) * 32 for i in (1, 2, 3)]
    for brief, length in ((0, 18), (1, 8)):
        check(lib.sf_raydium_amm_v4_swap_accounts(made, brief, *user, metas, count))
        keys = [str(Pubkey.from_bytes(bytes(metas[i].pubkey))) for i in range(count[0])]
        assert len(keys) == length
        assert keys[:3] == [str(TOKEN_PROGRAM), address, AUTHORITY]
        vaults = [str(key) for key in amm.decode_pool(data).vaults]
        assert keys[3:5] == vaults if brief else keys[5:7] == vaults
        assert keys[-3:] == [str(Pubkey.from_bytes(key)) for key in user]
        assert metas[length - 1].signer and not metas[length - 1].writable


def test_swap_data_round_trip() -> None:
    swap, back, out = (ffi.new(f"{kind}") for kind in ("sf_raydium_amm_v4_swap_t *",) * 2 + ("uint8_t[17]",))
    for tag, exact_in, brief in ((9, 1, 0), (11, 0, 0), (16, 1, 1), (17, 0, 1)):
        swap.amount, swap.threshold, swap.exact_in, swap.brief = 258, 772, exact_in, brief
        assert lib.sf_raydium_amm_v4_swap_data(swap, out) == 17 and out[0] == tag
        first = 258 if exact_in else 772
        assert bytes(out)[1:9] == first.to_bytes(8, "little")
        check(lib.sf_raydium_amm_v4_swap_parse(bytes(out), 17, back))
        assert (back.amount, back.threshold, back.exact_in, back.brief) == (258, 772, exact_in, brief)
    for bad in (b"", bytes(out)[:16], b"\x0a" + bytes(16)):
        assert lib.sf_raydium_amm_v4_swap_parse(bad, len(bad), back) == lib.SF_ERR_DATA


def test_swaps_in_a_captured_transaction_are_read() -> None:
    """A dozen swaps in one transaction of mainnet."""
    raw = (data_dir("tx") / "firedancer_txn" / "pack_txn5.bin").read_bytes()
    message = VersionedTransaction.from_bytes(raw).message
    found = 0
    swap = ffi.new("sf_raydium_amm_v4_swap_t *")
    for instruction in message.instructions:
        if message.account_keys[instruction.program_id_index] != amm.PROGRAM:
            continue
        data = bytes(instruction.data)
        if data[0] not in (9, 11):
            continue
        check(lib.sf_raydium_amm_v4_swap_parse(data, len(data), swap))
        assert swap.amount and not swap.brief
        assert len(instruction.accounts) in (17, 18)
        found += 1
    assert found == 12


def test_log_of_a_swap_is_read() -> None:
    def log(kind: int, first: int, second: int, direction: int, other: int) -> bytes:
        return bytes([kind]) + b"".join(
            value.to_bytes(8, "little") for value in (first, second, direction, 99, 10**12, 10**11, other)
        )

    out = ffi.new("sf_raydium_amm_v4_traded_t *")
    for exact_in in (True, False):
        quote = amm.State((10**12, 10**11)).quote_in(True, 10**9)
        if not exact_in:
            quote = amm.State((10**12, 10**11)).quote_out(True, quote.amount_out)
        amount, other = (quote.amount_in, quote.amount_out) if exact_in else (quote.amount_out, quote.amount_in)
        data = log(3, amount, 5, 2, other) if exact_in else log(4, 5, amount, 2, other)
        check(lib.sf_raydium_amm_v4_traded_parse(data, len(data), out))
        assert (out.amount, out.threshold, out.other, out.a_to_b, out.exact_in) == (amount, 5, other, 1, exact_in)
        assert list(out.reserve) == [10**12, 10**11] and out.user_source == 99
    for bad in (data[:-1], data + b"\0", b"\0" + data[1:], log(3, 1, 1, 3, 1)):
        assert lib.sf_raydium_amm_v4_traded_parse(bad, len(bad), out) == lib.SF_ERR_DATA


def test_logs_of_captured_pool_creations_are_no_swaps() -> None:
    text = (data_dir("tx") / "mixed" / "helius_transactionNotification.json").read_text()
    out = ffi.new("sf_raydium_amm_v4_traded_t *")
    found = [part.split('"')[0].split("\\")[0] for part in text.split("ray_log: ")[1:]]
    assert len(found) == 8
    for log in found:
        data = b64decode(log)
        assert lib.sf_raydium_amm_v4_traded_parse(data, len(data), out) == lib.SF_ERR_DATA
