"""Background traders: they send real signed swaps and move the pools' prices apart.

What they do follows from the seed, the slot and the pools' reserves, never from a clock.  Informed traders pull one
pool towards the fair price of its mints, which wanders in a band around the genesis price; noise traders push one pool
away from it, though not ever further.  Arrivals come in bursts, in which noise runs after one mint.
"""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address
from solders.transaction import VersionedTransaction

from sniperforge.simnet.bank import Bank
from sniperforge.simnet.config import SimnetConfig
from sniperforge.simnet.faucet import derive_keypair
from sniperforge.simnet.market import Market, Pool
from sniperforge.simnet.transactions import Decoded, decode
from sniperforge.simnet.venue_pools import VENUES
from sniperforge.simnet.venue_pools.base import LivePool, Order

_WINDOW_SLOTS = 8
_OCTAVES = ((64, 0.15), (512, 0.25), (4096, 0.3), (32768, 0.3))
_TREND_SHARE = 0.6
_CANDIDATES = 4
_SIZE_SIGMA = 0.8
_SLIPPAGE = 0.05
_COMPUTE_UNITS = 300_000
_MAX_PRICE = 10_000
_MAX_RESERVE_SHARE = 0.05
_BAND = 0.05


@dataclass(slots=True)
class _Trade:
    tick: int
    informed: bool
    dice: random.Random


_Chosen = tuple[int, int, int, tuple[float, float]]
"""Number of a pool, side that goes in, amount, reserves."""


