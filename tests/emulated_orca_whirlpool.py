"""Random swaps of the emulated Orca Whirlpool against the C core and the Python reference."""

from __future__ import annotations

import random
import struct
import tempfile
from collections import Counter
from pathlib import Path

from solders.account import Account
from solders.pubkey import Pubkey

from sniperforge.simnet import orca_whirlpool_accounts as accounts
from sniperforge.simnet.faucet import mint_data, token_account_data
from sniperforge.simnet.orca_whirlpool_accounts import AdaptiveFee, PoolKeys, Position
from sniperforge.venues import orca_whirlpool as orca
from sniperforge.venues.quote import Quote
from sniperforge.venues.ticks import SQRT_PRICE_MAX_ORCA, SQRT_PRICE_MIN, TICK_MAX, TICK_MIN, U64, orca_sqrt_price
from tests.native_program import NativeProgram
from tests.venue_glue import LIQUIDITY_BITS, Core, some_amount, some_liquidity

SWAPS_PER_POOL = 40
NOW = 1_760_000_000
USER = Pubkey.from_bytes(bytes(31) + b"\1")
USER_ACCOUNTS = (Pubkey.from_bytes(bytes(31) + b"\2"), Pubkey.from_bytes(bytes(31) + b"\3"))
HELD = 1 << 63


