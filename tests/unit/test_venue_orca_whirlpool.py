"""Orca Whirlpool: C core against the Python reference and against what the real program paid; all real accounts."""

from __future__ import annotations

import base64
import gzip
import json
import random
import struct
from collections.abc import Iterator
from functools import lru_cache

import pytest
from solders.pubkey import Pubkey

from sniperforge.venues import golden
from sniperforge.venues import orca_whirlpool as orca
from sniperforge.venues.dumps import table
from sniperforge.venues.golden.orca_whirlpool import Snapshot
from sniperforge.venues.ticks import SQRT_PRICE_MAX_ORCA, SQRT_PRICE_MIN, TICK_MAX, TICK_MIN, orca_sqrt_price, tick_at
from sniperforge.venues.transfer_fee import NO_FEE, TransferFee
from tests.data import data_dir
from tests.venue_glue import LIQUIDITY_BITS, STATE_MAX, Core, plain, some_amount, some_liquidity

STATES = 700
QUOTES = 60
POOL = bytes(range(32))
NOW = 1_700_000_000

SWAP_GLUE = """
int swap_parse( uint8_t const * data, uint32_t len, uint64_t * out ) {
  sf_whirlpool_swap_t s;
  int err = sf_orca_whirlpool_swap_parse( data, len, &s );
  if( err ) return err;
  uint64_t words[] = { s.amount, s.threshold, (uint64_t)s.sqrt_price_limit, (uint64_t)( s.sqrt_price_limit >> 64 ),
                       s.exact_in, s.a_to_b, s.v2 };
  for( int i = 0; i < 7; i++ ) out[i] = words[i];
  return 0;
}
uint32_t swap_data( uint64_t const * in, uint8_t * out ) {
  sf_whirlpool_swap_t s = { .amount = in[0], .threshold = in[1], .sqrt_price_limit = (sf_u128_t)in[3] << 64 | in[2],
                            .exact_in = in[4], .a_to_b = in[5], .v2 = in[6] };
  return sf_orca_whirlpool_swap_data( &s, out );
}
uint32_t swap_accounts( int v2, int a_to_b, uint8_t const * authority, uint8_t const * a, uint8_t const * b,
                        uint8_t * out ) {
  sf_account_meta_t meta[SF_WHIRLPOOL_SWAP_ACCOUNT_MAX];
  sf_orca_whirlpool_state_t const * s = &work.state;
  int32_t start[SF_WHIRLPOOL_SWAP_ARRAYS];
  uint32_t cnt = 0, n = sf_orca_whirlpool_array_starts( s->spacing, s->ticks.tick, a_to_b, start );
  if( sf_orca_whirlpool_swap_accounts( s, v2, start, n, authority, a, b, meta, &cnt ) ) return 0;
  for( uint32_t i = 0; i < cnt; i++, out += 34 ) {
    for( int k = 0; k < 32; k++ ) out[k] = meta[i].pubkey[k];
    out[32] = meta[i].signer;
    out[33] = meta[i].writable;
  }
  return cnt;
}
"""


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Core:
    return Core(tmp_path_factory.mktemp("whirlpool"), "orca_whirlpool", SWAP_GLUE)


# -- accounts as bytes --------------------------------------------------------------------------------------


def pool_bytes(state: orca.State) -> bytes:
    data = bytearray(653)
    data[:8] = orca.POOL_DISCRIMINATOR
    tier = state.tick_spacing + 1 if state.adaptive else state.tick_spacing
    struct.pack_into("<4H", data, 41, state.tick_spacing, tier % 65536, state.fee_rate, state.protocol_fee_rate)
    data[49:65] = state.liquidity.to_bytes(16, "little")
    data[65:81] = state.sqrt_price.to_bytes(16, "little")
    struct.pack_into("<i", data, 81, state.tick)
    for place, at in enumerate((101, 133, 181, 213)):
        data[at] = place + 1
    return bytes(data)


