"""The synthetic market: mints, and pools of all venues on overlapping pairs of them, made from the seed.

CPMM pools among the loaded dumps are adopted: they keep their bytes, and at least one pool on the same mints is made
beside each, so that prices can part.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import msgspec
from solders.account import Account
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address

from sniperforge.simnet import token_2022
from sniperforge.simnet.accounts import mint_supply
from sniperforge.simnet.config import ConfigError, SimnetConfig
from sniperforge.simnet.faucet import WRAPPED_SOL, Faucet, derive_keypair, mint_data
from sniperforge.simnet.transactions import TOKEN_PROGRAM
from sniperforge.simnet.venue_pools import VENUES
from sniperforge.simnet.venue_pools.base import MAX_AMOUNT, USDC, Genesis, Made, Token
from sniperforge.simnet.venue_pools.pump_fun import COIN_DECIMALS, PAID_IN_SOL, coin_price, depth_usd
from sniperforge.simnet.venue_pools.raydium_cpmm import adoptable

_LAMPORTS_PER_SOL = 1_000_000_000
_TRADER_SOL = 1_000
_TRADER_POOLS = 50
_ROUNDS = 6
_SYLLABLES = ("BO", "CA", "DO", "FI", "GU", "JU", "KE", "LA", "MO", "NI", "PU", "RA", "SO", "TI", "VE", "ZU")


class Mint(msgspec.Struct, frozen=True):
    """A mint of the market; `price_usd` is its fair price per whole token at genesis."""

    symbol: str
    address: str
    decimals: int
    price_usd: float
    program: str
    transfer_fee_bps: int = 0

    @property
    def token(self) -> Token:
        """What pools need of it."""
        return Token(Pubkey.from_string(self.address), Pubkey.from_string(self.program), self.decimals, self.price_usd)


class Pool(msgspec.Struct, frozen=True):
    """A pool of the market; `mints` are numbers in the market's list, in the program's order."""

    venue: str
    address: str
    config: str | None
    mints: tuple[int, int]
    vaults: tuple[str, str]
    trade_fee_rate: int
    adopted: bool


class Market(msgspec.Struct, frozen=True):
    """Mints and pools; both lists are empty on a chain without a market."""

    seed: int
    mints: list[Mint]
    pools: list[Pool]
    traders: int


class GenesisBuilder:
    """The accounts a new chain begins with: faucet, loaded dumps and market."""

    def __init__(self, config: SimnetConfig, loaded: Mapping[Pubkey, Account], unix_time: int) -> None:
        self.config = config
        self.market = Market(config.seed, [], [], 0)
        self._faucet = Faucet(config.seed)
        self._genesis = Genesis(loaded, self._faucet.address, unix_time)
        self._random = random.Random(config.seed)
        self._mints: list[Mint] = []
        self._tokens: list[Token] = []
        self._depths: dict[int, float] = {}
        """Of coins with a bonding curve: how much their pools are worth."""
        self._pools: list[Pool] = []

    @property
    def accounts(self) -> dict[Pubkey, Account]:
        """All of them."""
        return self._genesis.accounts

    def build(self) -> None:
        """Make the accounts.  Raises ConfigError when the market asked for cannot be made."""
        lamports = self.config.faucet_sol * _LAMPORTS_PER_SOL
        self.accounts[self._faucet.address] = Account(lamports, b"", Pubkey.default())
        if WRAPPED_SOL not in self._genesis:
            self._genesis.put(WRAPPED_SOL, mint_data(decimals=9, supply=0, authority=None), TOKEN_PROGRAM)
        if not self.config.market.enabled:
            return
        adopted = adoptable(self.accounts) if "raydium_cpmm" in self.config.market.venues else []
        planned = self._plan()
        self._know_mints(adopted)
        self._make_mints(planned.get("pump_fun", 0))
        for made, _ in adopted:
            if all(str(mint) in {known.address for known in self._mints} for mint in made.mints):
                self._add("raydium_cpmm", made, adopted=True)
        self._make_pools(planned)
        self._make_traders()
        self._make_mint_accounts()
        self.market = Market(self.config.seed, self._mints, self._pools, self.config.market.traders)

    # mints

    def _know_mints(self, adopted: list[tuple[Made, tuple[float, float] | None]]) -> None:
        """Wrapped SOL, USDC and the mints of adopted pools, with the prices that these tell."""
        prices = {USDC: 1.0, WRAPPED_SOL: self.config.market.sol_price_usd}
        known: list[Pubkey] = [WRAPPED_SOL, USDC]
        told: set[Pubkey] = {USDC}
        for made, reserves in sorted(adopted, key=lambda each: USDC not in each[0].mints):
            for side, mint in enumerate(made.mints):
                other = made.mints[1 - side]
                if mint in told or other not in prices or reserves is None:
                    continue
                units = 10 ** (self._decimals(mint) - self._decimals(other))
                prices[mint] = prices[other] * reserves[1 - side] / reserves[side] * units
                told.add(mint)
            known.extend(mint for mint in made.mints if mint not in known and mint in prices)
        for mint in known:
            symbol = {WRAPPED_SOL: "WSOL", USDC: "USDC"}.get(mint, f"M{str(mint)[:4].upper()}")
            self._add_mint(Mint(symbol, str(mint), self._decimals(mint), prices[mint], str(TOKEN_PROGRAM)))

    def _decimals(self, mint: Pubkey) -> int:
        state = mint_supply(self.accounts.get(mint))
        return state[1] if state is not None else {WRAPPED_SOL: 9}.get(mint, 6)

    def _make_mints(self, curves: int) -> None:
        """The market's own mints: first one that withholds a fee, last the coins of the bonding curves."""
        market = self.config.market
        wanted = max(market.mints - len(self._mints), 0)
        coins = min(curves, wanted)
        withholds = bool(market.transfer_fee_bps) and wanted - coins >= 2
        for number in range(wanted):
            address, symbol = self._name()
            if number >= wanted - coins:
                paid_in = self._random.uniform(*PAID_IN_SOL)
                sol_price = self._mints[0].price_usd
                self._depths[len(self._mints)] = depth_usd(paid_in, sol_price)
                price, decimals = coin_price(paid_in) * sol_price, COIN_DECIMALS
            else:
                price, decimals = 10 ** self._random.uniform(-2.0, 2.0), self._random.choice((5, 6, 6, 6, 8))
            if withholds and number == 0:
                program, fee = token_2022.PROGRAM_ID, market.transfer_fee_bps
            else:
                program, fee = TOKEN_PROGRAM, 0
            self._add_mint(Mint(symbol, str(address), decimals, price, str(program), fee))

    def _name(self) -> tuple[Pubkey, str]:
        symbol = "".join(self._random.choices(_SYLLABLES, k=2))
        if symbol in {mint.symbol for mint in self._mints}:
            symbol += str(len(self._mints))
        return derive_keypair(self.config.seed, f"mint {symbol}").pubkey(), symbol

    def _add_mint(self, mint: Mint) -> None:
        self._mints.append(mint)
        self._tokens.append(mint.token)

    # pools

    def _plan(self) -> dict[str, int]:
        """How many pools each venue should have, by the weights (D'Hondt's method)."""
        market = self.config.market
        planned: dict[str, int] = dict.fromkeys(market.venues, 0)
        weights = {name: getattr(market.weights, name) for name in planned}
        for _ in range(market.pools):
            venue = min(planned, key=lambda name: (planned[name] + 1) / weights[name])
            planned[venue] += 1
        return planned

    def _make_pools(self, planned: dict[str, int]) -> None:
        pairs = {}
        turn = 0
        for venue, count in planned.items():
            pairs[venue] = self._pairs(venue, turn)
            turn += count // 2
        left = 0
        for venue in sorted(planned, key=lambda name: not VENUES[name].only_coins):  # other venues ask which coins are
            left += planned[venue] - self._make_of(venue, pairs[venue], planned[venue])
        for venue in planned:  # what one venue had no pairs for
            left -= self._make_of(venue, pairs[venue], left)
        if left:
            wanted, count = self.config.market.pools, len(self._mints)
            raise ConfigError(
                f"simnet.market.pools: {wanted} pools do not fit {count} mints (at most {wanted - left}); raise mints"
            )
        order: list[str] = [*self.config.market.venues]
        self._pools.sort(key=lambda pool: (order.index(pool.venue), not pool.adopted))

    def _make_of(self, venue: str, pairs: Iterator[tuple[int, int]], count: int) -> int:
        """Makes pools of a venue on the next of its pairs; returns how many."""
        made_pools = 0
        while made_pools < count and (pair := next(pairs, None)) is not None:
            value = self.config.market.pool_value_usd * self._random.lognormvariate(0.0, 0.5)
            for number in pair:
                value = min(value, self._depths.get(number, value))
            tokens = self._tokens[pair[0]], self._tokens[pair[1]]
            made = VENUES[venue].make(self._genesis, tokens, value, self._random)
            if made is not None:
                self._add(venue, made, adopted=False)
                made_pools += 1
        return made_pools

    def _pairs(self, venue: str, turn: int) -> Iterator[tuple[int, int]]:
        """The pairs a venue's pools are on: those of adopted pools, triangles of wrapped SOL, USDC and one more mint
        (each venue begins with others), then any."""
        count = len(self._mints)
        others = list(range(2, count))
        turn %= max(len(others), 1)
        pairs = [(min(pool.mints), max(pool.mints)) for pool in self._pools if pool.venue == venue]
        pairs += [(0, 1)]
        for number in others[turn:] + others[:turn]:
            pairs += [(0, number), (1, number)]
        yield from (pair for pair in pairs if self._fits(venue, pair))
        every = [pair for pair in combinations(range(count), 2) if self._fits(venue, pair)]
        for _ in range(_ROUNDS):
            yield from self._random.sample(every, len(every))

    def _fits(self, venue: str, pair: tuple[int, int]) -> bool:
        coin = any(number in self._depths for number in pair)
        if coin and 0 not in pair:
            return False
        if VENUES[venue].only_coins and not coin:
            return False
        plain = all(self._tokens[number].program == TOKEN_PROGRAM for number in pair)
        return plain or VENUES[venue].takes_token_2022

    def _add(self, venue: str, made: Made, *, adopted: bool) -> None:
        numbers = {mint.address: number for number, mint in enumerate(self._mints)}
        self._pools.append(
            Pool(
                venue=venue,
                address=str(made.address),
                config=str(made.config) if made.config is not None else None,
                mints=(numbers[str(made.mints[0])], numbers[str(made.mints[1])]),
                vaults=(str(made.vaults[0]), str(made.vaults[1])),
                trade_fee_rate=made.trade_fee_rate,
                adopted=adopted,
            )
        )

    # traders

    def _make_traders(self) -> None:
        for number in range(self.config.market.traders):
            trader = derive_keypair(self.config.seed, f"trader {number}").pubkey()
            self.accounts[trader] = Account(_TRADER_SOL * _LAMPORTS_PER_SOL, b"", Pubkey.default())
            for index, token in enumerate(self._tokens):
                value = _TRADER_POOLS * self._depths.get(index, self.config.market.pool_value_usd)
                amount = min(int(token.units(value)), MAX_AMOUNT // self.config.market.traders)
                account = get_associated_token_address(trader, token.address, token.program)
                self._genesis.hold(account, token, trader, amount)

    def _make_mint_accounts(self) -> None:
        for mint, token in zip(self._mints, self._tokens, strict=True):
            if token.address in self._genesis:
                continue
            supply, authority = min(self._genesis.supply[token.address], 2**63), self._faucet.address
            if token.program == TOKEN_PROGRAM:
                data = mint_data(decimals=mint.decimals, supply=supply, authority=authority)
            else:
                data = token_2022.fee_mint_data(
                    decimals=mint.decimals, supply=supply, authority=authority, fee_bps=mint.transfer_fee_bps
                )
            self._genesis.put(token.address, data, token.program)


def new_pool(
    accounts: Mapping[Pubkey, Account], market: Market, venue: str, pair: tuple[Mint, Mint], value_usd: float, seed: str
) -> dict[Pubkey, Account]:
    """The accounts of another pool on two mints of a running market, their supply included.

    Args:
        accounts: those of the chain now.
        venue: a name in `VENUES`.
        value_usd: of both sides, at the fair prices of genesis.
        seed: of what is left to chance.

    Raises:
        ConfigError: the venue has no pool for these mints.
    """
    genesis = Genesis(accounts, Faucet(market.seed).address, 0)
    made = VENUES[venue].make(genesis, (pair[0].token, pair[1].token), value_usd, random.Random(seed))
    if made is None:
        raise ConfigError(f"{venue} has no other pool for {pair[0].symbol} and {pair[1].symbol}")
    for mint, added in genesis.supply.items():
        before = genesis.accounts[mint]
        supply = min(int.from_bytes(before.data[36:44], "little") + added, 2**64 - 1)
        data = before.data[:36] + supply.to_bytes(8, "little") + before.data[44:]
        if mint != WRAPPED_SOL:
            genesis.accounts[mint] = Account(before.lamports, data, before.owner, before.executable, before.rent_epoch)
    found = {key: account for key, account in genesis.accounts.items() if accounts.get(key) != account}
    return {made.address: found.pop(made.address), **found}


def describe(market: Market) -> dict[str, Any]:
    """The market as `simnetMarket` answers it."""
    table: dict[str, Any] = msgspec.to_builtins(market)
    return table