def some_adaptive_fee(rng: random.Random, spacing: int) -> AdaptiveFee:
    size = rng.choice([size for size in range(1, min(spacing, 300) + 1) if spacing % size == 0])
    return AdaptiveFee(
        filter_period=30,
        decay_period=600,
        reduction_factor=rng.choice([0, 500, 9_999]),
        control_factor=rng.choice([0, 1, 1_500, 4_000, 99_999]),
        max_volatility_accumulator=rng.choice([10_000, 350_000, 3_000_000, (2**32 - 1) // size]),
        tick_group_size=size,
        major_swap_threshold_ticks=rng.choice([1, spacing]),
        trade_enable_timestamp=rng.choice([0] * 20 + [NOW + 300]),
    )


def some_positions(rng: random.Random, spacing: int, tick: int) -> list[Position]:
    lowest, highest = -(-TICK_MIN // spacing) * spacing, TICK_MAX // spacing * spacing
    reach, bits = rng.choice([3, 30, 280]), rng.choice(LIQUIDITY_BITS)
    near = [tick // spacing * spacing + spacing * rng.randrange(-reach, reach + 1) for _ in range(24)]
    near = [t for t in near if lowest <= t <= highest] + [lowest, highest]
    positions = []
    for _ in range(rng.choice([0, 1, 3, 8, 8, 20, 20, 40, 40])):
        lower, upper = sorted((rng.choice(near), rng.choice(near)))
        if lower < upper:
            positions.append(Position(lower, upper, some_liquidity(rng, bits)))
    return positions


def some_pool(rng: random.Random) -> tuple[PoolKeys, dict[Pubkey, Account]]:
    """A pool and the user's token accounts, ordinary or absurd."""
    spacing = rng.choice([1, 2, 4, 8, 16, 64, 64, 96, 128, 256, 32_896])
    middle = rng.choice([0, 0, -20_000, 20_000, -120_000, 100_000, -400_000, 400_000, TICK_MIN, TICK_MAX])
    tick = max(TICK_MIN, min(TICK_MAX - 1, middle + rng.randrange(-264 * spacing, 264 * spacing + 1)))
    low, high = orca_sqrt_price(tick), orca_sqrt_price(tick + 1)
    first, second = sorted((rng.randbytes(32), rng.randbytes(32)))
    adaptive = some_adaptive_fee(rng, spacing) if rng.randrange(3) == 0 else None
    keys = accounts.derive_pool(
        mints=(Pubkey.from_bytes(first), Pubkey.from_bytes(second)),
        tick_spacing=spacing,
        fee_tier_index=(spacing + 1_024) % 65_536 if adaptive else None,
    )
    pool = accounts.make_pool(
        keys,
        sqrt_price=rng.choice([low, rng.randrange(low, high), high - 1]),
        positions=some_positions(rng, spacing, tick),
        fee_rate=rng.choice([0, 1, 100, 3_000, 10_000, 60_000]),
        protocol_fee_rate=rng.choice([0, 300, 1_300, 2_500]),
        adaptive=adaptive,
        dynamic_arrays=rng.randrange(2) == 1,
        vault_amounts=(HELD, HELD),
    )
    for mint, address in zip(keys.mints, USER_ACCOUNTS, strict=True):
        held = token_account_data(mint=mint, owner=USER, amount=HELD, rent=None)
        pool[address] = accounts.owned(held, accounts.TOKEN_PROGRAM_ID)
        pool[mint] = accounts.owned(mint_data(decimals=6, supply=U64 - 1, authority=None), accounts.TOKEN_PROGRAM_ID)
    return keys, pool


def some_limit(rng: random.Random, price: int, tick: int, spacing: int, a_to_b: bool) -> int:
    kind = rng.randrange(32)
    if kind == 0:
        return rng.choice([1, SQRT_PRICE_MIN - 1, SQRT_PRICE_MIN, SQRT_PRICE_MAX_ORCA, SQRT_PRICE_MAX_ORCA + 1])
    if kind == 1:
        return price + rng.randrange(-1, 2)
    if kind < 8:
        way = (-1 if a_to_b else 1) * rng.randrange(100 * spacing)
        at = (tick + way) // spacing * spacing if rng.randrange(2) else tick + way
        return orca_sqrt_price(max(TICK_MIN, min(TICK_MAX, at))) + rng.randrange(2)
    return 0


class Desk:
    """One pool after the other, in the emulation and in C."""

    def __init__(self, directory: Path, rng: random.Random) -> None:
        self.rng = rng
        self.program = NativeProgram(directory, "orca_whirlpool")
        self.core = Core(directory, "orca_whirlpool", "")
        self.amounts: list[int] = []
        self.now = NOW

    def open(self) -> None:
        """Another pool, and amounts of its size."""
        self.keys, pool = some_pool(self.rng)
        self.adaptive = self.keys.fee_tier_index != self.keys.tick_spacing
        self.program.load(pool)
        self.now = NOW
        self.amounts = [some_amount(self.rng) for _ in range(4)]
        data = self.program.data(self.keys.pool)
        self.first_tick = accounts.current_tick(data)
        for a_to_b in (False, True):
            arrays = self.arrays(accounts.current_tick(data), a_to_b)
            most = self.quote(data, (a_to_b, True, U64 - 1, 0), arrays, reference=False)
            self.amounts += [amount // 3**power + 1 for amount in most[:2] for power in range(1, 9)]

    def arrays(self, tick: int, a_to_b: bool) -> dict[int, bytes]:
        """The arrays that a swap names; one that does not exist is as good as one without ticks."""
        found = {}
        for start in orca.array_starts(self.keys.tick_spacing, tick, a_to_b):
            address = accounts.tick_array_address(self.keys.pool, start)
            entry = self.program.accounts.get(address)
            if entry is None or not entry.len:
                found[start] = accounts.tick_array_data(self.keys.pool, start, self.keys.tick_spacing, {})
            else:
                found[start] = self.program.data(address)
        return found

    def quote(self, pool: bytes, swap: tuple[bool, bool, int, int], arrays: dict[int, bytes], reference: bool) -> Quote:
        """What C says, and the reference too if it is asked."""
        a_to_b, exact_in, amount, limit = swap
        oracle = [self.program.data(self.keys.oracle)] if self.adaptive else []
        assert self.core.load(bytes(self.keys.pool), [pool, *arrays.values(), *oracle]) == 0, self.core.error
        quote = self.core.quote(a_to_b, exact_in, amount, limit, self.now)
        if reference:
            known = {start: orca.decode_array(data, self.keys.tick_spacing).net for start, data in arrays.items()}
            decoded = orca.decode_oracle(oracle[0]) if oracle else None
            state = orca.State.of(orca.decode_pool(pool), known, decoded)
            other = (state.quote_in if exact_in else state.quote_out)(a_to_b, amount, self.now, limit)
            assert (other.status, other.error) == (quote.status, quote.error)
            assert other.status == "refused" or other == quote
        return quote

    def swap(self) -> str:
        """One swap, compared; how it ended."""
        rng, program, keys = self.rng, self.program, self.keys
        self.now += rng.choice([0, 1, 29, 30, 599, 600, 4_000])
        program.set_time(self.now)
        pool = program.data(keys.pool)
        tick, price = accounts.current_tick(pool), int.from_bytes(pool[65:81], "little")
        back = rng.randrange(3) == 0  # towards where the pool began, or it soon leaves its liquidity for good
        a_to_b = tick > self.first_tick if back else rng.randrange(2) == 1
        exact_in = rng.randrange(2) == 1
        amount = some_amount(rng) if rng.randrange(6) == 0 else rng.choice(self.amounts) + rng.choice([0, 0, 1, -1])
        amount = max(0, min(U64 - 1, amount))
        limit = some_limit(rng, price, tick, keys.tick_spacing, a_to_b)
        quote = self.quote(pool, (a_to_b, exact_in, amount, limit), self.arrays(tick, a_to_b), reference=True)
        assert quote.status != "exhausted"
        threshold, beyond = 0 if exact_in else U64 - 1, rng.randrange(16)
        if quote.status == "ok" and beyond < 2:
            threshold = quote.amount_out + beyond if exact_in else max(0, quote.amount_in - beyond)
        code = program.run(
            accounts.swap_instruction(
                keys, tick=tick, authority=USER, user_accounts=USER_ACCOUNTS, a_to_b=a_to_b, exact_in=exact_in,
                amount=amount, threshold=threshold, sqrt_price_limit=limit, v2=rng.randrange(2) == 1,
            )
        )  # fmt: skip
        where = (keys, a_to_b, exact_in, amount, limit, threshold, self.now, quote, code)
        if quote.status == "refused":
            assert code == quote.error if quote.error else code, where
            return "refused"
        if (exact_in and quote.amount_out < threshold) or (not exact_in and quote.amount_in > threshold):
            assert code == (6036 if exact_in else 6037), where
            return "slippage"
        assert code == 0, where
        self.check(quote, pool, a_to_b)
        if quote.amount_in and quote.amount_out:
            self.amounts += [quote.amount_in, quote.amount_out]
        return "crossed" if quote.crossed else "within"

    def check(self, quote: Quote, before: bytes, a_to_b: bool) -> None:
        """The event, the vaults and the pool are as the quote says."""
        program, keys = self.program, self.keys
        pool, event = program.data(keys.pool), program.event()
        price_before, price, amounts = event[41:57], event[57:73], struct.unpack_from("<6Q", event, 73)
        assert event[8:41] == bytes(keys.pool) + bytes((a_to_b,)) and price_before == before[65:81]
        assert price == pool[65:81] == quote.sqrt_price.to_bytes(16, "little")
        assert amounts == (quote.amount_in, quote.amount_out, 0, 0, quote.fee - quote.protocol_fee, quote.protocol_fee)
        assert (int.from_bytes(pool[49:65], "little"), accounts.current_tick(pool)) == (quote.liquidity, quote.tick)
        owed = struct.unpack_from("<QQ", before, 85)
        added = (quote.protocol_fee, 0) if a_to_b else (0, quote.protocol_fee)
        assert struct.unpack_from("<QQ", pool, 85) == (owed[0] + added[0], owed[1] + added[1])
        into, out_of = (0, 1) if a_to_b else (1, 0)
        for side, change in ((into, quote.amount_in), (out_of, -quote.amount_out)):
            for address, sign in ((keys.vaults[side], 1), (USER_ACCOUNTS[side], -1)):
                held = int.from_bytes(program.data(address)[64:72], "little")
                assert held == (HELD + sign * change) % U64
                program.put(address, 64, HELD.to_bytes(8, "little"))


def compare(cases: int, rng: random.Random) -> Counter[str]:
    """`cases` random swaps on pools that live on from one to the next; what they ended in."""
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as directory:
        desk = Desk(Path(directory), rng)
        for case in range(cases):
            if case % SWAPS_PER_POOL == 0:
                desk.open()
            outcomes[desk.swap()] += 1
    return outcomes
