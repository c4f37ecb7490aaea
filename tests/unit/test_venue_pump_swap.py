"""PumpSwap: the C core against the plain-integer reference, and both against what the program's events say it did."""

from __future__ import annotations

import json
import random
from base64 import b64decode
from collections import Counter
from typing import Any

import pytest
from solders.pubkey import Pubkey
from solders.token import ID as TOKEN_PROGRAM
from solders.token.associated import get_associated_token_address

from ipc._core import ffi, lib
from ipc.errors import CoreError, check
from sniperforge.venues import core, pump_fees, pump_swap
from sniperforge.venues.pump_fees import Rates, Schedule
from sniperforge.venues.quote import Quote
from sniperforge.venues.raydium_cpmm import VenueDataError
from tests.data import data_dir
from tests.unit import pump_captures

U64 = 2**64
ROUNDS = 12_000
BUY_EVENT, SELL_EVENT = bytes.fromhex("67f4521f2cf57777"), bytes.fromhex("3e2f370aa503dc2a")
SUPPLY = 10**15


def word(rng: random.Random) -> int:
    if rng.randrange(8) == 0:
        return rng.choice([0, 1, 2, 3, 9_999, 10_000, U64 - 1, U64 - 2, 2**63, 2**32])
    return rng.getrandbits(64) >> rng.randrange(64)


def in_c(state: pump_swap.State) -> Any:
    made = ffi.new("sf_pump_swap_state_t *")
    made.base, made.quote, made.payable = state.vaults[0], state.quote, state.vaults[1] - state.kept
    made.room = [U64 - 1 - state.vaults[0], U64 - 1 - state.vaults[1]]
    rates = state.schedule.rates
    made.rates.lp, made.rates.protocol, made.rates.creator = rates
    made.no_buys, made.no_sales = state.no_buys, state.no_sales
    if state.vaults[0] % 2:  # quotes are the same the short way and the long
        lib.sf_pump_swap_ready(made)
    return made


def random_state(rng: random.Random) -> pump_swap.State:
    base, quote = word(rng), word(rng)
    virtual = rng.choice([0, 0, rng.randrange(U64 - quote), -rng.randrange(quote + 1)])
    kept = rng.choice([0, 0, rng.randrange(quote + 1)])
    rates = rng.choice(
        [Rates(20, 5, 5), Rates(20, 5, 95), Rates(25, 5, 0), Rates(2, 93, 30), Rates(), Rates(4998, 1, 1)]
    )
    closed = rng.randrange(20)
    return pump_swap.State((base, quote), Schedule(rates), virtual, kept, closed == 0, closed == 1)


def same(state: pump_swap.State, made: Any, a_to_b: bool, exact_in: bool, amount: int) -> Quote:
    function = lib.sf_pump_swap_quote_in if exact_in else lib.sf_pump_swap_quote_out
    got = core.quote(function, made, a_to_b, amount)
    if got.status == "refused":
        got = Quote(0, 0, got.status, got.error)
    reference = (state.quote_in if exact_in else state.quote_out)(a_to_b, amount)
    assert got == reference, (state, a_to_b, exact_in, amount)
    return got


def test_random_trades_agree() -> None:
    rng = random.Random(20260707)
    outcomes: Counter[tuple[bool, bool, str]] = Counter()
    for _ in range(ROUNDS):
        state = random_state(rng)
        made = in_c(state)
        for a_to_b in (False, True):
            for exact_in in (False, True):
                amount = word(rng)
                if rng.randrange(3) == 0 and not exact_in:  # near a full drain
                    amount = max(0, (state.vaults[1] - state.kept if a_to_b else state.vaults[0]) - rng.randrange(3))
                elif rng.randrange(2) and not exact_in:
                    amount %= 1 + (state.quote if a_to_b else state.vaults[0])
                outcomes[a_to_b, exact_in, same(state, made, a_to_b, exact_in, amount).status] += 1
    assert len(outcomes) == 8 and min(outcomes.values()) > ROUNDS / 10, outcomes


