"""Meteora DLMM: the Python reference against the C core, both against what the real program paid; captured bytes."""

from __future__ import annotations

import base64
import json
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues import core, golden
from sniperforge.venues import meteora_dlmm as dlmm
from sniperforge.venues.golden import meteora_dlmm as golden_dlmm
from sniperforge.venues.quote import Quote
from sniperforge.venues.transfer_fee import TransferFee
from tests.data import data_dir

U64 = 2**64
PAIR = Pubkey.from_bytes(bytes(range(32)))
QUOTES = 30_000
GOLDEN_ROWS = 120


def test_every_golden_row_is_exact_in_both() -> None:
    """Amounts and active bin of each recorded swap, of both builds; swaps that failed in the program fail."""
    count = 0
    for row in golden.rows(data_dir("golden") / "meteora_dlmm.csv", data_dir("accounts/meteora_dlmm")):
        in_c, in_python = row.run_c(), row.run_python()
        assert not golden.difference(row.expected, in_c), row.name
        assert in_c == in_python, row.name
        count += 1
    assert count >= GOLDEN_ROWS


# -- made accounts: what both decode is the same, and so must be what they quote --


def pair_bytes(rng: random.Random, bin_step: int, active: int, marked: set[int], now: int) -> bytes:
    data = bytearray(dlmm.PAIR_BYTES)
    data[:8] = dlmm.PAIR_DISCRIMINATOR
    wild = rng.random() < 0.2
    control = rng.choice([0, rng.randrange(50_000), rng.randrange(2**32) if wild else 7_500])
    volatile = rng.choice([0, 150_000, 350_000, rng.randrange(2**32) if wild else 100_000])
    struct.pack_into("<4H2I", data, 8, rng.randrange(2**16), 30, 600, rng.randrange(10_000), control, volatile)
    struct.pack_into("<H3B", data, 32, rng.randrange(2_501), rng.choice([0, 0, 0, 1, 2]), 0, 0)
    data[35], data[36] = rng.randrange(3), rng.randrange(2)
    reference = rng.randrange(2**32) if wild else rng.randrange(200_000)
    struct.pack_into("<IIi", data, 40, rng.randrange(2**32) if wild else rng.randrange(300_000), reference, 0)
    struct.pack_into("<i", data, 48, active + rng.randrange(-40, 41))
    struct.pack_into("<q", data, 56, now - rng.choice([-5, 0, 29, 30, 31, 300, 599, 600, 10_000]))
    data[75] = rng.choice([0, 0, 0, 0, 0, 3, 1, 2])
    struct.pack_into("<iH", data, 76, active, bin_step)
    data[82] = rng.random() < 0.02
    data[86] = rng.randrange(2)
    if rng.random() < 0.3:
        data[264] = 1
    data[584:712] = sum(1 << (index + 512) for index in marked if -512 <= index < 512).to_bytes(128, "little")
    struct.pack_into("<Q", data, 816, rng.choice([0, now, now + 1]))
    return bytes(data)


def array_bytes(rng: random.Random, index: int, bin_step: int, active: int) -> bytes:
    """Both sides in the active bin, x above and y below it as in the program; now and then anything anywhere."""
    data = bytearray(dlmm.ARRAY_BYTES)
    data[:8] = dlmm.ARRAY_DISCRIMINATOR
    struct.pack_into("<qB", data, 8, index, rng.randrange(3))
    data[24:56] = bytes(PAIR)
    bits = rng.choice([1, 8, 20, 33, 45, 64])
    dense, orders, messy = rng.random(), rng.random() < 0.5, rng.random() < 0.1
    for place in range(dlmm.ARRAY_BINS):
        bin_id = index * dlmm.ARRAY_BINS + place
        price = dlmm.price_of(bin_id, bin_step) if abs(bin_id) <= dlmm.ID_MAX else None
        if rng.random() > dense or price is None:
            continue
        at = 56 + 144 * place
        x, y = (rng.getrandbits(rng.randrange(1, bits + 1)) for _ in range(2))
        struct.pack_into("<QQ", data, at, x * (messy or bin_id >= active), y * (messy or bin_id <= active))
        if rng.random() < 0.5 and price < 2**128:
            data[at + 16 : at + 32] = price.to_bytes(16, "little")
        if orders:
            wide = [rng.getrandbits(rng.randrange(bits + 1)) * rng.randrange(2) for _ in range(3)]
            struct.pack_into("<QQQIB", data, at + 112, *wide, 0, rng.randrange(2))
    return bytes(data)