def array_bytes(start: int, net: dict[int, int], tick_spacing: int, dynamic: bool = False) -> bytes:
    ticks, bitmap = b"", 0
    for i in range(88):
        tick = start + i * tick_spacing
        if tick in net:
            amount = net[tick]
            ticks += b"\1" + amount.to_bytes(16, "little", signed=True) + max(abs(amount), 1).to_bytes(16, "little")
            ticks += bytes(80)
            bitmap |= 1 << i
        else:
            ticks += bytes(1 if dynamic else 113)
    if dynamic:
        return orca.DYNAMIC_DISCRIMINATOR + struct.pack("<i", start) + POOL + bitmap.to_bytes(16, "little") + ticks
    return orca.ARRAY_DISCRIMINATOR + struct.pack("<i", start) + ticks + POOL


def oracle_bytes(o: orca.Oracle) -> bytes:
    data = bytearray(254)
    data[:8] = orca.ORACLE_DISCRIMINATOR
    data[8:40] = POOL
    struct.pack_into("<Q", data, 40, o.trade_enable)
    struct.pack_into("<HHH", data, 48, o.filter_period, o.decay_period, o.reduction_factor)
    struct.pack_into("<IIHH", data, 54, o.control_factor, o.accumulator_max, o.group_size, o.major_swap_ticks)
    struct.pack_into(
        "<QQIiI", data, 82, o.reference_update, o.major_swap, o.reference, o.group_reference, o.accumulator
    )
    return bytes(data)


# -- random pools -------------------------------------------------------------------------------------------


def some_oracle(rng: random.Random, spacing: int, tick: int) -> orca.Oracle:
    size = rng.choice([d for d in range(1, min(spacing, 300) + 1) if spacing % d == 0])
    top = rng.choice([10_000, 350_000, 3_000_000])
    return orca.Oracle(
        pool=Pubkey.from_bytes(POOL),
        trade_enable=rng.choice([0] * 20 + [NOW, NOW + 1]),
        filter_period=30,
        decay_period=600,
        reduction_factor=rng.choice([0, 3000, 9999]),
        control_factor=rng.choice([0, 1, 1500, 4000, 99_999]),
        accumulator_max=top,
        group_size=size,
        major_swap_ticks=spacing,
        reference_update=NOW - rng.choice([0, 10, 100, 1000, 3600, 3601, 100_000] * 4 + [-5]),
        major_swap=NOW - rng.choice([0, 29, 30, 599, 600, 5000]),
        reference=rng.randrange(top),
        group_reference=tick // size + rng.randrange(-20, 21),
        accumulator=rng.randrange(top),
    )


