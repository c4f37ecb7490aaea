"""pump.fun's curve: the C core against the plain-integer reference, and both against what the program paid."""

from __future__ import annotations

import json
import random
from base64 import b64decode
from collections import Counter
from typing import Any

import pytest
from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import CoreError, check
from sniperforge.venues import core, golden, pump_fees, pump_fun
from sniperforge.venues.pump_fees import FeeConfig, Rates, Schedule
from sniperforge.venues.quote import Quote
from sniperforge.venues.raydium_cpmm import VenueDataError
from tests.data import data_dir
from tests.unit import pump_captures

U64 = 2**64
ROUNDS = 12_000
TRADE_EVENT = bytes.fromhex("bddb7fd34ee661ee")
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
FREE_OF_FEES = 353
"""Offset in PumpSwap's global config of the trader of coins in mayhem mode, whom the programs charge nothing."""


def word(rng: random.Random) -> int:
    if rng.randrange(8) == 0:
        return rng.choice([0, 1, 2, 3, 9_999, 10_000, U64 - 1, U64 - 2, 2**63, 2**32])
    return rng.getrandbits(64) >> rng.randrange(64)


def random_state(rng: random.Random) -> pump_fun.State:
    if rng.randrange(3) == 0:  # as curves are
        tokens = rng.randrange(280 * 10**12, 1073 * 10**12)
        quote = 30 * 10**9 * 1073 * 10**12 // tokens
        virtual, real = (tokens, quote), (tokens - 279_900_000_000_000, quote - 30 * 10**9)
    else:
        virtual = word(rng), word(rng)
        real = rng.randrange(virtual[0]) if virtual[0] else 0, word(rng)
    floor = rng.randrange(4) == 0
    rates = rng.choice([Rates(0, 95, 30), Rates(0, 95, 0), Rates(0, 100, 0), Rates(), Rates(0, 4999, 1)])
    return pump_fun.State(virtual, real, Schedule(rates, floor), rng.randrange(20) == 0)


def in_c(state: pump_fun.State) -> Any:
    made = ffi.new("sf_pump_fun_state_t *")
    rates = state.schedule.rates
    lib.sf_pump_fun_reserves_set(
        made, *state.virtual, *state.real, rates.protocol, rates.creator, int(state.schedule.floor)
    )
    made.complete = state.complete
    return made


def same(state: pump_fun.State, made: Any, a_to_b: bool, exact_in: bool, amount: int) -> Quote:
    function = lib.sf_pump_fun_quote_in if exact_in else lib.sf_pump_fun_quote_out
    got = core.quote(function, made, a_to_b, amount)
    if got.status == "refused":
        got = Quote(0, 0, got.status, got.error)
    reference = (state.quote_in if exact_in else state.quote_out)(a_to_b, amount)
    assert got == reference, (state, a_to_b, exact_in, amount)
    return got


def test_random_trades_agree() -> None:
    rng = random.Random(20260706)
    outcomes: Counter[tuple[bool, bool, str]] = Counter()
    for _ in range(ROUNDS):
        state = random_state(rng)
        made = in_c(state)
        for a_to_b in (False, True):
            for exact_in in (False, True):
                amount = word(rng)
                if rng.randrange(3) == 0 and not exact_in:  # near a full drain
                    amount = max(0, state.real[a_to_b] - rng.randrange(3))
                elif rng.randrange(2):
                    amount %= 1 + (state.real[a_to_b] if not exact_in else state.virtual[not a_to_b])
                outcomes[a_to_b, exact_in, same(state, made, a_to_b, exact_in, amount).status] += 1
    assert len(outcomes) == 8 and min(outcomes.values()) > ROUNDS / 10, outcomes