def bitmap_bytes(marked: set[int]) -> bytes:
    above = sum(1 << (index - 512) for index in marked if index >= 512)
    below = sum(1 << (-513 - index) for index in marked if index < -512)
    return dlmm.BITMAP_DISCRIMINATOR + bytes(PAIR) + above.to_bytes(768, "little") + below.to_bytes(768, "little")


@dataclass
class Made:
    """One pair in both."""

    c: Any
    python: dlmm.State
    now: int
    near: tuple[Any, ...] = ()
    """The same with less room: three arrays in 3584 bytes as messages have it, and hardly anything."""


def both(pair: bytes, arrays: list[bytes], bitmap: bytes | None, settings: dlmm.State, now: int) -> Made:
    """The state of these accounts in C and in Python; `settings` has what no account says."""
    work = ffi.new("sf_meteora_dlmm_work_t *")
    lib.sf_meteora_dlmm_clear(work, bytes(PAIR))
    for data in [pair, *arrays, *([bitmap] if bitmap else [])]:
        check(lib.sf_meteora_dlmm_account(data, len(data), work))
    head = work.head
    head.newest, head.slot = settings.newest, settings.slot
    for side in (0, 1):
        fee = settings.transfer_fees[side]
        head.transfer_fee[side].bps, head.transfer_fee[side].maximum = fee.bps, fee.maximum
        head.plain_account[side] = settings.plain_accounts[side]
        if settings.reserves is not None:
            head.reserve[side] = settings.reserves[side]
    decoded = dlmm.decode_pair(pair)
    python = replace(
        settings,
        pair=decoded,
        arrays=dict(dlmm.decode_array(PAIR, decoded, data) for data in arrays),
        far=dlmm.decode_bitmap(PAIR, bitmap) if bitmap else None,
    )
    near = tuple(golden_dlmm.travel(work, arrays, room) for arrays, room in ((3, 3584), (2, 1024)))
    return Made(golden_dlmm.travel(work), python, now, near)


def made(rng: random.Random) -> Made:
    bin_step = rng.choice([1, 2, 5, 10, 25, 80, 100, 250, 400])
    reach = min(dlmm.ID_MAX, int(40 / (bin_step / 10_000)))
    far = rng.random() < 0.15 and bin_step == 1
    active = rng.choice([0, 15, -1, 69, 70, -70, -71, rng.randrange(-reach, reach)])
    if far:
        active = rng.choice([35_839, 35_840, -35_840, -35_841, 40_000, -40_000])
    at_the_end = rng.random() < 0.1 and bin_step == 1
    if at_the_end:
        active, far = rng.choice([dlmm.ID_MAX, -dlmm.ID_MAX, dlmm.ID_MAX - 30]), True
    here = active // dlmm.ARRAY_BINS
    lowest, highest = -dlmm.ID_MAX // dlmm.ARRAY_BINS, dlmm.ID_MAX // dlmm.ARRAY_BINS
    near = [index for index in range(here - 5, here + 6) if lowest <= index <= highest]
    marked = {index for index in near if at_the_end or rng.random() < 0.7}
    loaded = {index for index in marked if rng.random() < 0.9} | ({here} if rng.random() < 0.9 else set())
    now = rng.randrange(2**31)
    settings = dlmm.State(
        pair=None,  # type: ignore[arg-type]
        arrays={},
        newest=rng.random() < 0.6,
        slot=rng.choice([now, now + 5]),
        transfer_fees=(some_fee(rng), some_fee(rng)),
        reserves=rng.choice([None, (U64 - 1, U64 - 1), (rng.getrandbits(50), rng.getrandbits(50)), (2**63, 2**63)]),
        plain_accounts=(rng.random() < 0.05, rng.random() < 0.05),
    )
    if settings.reserves == (U64 - 1, U64 - 1):
        settings = replace(settings, reserves=None)  # the core's way to say that they are not known
    return both(
        pair_bytes(rng, bin_step, active, marked, now),
        [array_bytes(rng, index, bin_step, active) for index in sorted(loaded)],
        bitmap_bytes(marked) if far or rng.random() < 0.3 else None,
        settings,
        now,
    )


