"""Raydium CLMM: C core against the Python reference and against mainnet's fills; all real accounts."""

from __future__ import annotations

import base64
import json
import random
import struct
from collections.abc import Mapping
from dataclasses import astuple, replace
from typing import Any

import pytest
from solders.pubkey import Pubkey

from sniperforge.venues import golden
from sniperforge.venues import raydium_clmm as clmm
from sniperforge.venues.ticks import (
    SQRT_PRICE_MAX_RAYDIUM,
    SQRT_PRICE_MIN,
    TICK_MAX,
    TICK_MIN,
    raydium_sqrt_price,
    tick_at,
)
from sniperforge.venues.transfer_fee import NO_FEE, TransferFee
from tests.data import data_dir
from tests.venue_glue import LIQUIDITY_BITS, STATE_MAX, Core, plain, some_amount, some_liquidity

STATES = 700
QUOTES = 60
POOL = bytes(range(32))
NOW = 1_700_000_000

SWAP_GLUE = """
int swap_parse( uint8_t const * data, uint32_t len, uint64_t * out ) {
  sf_clmm_swap_t s;
  int err = sf_raydium_clmm_swap_parse( data, len, &s );
  if( err ) return err;
  uint64_t words[] = { s.amount, s.threshold, (uint64_t)s.sqrt_price_limit, (uint64_t)( s.sqrt_price_limit >> 64 ),
                       s.exact_in, 0, s.v2 };
  for( int i = 0; i < 7; i++ ) out[i] = words[i];
  return 0;
}
uint32_t swap_data( uint64_t const * in, uint8_t * out ) {
  sf_clmm_swap_t s = { .amount = in[0], .threshold = in[1], .sqrt_price_limit = (sf_u128_t)in[3] << 64 | in[2],
                       .exact_in = in[4], .v2 = in[6] };
  sf_raydium_clmm_swap_data( &s, out );
  return SF_CLMM_SWAP_DATA_BYTES;
}
"""


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Core:
    return Core(tmp_path_factory.mktemp("clmm"), "raydium_clmm", SWAP_GLUE)


# -- accounts as bytes --------------------------------------------------------------------------------------


def pool_bytes(state: clmm.State) -> bytes:
    data = bytearray(1544)
    data[:8] = clmm.POOL_DISCRIMINATOR
    struct.pack_into("<H", data, 235, state.tick_spacing)
    data[237:253] = state.liquidity.to_bytes(16, "little")
    data[253:269] = state.sqrt_price.to_bytes(16, "little")
    struct.pack_into("<i", data, 269, state.tick)
    data[389], data[390] = state.status, state.fee_on
    data[904:1032] = sum(1 << number + 512 for number in state.bitmap).to_bytes(128, "little")
    struct.pack_into("<Q", data, 1080, state.open_time)
    if state.dynamic is not None:
        struct.pack_into("<HHHIIiIIQ", data, 1096, *astuple(state.dynamic))
    for place, at in enumerate((73, 105, 137, 169)):
        data[at] = place + 1
    return bytes(data)


def config_bytes(rates: clmm.Rates) -> bytes:
    data = bytearray(117)
    data[:8] = clmm.CONFIG_DISCRIMINATOR
    struct.pack_into("<IIHI", data, 43, rates.protocol, rates.trade, 1, rates.fund)
    return bytes(data)


