"""Random swaps of the emulated Raydium CLMM against the C core and the Python reference."""

from __future__ import annotations

import random
import struct
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from solders.account import Account
from solders.pubkey import Pubkey

from sniperforge.simnet import raydium_clmm_accounts as accounts
from sniperforge.simnet.faucet import mint_data, token_account_data
from sniperforge.simnet.orca_whirlpool_accounts import Position
from sniperforge.simnet.raydium_clmm_accounts import DynamicFee, PoolKeys
from sniperforge.venues import raydium_clmm as clmm
from sniperforge.venues.quote import Quote
from sniperforge.venues.ticks import (
    SQRT_PRICE_MAX_RAYDIUM,
    SQRT_PRICE_MIN,
    TICK_MAX,
    TICK_MIN,
    U64,
    raydium_sqrt_price,
)
from sniperforge.venues.transfer_fee import NO_FEE, TransferFee
from tests.emulation.cpmm_machine import EPOCH, TOKEN_2022_PROGRAM_ID, token_account
from tests.emulation.cpmm_machine import mint_data as mint_with_fee
from tests.emulation.cpmm_reference import TransferFee as MintFee
from tests.native_program import PANIC, NativeProgram
from tests.venue_glue import LIQUIDITY_BITS, Core, some_amount, some_liquidity

SWAPS_PER_POOL = 40
NOW = 1_760_000_000
USER = Pubkey.from_bytes(bytes(31) + b"\1")
USER_ACCOUNTS = (Pubkey.from_bytes(bytes(31) + b"\2"), Pubkey.from_bytes(bytes(31) + b"\3"))
HELD = 1 << 63
CONFIG_INDEX = 7
NOT_ENOUGH_ARRAYS = 6027
NOT_GREATER, LESS = 2505, 2506
FROZEN = 255
TOO_LITTLE, TOO_MUCH = 6022, 6023