def some_fee(rng: random.Random) -> TransferFee:
    if rng.random() < 0.7:
        return TransferFee()
    return TransferFee(rng.choice([1, 50, 300, 9_999, 10_000]), rng.choice([0, 5_000, 2**40, U64 - 1]))


def amounts(rng: random.Random, made: Made) -> Iterator[int]:
    yield from (0, 1, U64 - 1)
    for _ in range(5):
        yield rng.getrandbits(rng.randrange(1, 65))
    bins = [at for array in made.python.arrays.values() for at in array if at.x or at.y]
    if bins:
        at = rng.choice(bins)
        yield from (at.x, at.y, min(at.y + at.orders_left, U64 - 1), max(at.x - 1, 0), min(at.y + 1, U64 - 1))
        total = sum(at.y for at in bins)
        yield from (min(total, U64 - 1), min(total + 1, U64 - 1))


def compare(made: Made, x_to_y: bool, exact_out: bool, amount: int) -> Quote:
    in_c = lib.sf_meteora_dlmm_quote_out if exact_out else lib.sf_meteora_dlmm_quote_in
    in_python = made.python.quote_out if exact_out else made.python.quote_in
    got, expected = core.quote(in_c, made.c, x_to_y, amount, made.now), in_python(x_to_y, amount, made.now)
    assert got == expected, (made.python.pair, made.python.newest, x_to_y, exact_out, amount)
    for state in made.near:
        near = core.quote(in_c, state, x_to_y, amount, made.now)
        assert near == got or cut_short(near, got), (made.python.pair, x_to_y, exact_out, amount)
    return got


def cut_short(near: Quote, got: Quote) -> bool:
    """Whether a quote only ended sooner than another one."""
    if near.status != "exhausted":
        return near.status == "refused" and got.status != "ok"  # of what there is already too much to count
    return got.status == "refused" or (near.amount_in <= got.amount_in and near.amount_out <= got.amount_out)


def test_c_and_python_say_the_same_of_random_pairs() -> None:
    """Both builds, all fee modes, gaps, missing arrays, transfer fees and amounts from 0 to the maximum."""
    rng = random.Random(7)
    outcomes: dict[str, int] = {}
    errors: set[int] = set()
    count = 0
    while count < QUOTES:
        pair = made(rng)
        for amount in amounts(rng, pair):
            for x_to_y in (False, True):
                for exact_out in (False, True):
                    got = compare(pair, x_to_y, exact_out, amount)
                    outcomes[got.status] = outcomes.get(got.status, 0) + 1
                    errors.add(got.error)
                    count += 1
    assert min(outcomes[status] for status in ("ok", "refused", "exhausted")) > QUOTES // 20
    assert errors >= {0, 1, 13, 6012, 6018, 6036, 6037, 6042, 6085}


def test_fees_of_recorded_swaps() -> None:
    """Every recorded swap pays a fee, the protocol's share is a part of it."""
    for row in golden.rows(data_dir("golden") / "meteora_dlmm.csv", data_dir("accounts/meteora_dlmm")):
        got = row.run_c()
        if got.status == "ok":
            assert 0 <= got.protocol_fee <= got.fee > 0


# -- captured bytes --


def sample(name: str) -> dict[str, Any]:
    path = data_dir("accounts/decode_samples_carbon") / f"meteora-dlmm_{name}.json"
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def test_a_pair_of_another_source_decodes() -> None:
    data = sample("lb_pair_account")["data"]
    raw = base64.b64decode(data[0] if isinstance(data, list) else data)
    pair = dlmm.decode_pair(raw)
    work = ffi.new("sf_meteora_dlmm_work_t *")
    lib.sf_meteora_dlmm_clear(work, bytes(PAIR))
    check(lib.sf_meteora_dlmm_account(raw, len(raw), work))
    assert pair.bin_step == 80 and pair.active_id == -1054 and pair.enabled