def array_bytes(start: int, net: dict[int, int], tick_spacing: int, orders: Mapping[int, int] = {}) -> bytes:
    data = bytearray(10240)
    data[:8], data[8:40] = clmm.ARRAY_DISCRIMINATOR, POOL
    struct.pack_into("<i", data, 40, start)
    for tick, amount in net.items():
        at = 44 + 168 * ((tick - start) // tick_spacing)
        struct.pack_into("<i", data, at, tick)
        data[at + 4 : at + 20] = amount.to_bytes(16, "little", signed=True)
        waiting = orders.get(tick, 0)
        # a tick may be there for its orders alone
        data[at + 20 : at + 36] = max(abs(amount), 0 if waiting else 1).to_bytes(16, "little")
        struct.pack_into("<QQ", data, at + 124, waiting - waiting // 3, waiting // 3)
    data[10124] = len(net)
    return bytes(data)


def extension_bytes(numbers: frozenset[int]) -> bytes:
    words = [0] * 28
    for number in numbers:
        if number >= 512:
            words[number // 512 - 1] |= 1 << number % 512
        else:
            page = (-number - 1) // 512 - 1
            words[14 + page] |= 1 << number + 512 * (page + 2)
    return clmm.EXTENSION_DISCRIMINATOR + POOL + b"".join(word.to_bytes(64, "little") for word in words)


# -- random pools -------------------------------------------------------------------------------------------


def some_dynamic(rng: random.Random, spacing: int, tick: int) -> clmm.Dynamic:
    top = min(rng.choice([0, 9_999, 50_000, 350_000, 1_000_000]), (2**32 - 1) // spacing)
    filter_period = rng.choice([1, 30, 600])
    index = tick // spacing + rng.choice([0, 0, 1, -1, 7, -30, 300])
    return clmm.Dynamic(
        filter_period,
        filter_period + rng.choice([1, 600]),
        rng.choice([1, 5000, 9999]),
        rng.choice([1, 500, 40_000, 99_999]),
        top,
        index,
        rng.randrange(top + 1),
        rng.randrange(top + 1),
        NOW - rng.choice([-5, 0, 1, 30, 31, 400, 1300]),
    )


def with_features(rng: random.Random, state: clmm.State) -> clmm.State:
    """Some of what the program knows since 2026."""
    at = [tick for net in state.arrays.values() for tick in net]
    orders = {tick: max(1, some_amount(rng)) for tick in at if rng.randrange(3) == 0}
    return replace(
        state,
        fee_on=rng.randrange(3),
        dynamic=some_dynamic(rng, state.tick_spacing, state.tick) if rng.randrange(2) else None,
        orders=orders if rng.randrange(2) else {},
    )


def some_state(rng: random.Random) -> clmm.State:
    spacing = rng.choice([1, 1, 5, 10, 10, 60, 60, 120, 200, 1000])
    span = 60 * spacing
    middle = rng.choice([0, 0, -20_000, 20_000, 511 * span, -512 * span, -400_000, 400_000, TICK_MIN, TICK_MAX])
    tick = max(TICK_MIN, min(TICK_MAX - 1, middle + rng.randrange(-3 * span, 3 * span + 1)))
    low, high = raydium_sqrt_price(tick), raydium_sqrt_price(tick + 1)
    price = rng.choice([low, rng.randrange(low, high), high - 1])
    usable = range(-(-TICK_MIN // spacing) * spacing, TICK_MAX + 1, spacing)
    near = [tick // spacing * spacing + spacing * rng.randrange(-400, 401) for _ in range(60)]
    near = [*(t for t in near if t in usable), usable[0], usable[-1], rng.choice(usable)]
    net: dict[int, int] = {}
    liquidity, bits = 0, rng.choice(LIQUIDITY_BITS)
    for _ in range(rng.choice([0, 1, 2, 5, 12, 30])):
        lower, upper = sorted((rng.choice(near), rng.choice(near)))
        if lower == upper:
            continue
        amount = some_liquidity(rng, bits)
        net[lower] = net.get(lower, 0) + amount
        net[upper] = net.get(upper, 0) - amount
        liquidity += amount if lower <= tick < upper else 0
    if rng.randrange(12) == 0 and net:
        net[rng.choice(list(net))] += rng.choice([-1, 1]) * some_liquidity(rng, bits)
    if tick in usable and price == low and tick > TICK_MIN and rng.randrange(3) == 0:
        liquidity -= net.get(tick, 0)
        tick -= 1
    numbers = frozenset(t // span for t in net)
    own = frozenset(number for number in numbers if -512 <= number < 512)
    known = [number for number in numbers if rng.randrange(10)]
    fees = [
        NO_FEE if rng.randrange(4) else TransferFee(rng.choice([1, 100, 9999, 10_000]), some_amount(rng)) for _ in "ab"
    ]
    return clmm.State(
        spacing,
        clmm.Rates(
            rng.choice([0, 1, 100, 400, 2500, 10_000, 999_999]), rng.choice([0, 120_000]), rng.choice([0, 40_000])
        ),
        max(0, liquidity) % 2**128,
        price,
        tick,
        own,
        {n * span: {t: v for t, v in net.items() if n * span <= t < (n + 1) * span} for n in known},
        numbers - own if rng.randrange(6) else None,
        rng.choice([0] * 20 + [NOW - 1, NOW]),
        rng.choice([0] * 20 + [15, 16]),
        (fees[0], fees[1]),
    )


def loaded(core: Core, state: clmm.State) -> int:
    accounts = [pool_bytes(state), config_bytes(state.rates)]
    accounts += [array_bytes(start, net, state.tick_spacing, state.orders) for start, net in state.arrays.items()]
    if state.extension is not None:
        accounts.append(extension_bytes(state.extension))
    code = core.load(POOL, accounts)
    for side, fee in enumerate(state.transfer_fees):
        core.lib.state_transfer_fee(side, fee.bps, fee.maximum)
    return code


def some_limit(rng: random.Random, state: clmm.State, a_to_b: bool) -> int:
    kind = rng.randrange(12)
    if kind > 4:
        return 0
    if kind == 0:
        ends = [SQRT_PRICE_MIN, SQRT_PRICE_MIN + 1, SQRT_PRICE_MAX_RAYDIUM - 1, SQRT_PRICE_MAX_RAYDIUM]
        return rng.choice([1, *ends])
    if kind == 1:
        return state.sqrt_price + rng.randrange(-1, 2)
    if kind == 2:
        ticks = [t for net in state.arrays.values() for t in net]
        return raydium_sqrt_price(rng.choice(ticks)) if ticks else 0
    tick = state.tick + (-1 if a_to_b else 1) * rng.randrange(300 * state.tick_spacing)
    return raydium_sqrt_price(max(TICK_MIN, min(TICK_MAX, tick))) + rng.randrange(2)


@pytest.mark.parametrize("features", [False, True])
def test_core_and_reference_agree(core: Core, features: bool) -> None:
    rng = random.Random(20260426)
    tried = {"ok": 0, "refused": 0, "exhausted": 0}
    crossings = 0
    for _ in range(STATES):
        state = with_features(rng, some_state(rng)) if features else some_state(rng)
        assert loaded(core, state) == 0, core.error
        amounts = [some_amount(rng) for _ in range(QUOTES // 4)]
        for a_to_b in (False, True):
            most = state.quote_in(a_to_b, 2**64 - 1, NOW, 0)
            amounts += [side // rng.choice([1, 1, 2, 3, 7]) for side in most[:2]]
        for _ in range(QUOTES):
            a_to_b, exact_in = rng.randrange(2) == 1, rng.randrange(2) == 1
            # also where one amount ends, and one more or less: the ends of stretches
            amount = max(0, min(2**64 - 1, rng.choice(amounts) + rng.choice([0, 0, 0, 0, 1, -1])))
            limit = some_limit(rng, state, a_to_b)
            want = (state.quote_in if exact_in else state.quote_out)(a_to_b, amount, NOW, limit)
            got = core.quote(a_to_b, exact_in, amount, limit, NOW)
            assert got == plain(want), (got, want, state, a_to_b, exact_in, amount, limit)
            tried[want.status] += 1
            crossings += want.crossed
            amounts += [want.amount_in, want.amount_out]
        for most in (850, 1200, STATE_MAX):
            core.travels(NOW, most=most)
    assert min(tried.values()) > STATES * QUOTES // 50, tried
    assert crossings > STATES * 5


def test_tick_prices() -> None:
    rng = random.Random(5)
    assert raydium_sqrt_price(TICK_MIN) == SQRT_PRICE_MIN and raydium_sqrt_price(TICK_MAX) == SQRT_PRICE_MAX_RAYDIUM
    for _ in range(2000):
        tick = rng.randrange(TICK_MIN, TICK_MAX)
        low, high = raydium_sqrt_price(tick), raydium_sqrt_price(tick + 1)
        assert tick_at(low, raydium_sqrt_price) == tick_at(high - 1, raydium_sqrt_price) == tick


# -- real data ----------------------------------------------------------------------------------------------


def test_mainnet_and_the_real_program() -> None:
    path = data_dir("golden") / "raydium_clmm_sol_usdc.csv"
    seen = 0
    for row in golden.rows(path, data_dir("accounts/raydium_clmm")):
        c, python = row.run_c(), row.run_python()
        assert golden.difference(row.expected, c) == golden.difference(row.expected, python) == "", row.name
        # the protocol's shares of the fee are not in the captures
        assert plain(c) == plain(python), row.name
        seen += 1
    assert seen == 117


def captures() -> list[Any]:
    directory = data_dir("accounts/raydium_clmm/sol_usdc_captures")
    found = [json.loads(path.read_text()) for path in sorted(directory.glob("swap_*.json"))]
    assert len(found) == 9
    return found


def test_every_capture_to_its_ends(core: Core) -> None:
    rng = random.Random(11)
    rates = clmm.Rates(400, 120_000, 40_000)
    for capture in captures():
        data = base64.b64decode(capture["pool_b64"])
        pool = clmm.decode_pool(data)
        arrays = [base64.b64decode(array["data_b64"]) for array in capture["tick_arrays"]]
        decoded = [clmm.decode_array(array, pool.tick_spacing) for array in arrays]
        address = bytes(Pubkey.from_string(capture["pool_address"]))
        assert core.load(address, [data, config_bytes(rates), *arrays]) == 0, core.error
        state = clmm.State.of(pool, rates, decoded)
        for _ in range(400):
            a_to_b, exact_in, amount = rng.randrange(2) == 1, rng.randrange(2) == 1, some_amount(rng)
            want = (state.quote_in if exact_in else state.quote_out)(a_to_b, amount, NOW + 10**8)
            assert core.quote(a_to_b, exact_in, amount, 0, NOW + 10**8) == plain(want)
        compared, too_far, ticks = core.travels(NOW + 10**8, 400)
        assert compared > 100 and too_far and ticks >= 24


def sample(name: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads((data_dir("accounts/decode_samples_carbon") / name).read_text())
    return decoded


def test_samples_decode() -> None:
    data = base64.b64decode(sample("raydium-clmm_pool_state_account.json")["data"])
    pool = clmm.decode_pool(data)
    rates = clmm.decode_config(base64.b64decode(sample("raydium-clmm_amm_config_account.json")["data"]))
    array = clmm.decode_array(base64.b64decode(sample("raydium-clmm_tick_array_state_account.json")["data"]), 1)
    assert (pool.tick_spacing, rates) == (1, clmm.Rates(100, 120_000, 40_000))
    assert array.start % 60 == 0 and not array.net


@pytest.mark.parametrize(("name", "v2"), [("raydium-clmm_swap_ix.json", 0), ("raydium-clmm_swap_v2_ix.json", 1)])
def test_instruction_data(core: Core, name: str, v2: int) -> None:
    data = bytes.fromhex(sample(name)["data"])
    out = core.ffi.new("uint64_t[7]")
    assert core.lib.swap_parse(data, len(data), out) == 0 and out[6] == v2
    again = core.ffi.new("uint8_t[64]")
    assert core.lib.swap_data(out, again) == len(data) and bytes(core.ffi.buffer(again, len(data))) == data
    for cut in range(len(data)):
        assert core.lib.swap_parse(data, cut, out) < 0


def test_wrong_bytes_are_refused(core: Core) -> None:
    state = clmm.State(
        60, clmm.Rates(400), 10**12, raydium_sqrt_price(100), 100, frozenset([0]), {0: {60: 10**12, 600: -(10**12)}}
    )
    pool, array, config = pool_bytes(state), array_bytes(0, state.arrays[0], 60), config_bytes(state.rates)
    dynamic = pool_bytes(replace(state, dynamic=clmm.Dynamic(30, 600, 5000, 500, 350_000, 1, 0, 0, NOW)))
    orders = array_bytes(0, state.arrays[0], 60, {60: 2**64 - 1})
    for good in ([pool, config, array], [dynamic, config, orders]):
        assert core.load(POOL, good) == 0, core.error
    for data, at, value, text in (
        (pool, 0, 0, "offset 0"),
        (pool, 235, 0, "offset 235"),
        (pool, 269, 7, "offset 269"),
        (pool, 268, 255, "offset 253"),
        (pool, 390, 3, "offset 390"),
        (pool, 1096, 1, "offset 1096"),
        (dynamic, 1121, 1, "offset 1110"),
        (array, 8, 99, "offset 8"),
        (array, 40, 1, "offset 40"),
        (array, 44 + 168, 3, "offset 212"),
        (array, 44 + 168 + 19, 127, "offset 216"),
        (orders, 44 + 168 + 131, 255, "offset 336 overflow"),
        (config, 50, 255, "offset 47"),
    ):
        wrong = bytearray(data)
        wrong[at] = value
        kind = {len(pool): "pool", len(config): "config", len(array): "array"}[len(data)]
        if at != 8:
            with pytest.raises(clmm.VenueDataError, match=text):
                if kind == "pool":
                    clmm.decode_pool(bytes(wrong))
                elif kind == "config":
                    clmm.decode_config(bytes(wrong))
                else:
                    clmm.decode_array(bytes(wrong), 60)
        assert core.load(POOL, [bytes(wrong) if len(data) == len(one) else one for one in (pool, config, array)]) < 0
        assert text in core.error
    for data in (pool, config, array, extension_bytes(frozenset([512, -513]))):
        for cut in (0, 7, 8, len(data) - 1):
            assert core.load(POOL, [pool, config, data[:cut]]) < 0
    # ticks in an array that the bitmap does not know
    assert core.load(POOL, [pool, config, array_bytes(3600, {3600: 1}, 60)]) < 0


def test_the_bitmap_extension_there_and_back() -> None:
    rng = random.Random(3)
    numbers = [n for n in (rng.randrange(-7394, 7394) for _ in range(500)) if not -512 <= n < 512]
    found = frozenset([*numbers, 512, 7393, -513, -1024, -1025, -7394])
    assert clmm.decode_extension(extension_bytes(found)) == (Pubkey.from_bytes(POOL), found)