def test_extremes_agree() -> None:
    edge = [0, 1, 2, 3, 10_000, U64 // 2, U64 - 2, U64 - 1]
    for base in edge:
        for quote in edge:
            for virtual in {0, -(quote // 2), U64 - 1 - quote}:
                state = pump_swap.State((base, quote), Schedule(Rates(20, 5, 95)), virtual, quote // 3)
                made = in_c(state)
                for amount in edge:
                    for a_to_b in (False, True):
                        for exact_in in (False, True):
                            same(state, made, a_to_b, exact_in, amount)


def test_a_sale_for_an_amount_is_the_least() -> None:
    rng = random.Random(8)
    for _ in range(2_000):
        state = pump_swap.State(
            (1 + word(rng) // 4, 10**6 + word(rng) // 4), Schedule(Rates(20, 5, rng.choice([0, 95])))
        )
        want = 1 + word(rng) % (state.quote // 2)
        sale = state.quote_out(True, want)
        if sale.status != "ok":
            continue
        assert sale.amount_out >= want
        for fewer in range(1, min(20, sale.amount_in)):
            assert state.quote_in(True, sale.amount_in - fewer).amount_out < want


# -- captured events -------------------------------------------------------------------------------------


def parsed(data: bytes) -> Any | None:
    event = ffi.new("sf_pump_swap_traded_t *")
    return None if lib.sf_pump_swap_traded_parse(data, len(data), event) else event


def account(name: str) -> bytes:
    text = (data_dir("accounts") / "pump_amm" / "usdc_sol" / f"{name}.json").read_text()
    return b64decode(json.loads(text)["account"]["data"][0])


def test_every_captured_event_is_explained() -> None:
    """Amounts and each fee follow from the reserves in the event; the rates follow from the fee config."""
    config = pump_fees.decode_config(account("fee_config"))
    found: Counter[str] = Counter()
    for name, data in pump_captures.events(BUY_EVENT, SELL_EVENT):
        event = parsed(data)
        assert event is not None, name
        sold = bool(event.a_to_b)
        rates = Rates(event.bps[0], event.bps[1], event.bps[2] + event.cashback_bps)
        state = pump_swap.State(tuple(event.reserve), Schedule(rates))
        quote = same(state, in_c(state), sold, sold, event.base)
        paid = (event.base, event.user_quote) if sold else (event.user_quote, event.base)
        assert (quote.amount_in, quote.amount_out) == paid, name
        fees = event.fee[0], event.fee[1], event.fee[2] + event.cashback
        assert (quote.fee, quote.protocol_fee, quote.creator_fee) == (sum(fees), fees[1], fees[2]), name
        if not sold:  # for a budget of what this one cost the program gives no more than the budget buys
            spent = same(state, in_c(state), False, True, event.user_quote)
            assert same(state, in_c(state), False, False, spent.amount_out).amount_in <= event.user_quote, name
        found["sale" if sold else "buy"] += 1
        if event.time < 1_756_684_800:  # before the fee program: all paid the same
            assert rates == Rates(20, 5, 5), name
            continue
        pumps = bytes(event.coin_creator) != bytes(32)
        cap = event.reserve[1] * SUPPLY // event.reserve[0]
        assert rates == config.rates(pumps=pumps, quote_mint=pump_fees.SOL_MINTS[1], market_cap=cap), name
        found["by the fee config"] += 1
    assert found == {"buy": 4, "sale": 3, "by the fee config": 3}


def test_events_are_read_in_both_forms_and_refused_when_cut() -> None:
    for _, data in pump_captures.events(BUY_EVENT, SELL_EVENT):
        event, again = parsed(data), parsed(pump_captures.EVENT_TAG + data)
        assert event is not None and again is not None
        assert bytes(ffi.buffer(again)) == bytes(ffi.buffer(event))
        for length in range(len(data)):
            cut = parsed(data[:length])
            assert cut is None or (cut.base == event.base and length >= 312)


def test_captured_instructions_are_read() -> None:
    found: Counter[tuple[int, int, int, int]] = Counter()
    trade, out = ffi.new("sf_pump_swap_trade_t *"), ffi.new("uint8_t[25]")
    for _, data, accounts in pump_captures.instructions(str(pump_swap.PROGRAM)):
        if lib.sf_pump_swap_trade_parse(data, len(data), trade):
            continue
        found[trade.v2, trade.a_to_b, trade.exact_in, len(accounts)] += 1
        assert lib.sf_pump_swap_trade_data(trade, out) == 24 + (not trade.a_to_b)
        assert bytes(out)[:24] == data[:24]
    assert found == {(0, 0, 0, 19): 2, (0, 1, 1, 19): 2, (0, 0, 0, 23): 2}


def pool_bytes(*fields: tuple[int, bytes], size: int = 300) -> bytes:
    data = bytearray(size)
    data[:8] = pump_swap.POOL_DISCRIMINATOR
    data[43], data[75], data[139], data[171] = 1, 2, 3, 4
    for offset, value in fields:
        data[offset : offset + len(value)] = value
    return bytes(data)


def key(text: str) -> bytes:
    return bytes(Pubkey.from_string(text))


def accounts_of(
    v2: bool,
    a_to_b: bool,
    captured: list[str],
    creator: bytes = bytes(32),
    buyback: bytes = bytes(32),
    cashback: int = 0,
) -> list[str]:
    """Our list for the pool and user of a captured instruction."""
    pool, user, _, base, quote, user_base, user_quote, vault_base, vault_quote, recipient, *rest = captured
    mints = (43, key(base)), (75, key(quote)), (139, key(vault_base)), (171, key(vault_quote)), (211, creator)
    data = pool_bytes(*mints, (244, bytes([cashback])))
    state, settings = ffi.new("sf_pump_swap_state_t *"), ffi.new("sf_pump_swap_global_t *")
    check(lib.sf_pump_swap_pool_decode(key(pool), data, len(data), state))
    state.program[0], state.program[1] = key(rest[1]), key(rest[2])
    config = bytearray(949)
    config[:8], config[57:89], config[643:675] = pump_swap.GLOBAL_DISCRIMINATOR, key(recipient), buyback
    check(lib.sf_pump_swap_global_decode(bytes(config), len(config), settings))
    metas, count = ffi.new("sf_account_meta_t[27]"), ffi.new("uint32_t *")
    users = key(user), key(user_base), key(user_quote)
    state.recipients = settings.recipients
    check(lib.sf_pump_swap_trade_accounts(state, v2, a_to_b, *users, metas, count))
    assert [i for i in range(count[0]) if metas[i].signer] == [1]
    return [str(Pubkey.from_bytes(bytes(metas[i].pubkey))) for i in range(count[0])]


def test_accounts_are_those_of_captured_instructions() -> None:
    creators = {
        bytes(event.pool): bytes(event.coin_creator)
        for _, data in pump_captures.events(BUY_EVENT, SELL_EVENT)
        if (event := parsed(data))
    }
    lengths = []
    for name, data, captured in pump_captures.instructions(str(pump_swap.PROGRAM)):
        trade = ffi.new("sf_pump_swap_trade_t *")
        if lib.sf_pump_swap_trade_parse(data, len(data), trade):
            continue
        ours = accounts_of(False, bool(trade.a_to_b), captured, creators[key(captured[0])])
        assert ours[: len(captured)] == captured or ours[:19] == captured, name  # the last four came in September 2025
        lengths.append(len(ours))
    assert sorted(lengths) == [21, 21, 23, 23, 23, 23]


def test_accounts_of_the_newer_form() -> None:
    captured = [str(Pubkey.new_unique()) for _ in range(23)]
    buyback = bytes(Pubkey.new_unique())
    buy, sell = (accounts_of(True, a_to_b, captured, buyback=buyback) for a_to_b in (False, True))
    assert buy == sell and len(buy) == 17
    assert buy[:2] == captured[:2] and buy[2] == str(pump_swap.GLOBAL_CONFIG) and buy[3:9] == captured[3:9]
    assert buy[13] == str(pump_swap.FEE_CONFIG) and buy[16] == str(pump_swap.PROGRAM)
    data = pool_bytes((244, b"\x01"))
    state = ffi.new("sf_pump_swap_state_t *")
    check(lib.sf_pump_swap_pool_decode(bytes(32), data, len(data), state))
    metas, count = ffi.new("sf_account_meta_t[27]"), ffi.new("uint32_t *")
    with pytest.raises(CoreError, match="cashback"):
        check(lib.sf_pump_swap_trade_accounts(state, 1, 0, bytes(32), bytes(32), bytes(32), metas, count))


def test_accounts_since_there_is_a_buyback() -> None:
    """Behind the others: of a cashback coin the user's volume, of a coin with a creator `pool-v2`, then the buyback."""
    captured = [str(Pubkey.new_unique()) for _ in range(11)] + [str(TOKEN_PROGRAM)] * 12
    creator, buyback = bytes(Pubkey.new_unique()), Pubkey.new_unique()
    quote, user = Pubkey.from_string(captured[4]), Pubkey.from_string(captured[1])
    volume, _ = Pubkey.find_program_address([b"user_volume_accumulator", bytes(user)], pump_swap.PROGRAM)
    pool_v2, _ = Pubkey.find_program_address([b"pool-v2", bytes(Pubkey.from_string(captured[3]))], pump_swap.PROGRAM)
    tail = [str(buyback), str(get_associated_token_address(buyback, quote))]
    volume_quote = str(get_associated_token_address(volume, quote))
    for a_to_b, fixed in ((False, 23), (True, 21)):
        plain = accounts_of(False, a_to_b, captured, creator)
        assert len(plain) == fixed
        assert accounts_of(False, a_to_b, captured, buyback=bytes(buyback))[fixed:] == tail
        listed = accounts_of(False, a_to_b, captured, creator, bytes(buyback))
        assert listed == [*plain, str(pool_v2), *tail]
        paid_back = accounts_of(False, a_to_b, captured, creator, bytes(buyback), cashback=1)
        assert paid_back == [*plain, volume_quote, *([str(volume)] if a_to_b else []), str(pool_v2), *tail]


def test_trade_data() -> None:
    trade, out = ffi.new("sf_pump_swap_trade_t *"), ffi.new("uint8_t[25]")
    for v2 in (0, 1):
        for a_to_b, exact_in in ((0, 0), (0, 1), (1, 1)):
            back = ffi.new("sf_pump_swap_trade_t *")
            trade.amount, trade.threshold, trade.v2, trade.a_to_b, trade.exact_in = 258, 3, v2, a_to_b, exact_in
            length = lib.sf_pump_swap_trade_data(trade, out)
            check(lib.sf_pump_swap_trade_parse(bytes(out), length, back))
            assert bytes(ffi.buffer(back)) == bytes(ffi.buffer(trade))
    trade.exact_in = 0
    with pytest.raises(CoreError, match="exact output"):
        check(lib.sf_pump_swap_trade_data(trade, out))
    for bad in (b"", bytes(out)[:23], bytes(24)):
        assert lib.sf_pump_swap_trade_parse(bad, len(bad), trade) == lib.SF_ERR_DATA


# -- accounts --------------------------------------------------------------------------------------------


def decodes(data: bytes) -> bool:
    """Whether both decode it; fails if they differ."""
    made = ffi.new("sf_pump_swap_state_t *")
    code = lib.sf_pump_swap_pool_decode(bytes(32), data, len(data), made)
    try:
        pool = pump_swap.decode_pool(data)
    except VenueDataError:
        assert code == lib.SF_ERR_DATA
        return False
    assert code == 0 and bool(made.pumps) == pool.pumps
    return True


def test_real_pool() -> None:
    data = account("pool")
    pool = pump_swap.decode_pool(data)
    assert len(data) == 301 and not pool.pumps and pool.virtual_quote == 0 and pool.kept == 0
    assert decodes(data)
    settings = pump_swap.decode_global(account("global_config"))
    assert settings == pump_swap.Global(Rates(20, 5, 5), False, False, False)
    config = pump_fees.decode_config(account("fee_config"))
    assert (len(config.tiers), len(config.stable), config.exotic) == (25, 25, Rates())
    state = pump_swap.State.of(pool, (10**12, 10**13), 0, settings, config)
    assert state.schedule.rates == Rates(25, 5, 0)


def test_bad_bytes_are_refused_alike() -> None:
    data = account("pool")
    lengths = [length for length in range(len(data) + 40) if decodes((data + bytes(40))[:length])]
    assert lengths[0] == 211 and lengths[-1] == len(data) + 39
    for bit in [*range(64), *range(8 * 43, 8 * 75), *range(8 * 211, 8 * len(data))]:
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        decodes(bytes(flipped))
    settings, made = account("global_config"), ffi.new("sf_pump_swap_global_t *")
    for length in range(len(settings)):
        code = lib.sf_pump_swap_global_decode(settings[:length], length, made)
        try:
            pump_swap.decode_global(settings[:length])
        except VenueDataError:
            assert code == lib.SF_ERR_DATA and length < 313
        else:
            assert code == 0 and length >= 313
    config, fees = account("fee_config"), ffi.new("sf_pump_fee_config_t *")
    for length in range(len(config) + 60):
        cut = (config + bytes(60))[:length]
        code = lib.sf_pump_fee_config_decode(cut, length, fees)
        try:
            pump_fees.decode_config(cut)
        except VenueDataError:
            assert code == lib.SF_ERR_DATA
        else:
            assert code == 0


def test_prices_of_random_pools_agree() -> None:
    """Versions, virtual reserves of either sign, kept fees, own creator fees, the rates in force."""
    rng = random.Random(21)
    config_bytes = account("fee_config")
    config, fees = pump_fees.decode_config(config_bytes), ffi.new("sf_pump_fee_config_t *")
    check(lib.sf_pump_fee_config_decode(config_bytes, len(config_bytes), fees))
    base_mint = bytes([9]) * 32
    authority, _ = Pubkey.find_program_address([b"pool-authority", base_mint], pump_swap.PUMP_FUN)
    seen: Counter[str] = Counter()
    for _ in range(1_500):
        quote = word(rng)
        data = pool_bytes(
            (11, rng.choice([bytes(authority), bytes(32)])),
            (43, base_mint),
            (75, rng.choice([bytes(pump_fees.SOL_MINTS[1]), bytes(pump_fees.USDC), bytes([8]) * 32])),
            (211, rng.choice([bytes(32), bytes([1]) * 32])),
            (243, bytes([rng.randrange(2), rng.randrange(2)])),
            (245, rng.choice([0, -(word(rng) % (quote + 1)), word(rng)]).to_bytes(16, "little", signed=True)),
            (261, rng.choice([0, 0, 77, 300]).to_bytes(8, "little")),
            (271, (word(rng) % (quote + 1)).to_bytes(8, "little")),
        )[: rng.choice([211, 243, 245, 261, 271, 287, 300])]
        switches = bytearray(account("global_config") + bytes(42))
        switches[56], switches[940] = rng.randrange(32), rng.randrange(2)
        vaults, supply = (word(rng), quote), word(rng)
        use = rng.randrange(8) > 0
        state, settings = ffi.new("sf_pump_swap_state_t *"), ffi.new("sf_pump_swap_global_t *")
        check(lib.sf_pump_swap_pool_decode(bytes(32), data, len(data), state))
        check(lib.sf_pump_swap_global_decode(bytes(switches), len(switches), settings))
        code = lib.sf_pump_swap_price(state, *vaults, supply, settings, fees if use else ffi.NULL)
        try:
            python = pump_swap.State.of(
                pump_swap.decode_pool(data),
                vaults,
                supply,
                pump_swap.decode_global(bytes(switches)),
                config if use else None,
            )
        except VenueDataError:
            assert code == lib.SF_ERR_DATA
            seen["refused"] += 1
            continue
        assert code == 0
        rates = state.rates
        assert (rates.lp, rates.protocol, rates.creator) == python.schedule.rates
        assert (state.base, state.quote, state.payable) == (vaults[0], python.quote, vaults[1] - python.kept)
        for a_to_b in (False, True):
            same(python, state, a_to_b, rng.randrange(2) == 1, word(rng))
        seen[f"{rates.lp}/{rates.protocol}/{rates.creator}"] += 1
    assert len(seen) > 10 and seen["refused"], seen