def test_captured_swaps_are_read_and_written_alike() -> None:
    """Two mainnet swaps of another source: their data as we read it, their accounts as we would list them."""
    expected = {"swap": (lib.SF_DLMM_SWAP, 60_165_522, 15), "swap2": (lib.SF_DLMM_SWAP2, 217_206_901, 16)}
    for name, (form, amount, fixed) in expected.items():
        captured = sample(f"{name}_ix")
        data = bytes.fromhex(captured["data"])
        swap = ffi.new("sf_dlmm_swap_t *")
        check(lib.sf_meteora_dlmm_swap_parse(data, len(data), swap))
        assert (swap.form, swap.amount, swap.threshold, swap.slices) == (form, amount, 0, 0)
        keys = [bytes(Pubkey.from_string(account["pubkey"])) for account in captured["accounts"]]
        pair = bytearray(pair_bytes(random.Random(1), 10, 0, set(), 0))
        pair[88:216], pair[552:584] = keys[6] + keys[7] + keys[2] + keys[3], keys[8]
        work = ffi.new("sf_meteora_dlmm_work_t *")
        lib.sf_meteora_dlmm_clear(work, keys[0])
        check(lib.sf_meteora_dlmm_account(bytes(pair), len(pair), work))
        state = golden_dlmm.travel(work)
        metas, count = ffi.new("sf_account_meta_t[]", lib.SF_DLMM_SWAP_ACCOUNT_MAX), ffi.new("uint32_t *")
        check(lib.sf_meteora_dlmm_swap_accounts(state, form, 0, [], keys[10], keys[4], keys[5], metas, count))
        assert count[0] == fixed and [bytes(metas[i].pubkey) for i in range(fixed)] == keys[:fixed]
        payer = 10  # also pays for the transaction, which makes it writable there
        flags = [(meta["is_signer"], meta["is_writable"]) for meta in captured["accounts"][:fixed]]
        ours = [(bool(metas[i].signer), bool(metas[i].writable)) for i in range(fixed)]
        assert [ours[i] for i in range(fixed) if i != payer] == [flags[i] for i in range(fixed) if i != payer]
        assert ours[payer][0] and flags[payer][0]


def dumps(directory: Path) -> dict[str, bytes]:
    return {
        path.stem: base64.b64decode(json.loads(path.read_text())["account"]["data"][0])
        for path in sorted(directory.glob("*.json"))
    }


def test_a_pair_opens_at_its_slot() -> None:
    """The pair that is not open yet, with orders on both sides and its fee in y: closed before, both agree after."""
    address = "9t3EyC9FweyL7PBWvKz3mrXg8B9fwFc9SK3QxM4ENqhd"
    accounts = dumps(data_dir("accounts/meteora_dlmm") / address)
    key = Pubkey.from_string(address)
    pair = dlmm.decode_pair(accounts["lb_pair"])
    arrays = dict(dlmm.decode_array(key, pair, accounts[name]) for name in ("bin_array_1", "bin_array_2"))
    python = dlmm.State(pair, arrays, slot=pair.activation_point - 1)
    work = ffi.new("sf_meteora_dlmm_work_t *")
    lib.sf_meteora_dlmm_clear(work, bytes(key))
    for name in ("lb_pair", "bin_array_1", "bin_array_2"):
        check(lib.sf_meteora_dlmm_account(accounts[name], len(accounts[name]), work))
    state = golden_dlmm.travel(work)
    state.slot = python.slot
    assert compare(Made(state, python, 0), True, False, 10**9).error == dlmm.POOL_DISABLED
    state.slot += 1
    opened = Made(state, replace(python, slot=python.slot + 1), 0)
    rng = random.Random(3)
    for _ in range(300):
        for x_to_y in (False, True):
            got = compare(opened, x_to_y, rng.random() < 0.5, rng.getrandbits(rng.randrange(1, 47)))
            assert got.fee_in_input != x_to_y or got.status == "refused"
    assert compare(opened, True, False, 40 * 10**9).crossed >= 5