class Traders:
    """The background traders of one market."""

    def __init__(self, config: SimnetConfig, market: Market) -> None:
        self._config = config
        self._market = market
        self._tokens = [mint.token for mint in market.mints]
        self._live: dict[int, LivePool] = {}
        self._traders: list[Keypair] = [
            derive_keypair(market.seed, f"trader {number}") for number in range(market.traders)
        ]
        self._addresses = [keypair.pubkey() for keypair in self._traders]
        self._slot = -1
        self._trades: list[_Trade] = []
        self._fair: dict[int, float] = {}
        self._accounts: dict[tuple[int, int], Pubkey] = {}
        self._by_mint: dict[int, list[int]] = {}
        for number, pool in enumerate(market.pools):
            for mint in pool.mints:
                self._by_mint.setdefault(mint, []).append(number)

    def tick(self, bank: Bank, tick: int) -> None:
        """Send the swaps that arrive in this tick of the current slot."""
        if not self._market.pools:
            return
        if bank.chain.slot != self._slot:
            self._begin(bank.chain.slot)
        while self._trades and self._trades[-1].tick <= tick:
            decoded = self._swap(bank, self._trades.pop())
            if decoded is not None:
                bank.submit(decoded, 0, by_client=False)

    def _begin(self, slot: int) -> None:
        self._slot = slot
        self._fair.clear()
        dice = random.Random(self._hash("slot", slot))
        rate = self._config.market.trades_per_second * self._config.slot_ms / 1000 * self._intensity(slot)
        self._trades = [
            _Trade(
                dice.randrange(self._config.ticks_per_slot),
                dice.random() < self._config.market.informed_share,
                random.Random(dice.getrandbits(64)),
            )
            for _ in range(_poisson(rate, dice))
        ]
        self._trades.sort(key=lambda trade: -trade.tick)

    def _intensity(self, slot: int) -> float:
        market = self._config.market
        if self._in_burst(slot):
            return market.burst_factor
        return (1.0 - market.burst_share * market.burst_factor) / (1.0 - market.burst_share)

    def _in_burst(self, slot: int) -> bool:
        dice = self._unit("burst", slot // _WINDOW_SLOTS)
        return dice < self._config.market.burst_share

    def _hash(self, *words: str | int) -> int:
        text = " ".join(map(str, (self._market.seed, *words)))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")

    def _unit(self, *words: str | int) -> float:
        return self._hash(*words) / 2**64

    def fair_price(self, mint: int, slot: int) -> float:
        """Fair price in USD of a whole token: the genesis price times a smooth, bounded function of the slot."""
        if mint not in self._fair:
            wander = 0.0
            if mint != 1:
                for octave, (period, weight) in enumerate(_OCTAVES):
                    step, part = divmod(slot, period)
                    phase = part / period
                    phase = phase * phase * (3.0 - 2.0 * phase)
                    here = self._unit("fair", mint, octave, step)
                    there = self._unit("fair", mint, octave, step + 1)
                    wander += weight * (2.0 * (here + (there - here) * phase) - 1.0)
            span = self._config.market.volatility_bps / 10_000
            self._fair[mint] = self._market.mints[mint].price_usd * math.exp(span * wander)
        return self._fair[mint]

    def _pool(self, bank: Bank, number: int) -> LivePool:
        live = self._live.get(number)
        if live is None:
            pool = self._market.pools[number]
            pair = self._tokens[pool.mints[0]], self._tokens[pool.mints[1]]
            live = VENUES[pool.venue].live(Pubkey.from_string(pool.address), pair, bank.svm.get_account)
            self._live[number] = live
        return live

    def _reserves(self, bank: Bank, number: int) -> tuple[float, float] | None:
        return self._pool(bank, number).reserves(bank.svm.get_account)

    def _gap(self, pool: Pool, reserves: tuple[float, float], slot: int) -> float:
        """Logarithm of fair price over pool price, both in token 1 per token 0."""
        first, second = (self._market.mints[number] for number in pool.mints)
        fair = self.fair_price(pool.mints[0], slot) / self.fair_price(pool.mints[1], slot)
        price = reserves[1] / reserves[0] * 10.0 ** (first.decimals - second.decimals)
        return math.log(fair / price)

    def _swap(self, bank: Bank, trade: _Trade) -> Decoded | None:
        chosen = self._informed(bank, trade.dice) if trade.informed else self._noise(bank, trade.dice)
        if chosen is None:
            return None
        number, side, amount, reserves = chosen
        amount = max(1, min(amount, int(reserves[side] * _MAX_RESERVE_SHARE)))
        pool = self._market.pools[number]
        kept = amount * (1.0 - pool.trade_fee_rate / 1_000_000)
        for mint in pool.mints:
            kept *= 1.0 - self._market.mints[mint].transfer_fee_bps / 10_000
        trader = trade.dice.randrange(len(self._traders))
        order = Order(
            trader=self._addresses[trader],
            accounts=(self._account(trader, pool.mints[0]), self._account(trader, pool.mints[1])),
            side=side,
            amount=amount,
            expected=int(reserves[1 - side] * kept / (reserves[side] + kept)),
            slippage=_SLIPPAGE,
        )
        swap = self._pool(bank, number).swap(bank.svm.get_account, order)
        budget = [
            set_compute_unit_limit(_COMPUTE_UNITS),
            set_compute_unit_price(int(_MAX_PRICE * trade.dice.random() ** 3)),
        ]
        blockhash, _ = bank.chain.latest_blockhash(bank.chain.slot)
        message = MessageV0.try_compile(self._addresses[trader], [*budget, swap], [], Hash.from_bytes(blockhash))
        return decode(bytes(VersionedTransaction(message, [self._traders[trader]])))

    def _informed(self, bank: Bank, dice: random.Random) -> _Chosen | None:
        best: tuple[float, int, tuple[float, float]] | None = None
        for _ in range(_CANDIDATES):
            number = dice.randrange(len(self._market.pools))
            reserves = self._reserves(bank, number)
            if reserves is not None:
                gap = self._gap(self._market.pools[number], reserves, bank.chain.slot)
                if best is None or abs(gap) > abs(best[0]):
                    best = gap, number, reserves
        if best is None:
            return None
        gap, number, reserves = best
        reach = abs(gap) - self._market.pools[number].trade_fee_rate / 1_000_000
        if reach <= 0.0:
            return None
        side = 1 if gap > 0.0 else 0
        share = math.expm1(reach / 2.0) * dice.uniform(0.3, 1.0)
        return number, side, int(reserves[side] * share), reserves

    def _noise(self, bank: Bank, dice: random.Random) -> _Chosen | None:
        number, side = dice.randrange(len(self._market.pools)), dice.randrange(2)
        if self._in_burst(bank.chain.slot) and dice.random() < _TREND_SHARE:
            window = random.Random(self._hash("trend", bank.chain.slot // _WINDOW_SLOTS))
            mint = window.randrange(len(self._market.mints))
            selling = window.randrange(2)
            if mint in self._by_mint:
                number = dice.choice(self._by_mint[mint])
                side = (self._market.pools[number].mints[1] == mint) ^ selling
        reserves = self._reserves(bank, number)
        if reserves is None:
            return None
        gap = self._gap(self._market.pools[number], reserves, bank.chain.slot)
        if abs(gap) > _BAND:  # nobody follows a price so far away
            side = 1 if gap > 0.0 else 0
        share = self._config.market.trade_size_bps / 10_000 * dice.lognormvariate(0.0, _SIZE_SIGMA)
        return number, side, int(reserves[side] * share), reserves

    def _account(self, trader: int, mint: int) -> Pubkey:
        account = self._accounts.get((trader, mint))
        if account is None:
            token = self._tokens[mint]
            account = get_associated_token_address(self._addresses[trader], token.address, token.program)
            self._accounts[trader, mint] = account
        return account


def _poisson(rate: float, dice: random.Random) -> int:
    if rate > 50.0:
        return max(0, round(dice.gauss(rate, math.sqrt(rate))))
    count, left = 0, dice.random()
    floor = math.exp(-rate)
    while left > floor:
        count += 1
        left *= dice.random()
    return count