def test_extremes_agree() -> None:
    edge = [0, 1, 2, 3, 10_000, U64 // 2, U64 - 2, U64 - 1]
    for virtual_token in edge:
        for virtual_quote in edge:
            real = max(0, virtual_token - 1), virtual_quote
            for schedule in (Schedule(Rates(0, 95, 30)), Schedule(Rates(0, 100, 0), floor=True)):
                state = pump_fun.State((virtual_token, virtual_quote), real, schedule)
                made = in_c(state)
                for amount in edge:
                    for a_to_b in (False, True):
                        for exact_in in (False, True):
                            same(state, made, a_to_b, exact_in, amount)


def test_a_sale_for_an_amount_is_the_least() -> None:
    rng = random.Random(7)
    for _ in range(2_000):
        tokens = rng.randrange(280 * 10**12, 1073 * 10**12)
        quote = 30 * 10**9 * 1073 * 10**12 // tokens
        state = pump_fun.State((tokens, quote), (tokens // 2, quote), Schedule(Rates(0, 95, rng.choice([0, 5, 30]))))
        want = 1 + word(rng) % (quote // 2)
        sale = state.quote_out(True, want)
        assert sale.status == "ok" and sale.amount_out >= want
        for fewer in range(1, 20):
            assert state.quote_in(True, sale.amount_in - fewer).amount_out < want


def test_golden_rows() -> None:
    found = 0
    for row in golden.rows(data_dir("golden") / "pump_fun_curve_2025q1.csv", data_dir("accounts")):
        assert not golden.difference(row.expected, row.run_c()), row.name
        assert not golden.difference(row.expected, row.run_python()), row.name
        found += 1
    assert found == 60


def parsed(data: bytes) -> Any | None:
    event = ffi.new("sf_pump_fun_traded_t *")
    return None if lib.sf_pump_fun_traded_parse(data, len(data), event) else event


def test_every_captured_event_is_explained() -> None:
    """Reserves before a trade, its amounts and fees follow from the event of it, in both implementations."""
    found: Counter[str] = Counter()
    for name, data in pump_captures.events(TRADE_EVENT):
        event = parsed(data)
        if event is None:
            found["another program's"] += 1
            continue
        sold = bool(event.a_to_b)
        sign = -1 if sold else 1
        virtual = event.virtual_token + sign * event.tokens, event.virtual_quote - sign * event.quote
        real = event.real_token + sign * event.tokens, event.real_quote - sign * event.quote
        rates = Rates(0, event.protocol_bps, event.creator_bps + event.cashback_bps)
        state = pump_fun.State(virtual, real, Schedule(rates))
        fees = event.protocol_fee, event.creator_fee + event.cashback
        if not event.fees:  # 2024: not in the event; the rule was 1 % rounded down
            state = pump_fun.State(virtual, real, Schedule(Rates(0, 100, 0), floor=True))
            fees = event.quote // 100, 0
        elif not any(fees):
            text = (data_dir("accounts") / "pump_amm" / "usdc_sol" / "global_config.json").read_text()
            config = b64decode(json.loads(text)["account"]["data"][0])
            assert bytes(event.user) == config[FREE_OF_FEES : FREE_OF_FEES + 32] and event.mayhem, name
            bids = [
                int.from_bytes(data[16:24], "little")
                for file, data, _ in pump_captures.instructions(str(pump_fun.PROGRAM))
                if file == name
            ]
            assert bids == [event.quote], name  # it pays what it bids, not what the curve asks
            found["the mayhem trader's"] += 1
            continue
        budget = not sold and event.exact_in
        amount = event.quote + sum(fees) if budget else event.tokens
        quote = same(state, in_c(state), sold, bool(event.exact_in), amount)
        assert quote.status == "ok", name
        assert (quote.protocol_fee, quote.creator_fee) == fees, name
        assert (quote.reserve_a, quote.reserve_b) == (event.virtual_token, event.virtual_quote), name
        paid, got = event.quote + sum(fees), event.tokens
        if sold:
            paid, got = event.tokens, event.quote - sum(fees)
        assert (quote.amount_in, quote.amount_out) == (paid, got), name
        found[f"{'sale' if sold else 'buy'} of {len(data)} bytes"] += 1
    assert sum(count for kind, count in found.items() if "bytes" in kind) == 8, found
    assert found["the mayhem trader's"] == 1 and found["another program's"] == 2, found


def test_events_are_read_in_both_forms_and_refused_when_cut() -> None:
    for _, data in pump_captures.events(TRADE_EVENT):
        event = parsed(data)
        if event is None:
            continue
        again = parsed(pump_captures.EVENT_TAG + data)
        assert again is not None and bytes(ffi.buffer(again)) == bytes(ffi.buffer(event))
        for length in range(len(data)):
            cut = parsed(data[:length])
            assert cut is None or cut.tokens == event.tokens


def test_captured_instructions_are_read() -> None:
    found: Counter[tuple[int, int, int, int]] = Counter()
    trade, out = ffi.new("sf_pump_fun_trade_t *"), ffi.new("uint8_t[25]")
    for _, data, accounts in pump_captures.instructions(str(pump_fun.PROGRAM)):
        if lib.sf_pump_fun_trade_parse(data, len(data), trade):
            continue
        found[trade.form, trade.a_to_b, trade.exact_in, len(accounts)] += 1
        assert lib.sf_pump_fun_trade_data(trade, out) == 24 + (trade.form == 1 and not trade.a_to_b)
        assert bytes(out)[:24] == data[:24]
    assert found == {(1, 0, 0, 12): 3, (1, 1, 1, 12): 2, (2, 0, 0, 27): 1, (1, 0, 1, 18): 1}


def test_trade_data() -> None:
    trade, out = ffi.new("sf_pump_fun_trade_t *"), ffi.new("uint8_t[25]")
    for form in (1, 2, 3):
        for a_to_b, exact_in in ((0, 0), (0, 1), (1, 1)):
            back = ffi.new("sf_pump_fun_trade_t *")
            trade.amount, trade.threshold, trade.form, trade.a_to_b, trade.exact_in = 258, 3, form, a_to_b, exact_in
            length = lib.sf_pump_fun_trade_data(trade, out)
            assert length == 24 + (form == 1 and not a_to_b)
            check(lib.sf_pump_fun_trade_parse(bytes(out), length, back))
            assert bytes(ffi.buffer(back)) == bytes(ffi.buffer(trade))
    trade.exact_in = 0
    with pytest.raises(CoreError, match="exact output"):
        check(lib.sf_pump_fun_trade_data(trade, out))
    for bad in (b"", bytes(out)[:23], bytes(24)):
        assert lib.sf_pump_fun_trade_parse(bad, len(bad), trade) == lib.SF_ERR_DATA


def settings(*recipients: tuple[int, str], size: int = 1054) -> Any:
    """A global account with these addresses at these offsets; 113 bytes is that of January 2025."""
    data = bytearray(size)
    data[:8] = pump_fun.GLOBAL_DISCRIMINATOR
    for offset, key in recipients:
        data[offset : offset + 32] = bytes(Pubkey.from_string(key))
    made = ffi.new("sf_pump_fun_global_t *")
    check(lib.sf_pump_fun_global_decode(bytes(data), len(data), made))
    return made


def accounts_of(form: int, a_to_b: bool, captured: list[str], **keys: Any) -> list[str]:
    """Our list for the coin, user and creator of a captured instruction."""
    curve = bytearray(166)
    curve[:8] = pump_fun.CURVE_DISCRIMINATOR
    curve[49:81] = keys.get("creator", bytes(32))
    curve[81] = keys.get("mayhem", 0)
    curve[83:115] = keys.get("quote_mint", bytes(32))
    state = ffi.new("sf_pump_fun_state_t *")
    address = bytes(Pubkey.from_string(keys["curve"]))
    check(lib.sf_pump_fun_curve_decode(address, bytes(curve), len(curve), state))
    state.mint = bytes(Pubkey.from_string(keys["mint"]))
    if "base_program" in keys:
        state.program[0] = bytes(Pubkey.from_string(keys["base_program"]))
    metas, count = ffi.new("sf_account_meta_t[27]"), ffi.new("uint32_t *")
    user = bytes(Pubkey.from_string(keys["user"]))
    base = keys.get("base_account", captured[captured.index(keys["user"]) - 1])
    users = bytes(Pubkey.from_string(base)), bytes(Pubkey.from_string(keys.get("quote_account", base)))
    state.recipients = keys["settings"].recipients
    state.rates.floor = keys["settings"].rates.floor
    check(lib.sf_pump_fun_trade_accounts(state, form, a_to_b, user, *users, metas, count))
    assert [i for i in range(count[0]) if metas[i].signer] == [captured.index(keys["user"])]
    return [str(Pubkey.from_bytes(bytes(metas[i].pubkey))) for i in range(count[0])]


def test_accounts_are_those_of_captured_instructions() -> None:
    checked = 0
    for name, data, captured in pump_captures.instructions(str(pump_fun.PROGRAM)):
        trade = ffi.new("sf_pump_fun_trade_t *")
        if lib.sf_pump_fun_trade_parse(data, len(data), trade):
            continue
        if trade.form == 1 and name.startswith("2024"):
            ours = accounts_of(
                1,
                bool(trade.a_to_b),
                captured,
                curve=captured[3],
                mint=captured[2],
                user=captured[6],
                settings=settings((41, captured[1]), size=113),
            )
        elif trade.form == 1 and len(captured) == 18:
            ours = accounts_of(
                1,
                False,
                captured,
                curve=captured[3],
                mint=captured[2],
                user=captured[6],
                creator=next(bytes(event.creator) for _, event in _events_of(captured[2])),
                base_program=captured[8],
                settings=settings((41, captured[1]), (741, captured[17])),
            )
        elif trade.form == 2:
            creator = next(bytes(event.creator) for _, event in _events_of(captured[1]))
            ours = accounts_of(
                2,
                False,
                captured,
                curve=captured[10],
                mint=captured[1],
                user=captured[13],
                creator=creator,
                mayhem=1,
                quote_mint=bytes(Pubkey.from_string(USDC)),
                base_program=captured[3],
                base_account=captured[14],
                quote_account=captured[15],
                settings=settings((483, captured[6]), (741, captured[8])),
            )
        else:
            continue
        assert ours == captured, name
        checked += 1
    assert checked == 5


def _events_of(mint: str) -> list[tuple[str, Any]]:
    found = [(name, parsed(data)) for name, data in pump_captures.events(TRADE_EVENT)]
    return [(name, event) for name, event in found if event and bytes(event.mint) == bytes(Pubkey.from_string(mint))]


def test_other_forms_of_accounts() -> None:
    keys: dict[str, Any] = {
        "curve": str(Pubkey.new_unique()),
        "mint": str(Pubkey.new_unique()),
        "user": str(Pubkey.new_unique()),
        "settings": settings((41, str(Pubkey.new_unique())), (741, USDC)),
    }
    everywhere = [keys["user"]] * 27
    with pytest.raises(AssertionError):
        accounts_of(2, True, everywhere, **keys)
    buy = _plain(2, False, keys)
    sell = _plain(2, True, keys)
    assert (len(buy), len(sell)) == (27, 26) and [key for key in buy if key not in sell] == [buy[19]]
    v3 = _plain(3, False, keys)
    assert len(v3) == 17 and v3[8] == keys["user"] and v3[13] == USDC and set(v3) < set(buy)
    assert _plain(3, True, keys) == v3
    quoted = {**keys, "quote_mint": bytes(Pubkey.from_string(USDC))}
    assert _plain(3, True, quoted)[13] == _plain(2, True, quoted)[9]
    with pytest.raises(CoreError, match="not quoted in SOL"):
        _plain(1, True, quoted)
    buy, sell, back = _plain(1, False, keys), _plain(1, True, keys), _plain(1, True, {**keys, "cashback": 1})
    assert (len(buy), len(sell), len(back)) == (18, 16, 17) and buy[-2:] == sell[-2:] == back[-2:]
    assert sell[8] == buy[9] and sell[9] == buy[8] and back[14] == buy[13]
    before = {**keys, "settings": settings((41, str(Pubkey.new_unique())))}
    assert (len(_plain(1, False, before)), len(_plain(1, True, before))) == (16, 14)


def _plain(form: int, a_to_b: bool, keys: dict[str, Any]) -> list[str]:
    curve = bytearray(166)
    curve[:8] = pump_fun.CURVE_DISCRIMINATOR
    curve[82] = keys.get("cashback", 0)
    curve[83:115] = keys.get("quote_mint", bytes(32))
    state = ffi.new("sf_pump_fun_state_t *")
    check(lib.sf_pump_fun_curve_decode(bytes(Pubkey.from_string(keys["curve"])), bytes(curve), len(curve), state))
    state.mint = bytes(Pubkey.from_string(keys["mint"]))
    metas, count = ffi.new("sf_account_meta_t[27]"), ffi.new("uint32_t *")
    user = bytes(Pubkey.from_string(keys["user"]))
    users = bytes([1]) * 32, bytes([2]) * 32
    state.recipients = keys["settings"].recipients
    check(lib.sf_pump_fun_trade_accounts(state, form, a_to_b, user, *users, metas, count))
    return [str(Pubkey.from_bytes(bytes(metas[i].pubkey))) for i in range(count[0])]


# -- accounts --------------------------------------------------------------------------------------------


def real_curves() -> list[bytes]:
    folder = data_dir("tx") / "pump_fun"
    names = ("2024_raw_bondingCurve_from_getAccountInfo", "2025_raw_bonding_curve_from_getaccountinfo")
    found = [json.loads((folder / f"{name}.json").read_text())["result"]["value"]["data"][0] for name in names]
    return [b64decode(text) for text in found]


def real_global() -> bytes:
    dump = json.loads((data_dir("accounts") / "pump_fun" / "global_2025q1.json").read_text())
    return b64decode(dump["account"]["data"][0])


def decodes(data: bytes) -> bool:
    """Whether both decode it to the same; fails if they differ."""
    made = ffi.new("sf_pump_fun_state_t *")
    code = lib.sf_pump_fun_curve_decode(bytes(32), data, len(data), made)
    try:
        curve = pump_fun.decode_curve(data)
    except VenueDataError:
        assert code == lib.SF_ERR_DATA
        return False
    assert code == 0
    assert (made.virtual_token, made.virtual_quote, made.real_token, made.real_quote) == (*curve.virtual, *curve.real)
    assert (bool(made.complete), bytes(made.quote_mint)) == (curve.complete, bytes(curve.quote_mint))
    return True


def test_real_accounts() -> None:
    old, new = real_curves()
    assert (len(old), len(new)) == (49, 151)
    assert pump_fun.decode_curve(old).creator == Pubkey.default()
    curve = pump_fun.decode_curve(new)
    assert curve.creator != Pubkey.default() and curve.cashback and not curve.mayhem
    assert decodes(old) and decodes(new)
    assert pump_fun.decode_global(real_global()) == pump_fun.Global(Schedule(Rates(0, 100, 0), floor=True), False)
    made = ffi.new("sf_pump_fun_global_t *")
    check(lib.sf_pump_fun_global_decode(real_global(), 113, made))
    assert (made.rates.protocol, made.rates.creator, made.rates.floor) == (100, 0, 1)


def test_bad_bytes_are_refused_alike() -> None:
    for data in real_curves():
        padded = data + bytes(200 - len(data))
        lengths = [length for length in range(200) if decodes(padded[:length])]
        assert lengths and lengths[0] == 49 and lengths[-1] == 199
        for bit in range(8 * len(data)):
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            decodes(bytes(flipped))
    made = ffi.new("sf_pump_fun_global_t *")
    data = real_global()
    for length in range(len(data)):
        assert lib.sf_pump_fun_global_decode(data[:length], length, made) == lib.SF_ERR_DATA
        with pytest.raises(VenueDataError):
            pump_fun.decode_global(data[:length])


# -- fees ------------------------------------------------------------------------------------------------


def fee_config(rng: random.Random) -> tuple[bytes, FeeConfig | None]:
    """Bytes of a config, and what the reference makes of them."""
    tiers = [rng.randrange(4), rng.randrange(3)]
    data = bytearray(pump_fees.CONFIG_DISCRIMINATOR + bytes(33))

    def rates() -> bytes:
        limit = 60_000 if rng.randrange(40) == 0 else 300
        return b"".join(rng.choice([0, rng.randrange(limit)]).to_bytes(8, "little") for _ in range(3))

    data += rates()
    for count in tiers:
        data += count.to_bytes(4, "little")
        for _ in range(count):
            data += (word(rng) << rng.randrange(64)).to_bytes(16, "little") + rates()
    data += rates()
    size = rng.choice([2511, 2512, 4072, 4073, 4096, 4097, 5000])
    data = (data + bytes(5000))[:size]
    try:
        return bytes(data), pump_fees.decode_config(bytes(data))
    except VenueDataError:
        return bytes(data), None


def test_rates_of_random_configs_agree() -> None:
    rng = random.Random(11)
    mints = [bytes(32), bytes(Pubkey.from_string(USDC)), bytes([7]) * 32, bytes(pump_fees.SOL_MINTS[1])]
    priced = 0
    for _ in range(3_000):
        data, config = fee_config(rng)
        made = ffi.new("sf_pump_fee_config_t *")
        code = lib.sf_pump_fee_config_decode(data, len(data), made)
        assert (code == 0) == (config is not None)
        if config is None:
            continue
        curve = bytearray(166)
        curve[:8] = pump_fun.CURVE_DISCRIMINATOR
        curve[8:48] = b"".join(word(rng).to_bytes(8, "little") for _ in range(5))
        curve[24:32] = bytes(8)
        curve[49:81] = rng.choice([bytes(32), bytes([1]) * 32])
        curve[81], curve[83:115] = rng.randrange(2), rng.choice(mints)
        curve[115:123] = rng.choice([0, 77, 300]).to_bytes(8, "little")
        switch = bytearray(1054)
        switch[:8], switch[1045] = pump_fun.GLOBAL_DISCRIMINATOR, rng.randrange(2)
        state, settings_c = ffi.new("sf_pump_fun_state_t *"), ffi.new("sf_pump_fun_global_t *")
        check(lib.sf_pump_fun_curve_decode(bytes(32), bytes(curve), len(curve), state))
        check(lib.sf_pump_fun_global_decode(bytes(switch), len(switch), settings_c))
        code = lib.sf_pump_fun_price(state, settings_c, made)
        try:
            python = pump_fun.State.of(
                pump_fun.decode_curve(bytes(curve)), pump_fun.decode_global(bytes(switch)), config
            )
        except VenueDataError:
            assert code == lib.SF_ERR_DATA
            continue
        assert code == 0 and (0, state.rates.protocol, state.rates.creator) == python.schedule.rates
        priced += 1
    assert priced > 1_000