def some_dynamic_fee(rng: random.Random, spacing: int) -> DynamicFee:
    top = rng.choice([9_999, 50_000, 350_000, 1_000_000])
    return DynamicFee(
        filter_period=rng.choice([1, 30]),
        decay_period=rng.choice([31, 600]),
        reduction_factor=rng.choice([1, 5_000, 9_999]),
        control=rng.choice([1, 500, 40_000, 99_999]),
        max_volatility_accumulator=min(top, (2**32 - 1) // spacing),
    )


def some_ticks(rng: random.Random, spacing: int, tick: int) -> list[int]:
    """Ticks at which something may begin or end: mostly near, some at the ends of the range, some anywhere."""
    lowest, highest = -(-TICK_MIN // spacing), TICK_MAX // spacing
    reach = rng.choice([3, 30, 200])
    near = [tick // spacing + rng.randrange(-reach, reach + 1) for _ in range(24)]
    near += [lowest, highest, rng.randrange(lowest, highest + 1)]
    return [spacing * t for t in near if lowest <= t <= highest]


def some_positions(rng: random.Random, ticks: list[int]) -> list[Position]:
    bits, positions = rng.choice(LIQUIDITY_BITS), []
    for _ in range(rng.choice([0, 1, 3, 8, 8, 20, 20, 40, 40])):
        lower, upper = sorted((rng.choice(ticks), rng.choice(ticks)))
        if lower < upper:
            positions.append(Position(lower, upper, some_liquidity(rng, bits)))
    return positions


def some_transfer_fee(rng: random.Random) -> TransferFee:
    if rng.randrange(8):
        return NO_FEE
    return TransferFee(rng.choice([0, 1, 100, 300, 9_999, 10_000]), rng.choice([0, 5, 10**6, U64 - 1]))


def some_pool(
    rng: random.Random, fees: tuple[TransferFee, TransferFee] = (NO_FEE, NO_FEE)
) -> tuple[PoolKeys, dict[Pubkey, Account]]:
    """A pool of mints that withhold these fees, and the user's token accounts, ordinary or absurd."""
    spacing = rng.choice([1, 1, 5, 10, 10, 60, 60, 120, 200, 1_000])
    span = 60 * spacing
    middle = rng.choice([0, 0, -20_000, 20_000, 511 * span, -512 * span, -400_000, 400_000, TICK_MIN, TICK_MAX])
    tick = max(TICK_MIN, min(TICK_MAX - 1, middle + rng.randrange(-3 * span, 3 * span + 1)))
    low, high = raydium_sqrt_price(tick), raydium_sqrt_price(tick + 1)
    first, second = sorted((rng.randbytes(32), rng.randbytes(32)))
    keys = accounts.derive_pool(
        config=accounts.config_address(CONFIG_INDEX),
        mints=(Pubkey.from_bytes(first), Pubkey.from_bytes(second)),
        tick_spacing=spacing,
        token_programs=tuple(accounts.TOKEN_PROGRAM_ID if fee == NO_FEE else TOKEN_2022_PROGRAM_ID for fee in fees),
    )
    ticks = some_ticks(rng, spacing, tick)
    orders = {rng.choice(ticks): max(1, some_amount(rng) >> 2) for _ in range(6)} if rng.randrange(4) == 0 else {}
    pool = accounts.make_pool(
        keys,
        sqrt_price=rng.choice([low, rng.randrange(low, high), high - 1]),
        positions=some_positions(rng, ticks),
        config_index=CONFIG_INDEX,
        trade_fee_rate=rng.choice([0, 1, 100, 400, 2_500, 10_000, 999_999]),
        protocol_fee_rate=rng.choice([0, 120_000]),
        fund_fee_rate=rng.choice([0, 40_000]),
        fee_on=rng.choice([0, 0, 1, 2]),
        dynamic=some_dynamic_fee(rng, spacing) if rng.randrange(4) == 0 else None,
        orders=orders,
        open_time=rng.choice([0] * 20 + [NOW, NOW + 100]),
        vault_amounts=(HELD, HELD),
    )
    for side, (mint, address) in enumerate(zip(keys.mints, USER_ACCOUNTS, strict=True)):
        held = token_account_data(mint=mint, owner=USER, amount=HELD, rent=None)
        pool[address] = accounts.owned(held, accounts.TOKEN_PROGRAM_ID)
        pool[mint] = accounts.owned(mint_data(decimals=6, supply=U64 - 1, authority=None), accounts.TOKEN_PROGRAM_ID)
        if fees[side] != NO_FEE:
            withheld = MintFee(basis_points=fees[side].bps, maximum=fees[side].maximum)
            pool[mint] = Account(10**10, mint_with_fee(withheld), TOKEN_2022_PROGRAM_ID)
            pool[address] = token_account(mint, USER, HELD, TOKEN_2022_PROGRAM_ID)
            pool[keys.vaults[side]] = token_account(mint, keys.pool, HELD, TOKEN_2022_PROGRAM_ID)
    return keys, pool


def some_limit(rng: random.Random, price: int, tick: int, spacing: int, zero_for_one: bool) -> int:
    kind = rng.randrange(32)
    if kind == 0:
        return rng.choice([1, SQRT_PRICE_MIN, SQRT_PRICE_MIN + 1, SQRT_PRICE_MAX_RAYDIUM - 1, SQRT_PRICE_MAX_RAYDIUM])
    if kind == 1:
        return price + rng.randrange(-1, 2)
    if kind < 8:
        way = (-1 if zero_for_one else 1) * rng.randrange(100 * spacing)
        at = (tick + way) // spacing * spacing if rng.randrange(2) else tick + way
        return raydium_sqrt_price(max(TICK_MIN, min(TICK_MAX, at))) + rng.randrange(2)
    return 0


class Desk:
    """One pool after the other, in the emulation and in C."""

    def __init__(self, directory: Path, rng: random.Random) -> None:
        self.rng = rng
        self.program = NativeProgram(directory, "raydium_clmm")
        self.program.lib.host_epoch = EPOCH
        self.core = Core(directory, "raydium_clmm", "")
        self.amounts: list[int] = []
        self.now = NOW

    def open(self) -> None:
        """Another pool, and amounts of its size."""
        self.fees = (some_transfer_fee(self.rng), some_transfer_fee(self.rng))
        self.keys, pool = some_pool(self.rng, self.fees)
        self.program.load(pool)
        self.now = NOW
        self.amounts = [some_amount(self.rng) for _ in range(4)]
        data = self.program.data(self.keys.pool)
        self.first_tick = accounts.current_tick(data)
        for zero_for_one in (False, True):
            starts = self.starts(data, zero_for_one)
            most = self.quote(data, (zero_for_one, True, U64 - 1, 0), starts, reference=False)
            self.amounts += [amount // 3**power + 1 for amount in most[:2] for power in range(1, 9)]

    def frozen(self) -> bool:
        """Whether a swap took all that a vault had, which ends a pool."""
        return self.program.data(self.keys.pool)[389] == FROZEN

    def starts(self, pool: bytes, zero_for_one: bool) -> list[int]:
        return accounts.swap_arrays(pool, self.program.data(self.keys.extension), zero_for_one)

    def quote(self, pool: bytes, swap: tuple[bool, bool, int, int], starts: list[int], reference: bool) -> Quote:
        """What C says that knows no other arrays than these, and the reference too if it is asked."""
        zero_for_one, exact_in, amount, limit = swap
        keys, program = self.keys, self.program
        config, extension = program.data(keys.config), program.data(keys.extension)
        arrays = [program.data(accounts.tick_array_address(keys.pool, start)) for start in starts]
        assert self.core.load(bytes(keys.pool), [pool, config, *arrays, extension]) == 0, self.core.error
        for side, fee in enumerate(self.fees):
            self.core.lib.state_transfer_fee(side, fee.bps, fee.maximum)
        quote = self.core.quote(zero_for_one, exact_in, amount, limit, self.now)
        if reference:
            decoded = [clmm.decode_array(data, keys.tick_spacing) for data in arrays]
            numbers = clmm.decode_extension(extension)[1]
            state = clmm.State.of(clmm.decode_pool(pool), clmm.decode_config(config), decoded, numbers)
            state = replace(state, transfer_fees=self.fees)
            other = (state.quote_in if exact_in else state.quote_out)(zero_for_one, amount, self.now, limit)
            assert (other.status, other.error) == (quote.status, quote.error)
            assert other.status == "refused" or other == quote
        return quote

    def swap(self) -> str:
        """One swap, compared; how it ended."""
        rng, program, keys = self.rng, self.program, self.keys
        self.now += rng.choice([0, 1, 14, 15, 30, 599, 4_000])
        program.set_time(self.now)
        pool = program.data(keys.pool)
        tick, price = accounts.current_tick(pool), int.from_bytes(pool[253:269], "little")
        back = rng.randrange(3) == 0  # towards where the pool began, or it soon leaves its liquidity for good
        zero_for_one = tick > self.first_tick if back else rng.randrange(2) == 1
        exact_in = rng.randrange(2) == 1
        amount = some_amount(rng) if rng.randrange(6) == 0 else rng.choice(self.amounts) + rng.choice([0, 0, 1, -1])
        amount = max(0, min(U64 - 1, amount))
        limit = some_limit(rng, price, tick, keys.tick_spacing, zero_for_one)
        starts = self.starts(pool, zero_for_one)
        v2 = self.fees != (NO_FEE, NO_FEE) or not starts or rng.randrange(2) == 1  # the older one does not know of fees
        quote = self.quote(pool, (zero_for_one, exact_in, amount, limit), starts, reference=True)
        threshold, beyond = 0 if exact_in else U64 - 1, rng.randrange(16)
        if quote.status == "ok" and beyond < 2:
            threshold = quote.amount_out + beyond if exact_in else max(0, quote.amount_in - beyond)
        code = program.run(
            accounts.swap_instruction(
                keys, arrays=starts, payer=USER, user_accounts=USER_ACCOUNTS, zero_for_one=zero_for_one,
                exact_in=exact_in, amount=amount, threshold=threshold, sqrt_price_limit=limit, v2=v2,
            )
        )  # fmt: skip
        where = (keys, zero_for_one, exact_in, amount, limit, threshold, self.now, v2, quote, code)
        if quote.status != "ok":
            error = NOT_ENOUGH_ARRAYS if quote.status == "exhausted" else quote.error
            if quote.error == clmm.TRANSFER_FEE:
                error = PANIC
            assert code == error if error else code, where
            return {LESS: "lagging", clmm.NOT_EQUAL: "not whole"}.get(quote.error, quote.status)
        if quote.sqrt_price == price and not v2:
            assert code == NOT_GREATER, where
            return "unmoved"
        if quote.amount_out < threshold if exact_in else quote.amount_in > threshold:
            assert code == (TOO_LITTLE if exact_in else TOO_MUCH), where
            return "slippage"
        assert code == 0, where
        self.check(quote, pool, zero_for_one)
        self.amounts += [quote.amount_in, quote.amount_out]
        return "crossed" if quote.crossed else "within"

    def check(self, quote: Quote, before: bytes, zero_for_one: bool) -> None:
        """The event, the vaults and the pool are as the quote says."""
        program, keys = self.program, self.keys
        pool, event = program.data(keys.pool), program.event()
        into, out_of = (0, 1) if zero_for_one else (1, 0)
        assert event[8:72] == bytes(keys.pool) + bytes(USER) and event[168] == zero_for_one
        assert event[72:136] == bytes(USER_ACCOUNTS[0]) + bytes(USER_ACCOUNTS[1])
        amounts = struct.unpack_from("<4Q", event, 136)
        swapped, taken, received, withheld = *amounts[2 * into :][:2], *amounts[2 * out_of :][:2]
        assert (swapped + taken, received) == quote[:2]
        assert (taken, withheld) == (self.fees[into].of(quote.amount_in), self.fees[out_of].of(received + withheld))
        assert event[169:185] == pool[253:269] == quote.sqrt_price.to_bytes(16, "little")
        assert event[185:201] == pool[237:253] == quote.liquidity.to_bytes(16, "little")
        assert event[201:205] == pool[269:273] and accounts.current_tick(pool) == quote.tick
        kept = fees = 0
        for at in (309, 317, 1064, 1072):
            kept += struct.unpack_from("<Q", pool, at)[0] - struct.unpack_from("<Q", before, at)[0]
        for at in (1032, 1048):
            fees += struct.unpack_from("<Q", pool, at)[0] - struct.unpack_from("<Q", before, at)[0]
        assert kept == quote.protocol_fee and kept + fees <= quote.fee  # no liquidity, nobody's fee
        # a pool that went on for ever would come to the end of its counters
        for at, size in ((277, 48), (1_032, 48)):
            program.put(keys.pool, at, bytes(size))
        for side, user, vault in ((into, -quote.amount_in, swapped), (out_of, received, -received - withheld)):
            for address, change in ((USER_ACCOUNTS[side], user), (keys.vaults[side], vault)):
                held = int.from_bytes(program.data(address)[64:72], "little")
                assert held == (HELD + change) % U64
                program.put(address, 64, HELD.to_bytes(8, "little"))


def compare(cases: int, rng: random.Random) -> Counter[str]:
    """`cases` random swaps on pools that live on from one to the next; what they ended in."""
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as directory:
        desk = Desk(Path(directory), rng)
        for case in range(cases):
            if case % SWAPS_PER_POOL == 0 or desk.frozen():
                desk.open()
            outcomes[desk.swap()] += 1
    return outcomes