def some_state(rng: random.Random, adaptive: bool) -> orca.State:
    spacing = rng.choice([1, 2, 4, 8, 16, 32, 64, 64, 96, 128, 128, 256, 32896])
    span = 88 * spacing
    middle = rng.choice([0, 0, -20_000, 20_000, -120_000, 100_000, -400_000, 400_000, TICK_MIN, TICK_MAX])
    tick = max(TICK_MIN, min(TICK_MAX - 1, middle + rng.randrange(-3 * span, 3 * span + 1)))
    low, high = orca_sqrt_price(tick), orca_sqrt_price(tick + 1)
    price = rng.choice([low, rng.randrange(low, high), high - 1])
    usable = range(-(-TICK_MIN // spacing) * spacing, TICK_MAX + 1, spacing)
    near = [
        t for t in (tick // spacing * spacing + spacing * rng.randrange(-280, 281) for _ in range(60)) if t in usable
    ]
    near += [usable[0], usable[-1]]
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
    base = tick // span
    numbers = [n for n in range(base - 3, base + 5) if (n + 1) * span > TICK_MIN and n * span <= TICK_MAX]
    numbers = [n for n in numbers if rng.randrange(5)]
    arrays = {n * span: {t: v for t, v in net.items() if n * span <= t < (n + 1) * span} for n in numbers}
    fees = [
        NO_FEE if rng.randrange(4) else TransferFee(rng.choice([1, 100, 9999, 10_000]), some_amount(rng)) for _ in "ab"
    ]
    return orca.State(
        spacing,
        rng.choice([0, 1, 100, 3000, 10_000, 60_000]),
        rng.choice([0, 300, 1300, 2500]),
        max(0, liquidity) % 2**128,
        price,
        tick,
        arrays,
        adaptive,
        some_oracle(rng, spacing, tick) if adaptive and rng.randrange(20) else None,
        (fees[0], fees[1]),
    )


def loaded(core: Core, state: orca.State, rng: random.Random) -> int:
    accounts = [pool_bytes(state)]
    accounts += [
        array_bytes(start, net, state.tick_spacing, rng.randrange(2) == 1) for start, net in state.arrays.items()
    ]
    if state.oracle is not None:
        accounts.append(oracle_bytes(state.oracle))
    code = core.load(POOL, accounts)
    for side, fee in enumerate(state.transfer_fees):
        core.lib.state_transfer_fee(side, fee.bps, fee.maximum)
    return code


def some_limit(rng: random.Random, state: orca.State, a_to_b: bool) -> int:
    kind = rng.randrange(12)
    if kind > 4:
        return 0
    if kind == 0:
        return rng.choice([1, SQRT_PRICE_MIN - 1, SQRT_PRICE_MIN, SQRT_PRICE_MAX_ORCA, SQRT_PRICE_MAX_ORCA + 1])
    if kind == 1:
        return state.sqrt_price + rng.randrange(-1, 2)
    if kind == 2:
        ticks = [t for net in state.arrays.values() for t in net]
        return orca_sqrt_price(rng.choice(ticks)) if ticks else 0
    tick = state.tick + (-1 if a_to_b else 1) * rng.randrange(300 * state.tick_spacing)
    return orca_sqrt_price(max(TICK_MIN, min(TICK_MAX, tick))) + rng.randrange(2)


@pytest.mark.parametrize("adaptive", [False, True])
def test_core_and_reference_agree(core: Core, adaptive: bool) -> None:
    rng = random.Random(20260401 + adaptive)
    tried = {"ok": 0, "refused": 0, "exhausted": 0}
    crossings = 0
    for _ in range(STATES):
        state = some_state(rng, adaptive)
        assert loaded(core, state, rng) == 0, core.error
        amounts = [some_amount(rng) for _ in range(QUOTES // 4)]
        for a_to_b in (False, True):
            most = state.quote_in(a_to_b, 2**64 - 1, NOW)
            amounts += [side // rng.choice([1, 1, 2, 3, 7]) for side in most[:2]]
        for _ in range(QUOTES):
            a_to_b, exact_in = rng.randrange(2) == 1, rng.randrange(2) == 1
            # also where one amount ends, and one more or less: the ends of stretches
            amount = max(0, min(2**64 - 1, rng.choice(amounts) + rng.choice([0, 0, 0, 0, 1, -1])))
            limit = some_limit(rng, state, a_to_b)
            want = (state.quote_in if exact_in else state.quote_out)(a_to_b, amount, NOW, limit)
            got = core.quote(a_to_b, exact_in, amount, limit, NOW)
            assert got == plain(want), (state, a_to_b, exact_in, amount, limit)
            tried[want.status] += 1
            crossings += want.crossed
            amounts += [want.amount_in, want.amount_out]
        for most in (700, 1100, STATE_MAX):
            core.travels(NOW, most=most)
    assert min(tried.values()) > STATES * QUOTES // 50, tried
    assert crossings > STATES * 5


def test_tick_prices(core: Core) -> None:
    rng = random.Random(5)
    assert (orca_sqrt_price(TICK_MIN), orca_sqrt_price(TICK_MAX)) == (SQRT_PRICE_MIN, SQRT_PRICE_MAX_ORCA)
    for _ in range(2000):
        tick = rng.randrange(TICK_MIN, TICK_MAX)
        low, high = orca_sqrt_price(tick), orca_sqrt_price(tick + 1)
        assert tick_at(low, orca_sqrt_price) == tick_at(high - 1, orca_sqrt_price) == tick


# -- real data ----------------------------------------------------------------------------------------------


def test_what_the_real_program_paid() -> None:
    path = data_dir("golden") / "whirlpool_slot185759999.csv"
    seen = 0
    for row in golden.rows(path, data_dir("accounts/orca_whirlpool")):
        c, python = row.run_c(), row.run_python()
        assert golden.difference(row.expected, c) == golden.difference(row.expected, python) == "", row.name
        assert plain(c) == plain(python), row.name
        seen += 1
    assert seen == 3399


@lru_cache(maxsize=1)
def snapshot() -> Snapshot:
    return Snapshot(table(data_dir("accounts/orca_whirlpool") / "all_pools_slot185759999.csv.gz"))


def test_all_real_pools_load_and_agree(core: Core) -> None:
    rng = random.Random(7)
    assert len(snapshot().pools) == 1283
    compared, travelled, ticks, most = 0, 0, 0, 0
    for address, data in snapshot().pools.items():
        pool = orca.decode_pool(data)
        arrays = snapshot().arrays(address, pool.tick_spacing)
        accounts = [data, *(one for one, _ in arrays.values())]
        assert core.load(bytes(Pubkey.from_string(address)), accounts) == 0, (address, core.error)
        state = orca.State.of(pool, {start: net for start, (_, net) in arrays.items()})
        for _ in range(16):
            a_to_b, exact_in, amount = rng.randrange(2) == 1, rng.randrange(2) == 1, some_amount(rng)
            want = (state.quote_in if exact_in else state.quote_out)(a_to_b, amount)
            assert core.quote(a_to_b, exact_in, amount) == plain(want), (address, a_to_b, exact_in, amount)
            compared += 1
        quotes, _, carried = core.travels(NOW)
        travelled, ticks, most = travelled + quotes, ticks + carried, max(most, carried)
        core.travels(NOW, most=1000)
    assert compared == 1283 * 16
    assert travelled > 1283 * 32 and ticks > 1283 * 2 and most >= 24, (travelled, ticks, most)


def dumps(name: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(data_dir(f"accounts/orca_whirlpool/{name}").glob("*.json")):
        dump = json.loads(path.read_text())
        yield dump["pubkey"], base64.b64decode(dump["account"]["data"][0])


@pytest.mark.parametrize(
    ("name", "pools", "arrays"), [("samo_usdc_and_sol_usdc_ts64", 2, 14), ("sol_usdc_ts64_2023", 1, 39)]
)
def test_dumps_of_other_years(core: Core, name: str, pools: int, arrays: int) -> None:
    found = Snapshot(dumps(name))
    assert len(found.pools) == pools
    loaded_arrays = 0
    for address, data in found.pools.items():
        pool = orca.decode_pool(data)
        known = found.arrays(address, pool.tick_spacing)
        loaded_arrays += len(known)
        assert core.load(bytes(Pubkey.from_string(address)), [data, *(one for one, _ in known.values())]) == 0
        state = orca.State.of(pool, {start: net for start, (_, net) in known.items()})
        for exponent in range(19):
            for a_to_b in (False, True):
                want = state.quote_in(a_to_b, 10**exponent)
                assert core.quote(a_to_b, True, 10**exponent) == plain(want)
    assert loaded_arrays == arrays


def sample(name: str) -> dict[str, object]:
    decoded: dict[str, object] = json.loads((data_dir("accounts/decode_samples_carbon") / name).read_text())
    return decoded


def test_samples_decode() -> None:
    pool = orca.decode_pool(base64.b64decode(str(sample("orca-whirlpool_whirlpool_account.json")["data"])))
    assert (pool.tick_spacing, pool.fee_tier_index) == (32896, 32896)
    array = orca.decode_array(base64.b64decode(str(sample("orca-whirlpool_tick_array_account.json")["data"])), 32896)
    assert (array.start, len(array.net)) == (-88 * 32896, 1)


@pytest.mark.parametrize(("name", "v2"), [("orca-whirlpool_swap_ix.json", 0), ("orca-whirlpool_swap_v2_ix.json", 1)])
def test_instruction_data(core: Core, name: str, v2: int) -> None:
    data = bytes.fromhex(str(sample(name)["data"]))
    out = core.ffi.new("uint64_t[7]")
    assert core.lib.swap_parse(data, len(data), out) == 0
    words = core.ffi.unpack(out, 7)
    fields = sample(name)["data_decoded"] if v2 else None
    if isinstance(fields, dict):
        assert words[0] == int(fields["amount"]["data"]) and words[1] == int(fields["otherAmountThreshold"]["data"])
        assert words[2] | words[3] << 64 == int(fields["sqrtPriceLimit"]["data"])
        assert words[4:] == [1, 1, 1]
    again = core.ffi.new("uint8_t[64]")
    assert core.lib.swap_data(out, again) == len(data) and bytes(core.ffi.buffer(again, len(data))) == data
    for cut in range(len(data)):
        assert core.lib.swap_parse(data, cut, out) < 0


def test_wrong_bytes_are_refused(core: Core) -> None:
    state = orca.State(64, 3000, 300, 10**12, orca_sqrt_price(100), 100, {0: {64: 10**12, 640: -(10**12)}})
    pool, array = pool_bytes(state), array_bytes(0, state.arrays[0], 64)
    assert core.load(POOL, [pool, array]) == 0
    for data, at, value, text in (
        (pool, 0, 0, "offset 0"),
        (pool, 46, 255, "offset 45"),
        (pool, 81, 7, "offset 81"),
        (pool, 80, 255, "offset 65"),
        (array, 12, 2, "offset 12"),
        (array, 9956, 99, "offset 9956"),
        (array, 8, 1, "offset 8"),
        (array, 12 + 113 + 16, 127, "offset 126"),
    ):
        wrong = bytearray(data)
        wrong[at] = value
        if data is pool:
            with pytest.raises(orca.VenueDataError, match=text):
                orca.decode_pool(bytes(wrong))
        elif at != 9956:
            with pytest.raises(orca.VenueDataError, match=text):
                orca.decode_array(bytes(wrong), 64)
        assert core.load(POOL, [bytes(wrong)] if data is pool else [pool, bytes(wrong)]) < 0
        assert text in core.error
    for data in (pool, array, array_bytes(0, state.arrays[0], 64, dynamic=True)):
        for cut in (0, 7, 8, 59, 60, 147, len(data) - 1):
            assert core.load(POOL, [pool, data[:cut]]) < 0


def test_an_adaptive_pool_without_its_oracle_has_no_price(core: Core) -> None:
    state = orca.State(64, 3000, 300, 10**12, orca_sqrt_price(100), 100, {0: {}}, adaptive=True)
    assert core.load(POOL, [pool_bytes(state), array_bytes(0, {}, 64)]) == 0
    assert core.quote(True, True, 1000).status == state.quote_in(True, 1000).status == "refused"


def test_day_end_accounts_decode(core: Core) -> None:
    with gzip.open(data_dir("accounts/orca_whirlpool") / "all_accounts_20220406_eod.json.gz", "rt") as file:
        accounts = [(a["pubkey"], base64.b64decode(a["data"])) for a in json.load(file)["accounts"]]
    found = Snapshot(iter(accounts))
    assert len(found.pools) == 9
    for address, data in found.pools.items():
        known = found.arrays(address, orca.decode_pool(data).tick_spacing)
        assert core.load(bytes(Pubkey.from_string(address)), [data, *(one for one, _ in known.values())]) == 0
