"""The synthetic market: mints and Raydium CPMM pools on overlapping pairs, made from the seed.

CPMM pools among the loaded dumps are adopted: they keep their bytes, and at least one pool on the same mints is made
beside each, so that prices can part.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import msgspec
from solders.account import Account
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address

from sniperforge.simnet import cpmm_accounts
from sniperforge.simnet.accounts import mint_supply, token_account
from sniperforge.simnet.config import ConfigError, SimnetConfig
from sniperforge.simnet.faucet import WRAPPED_SOL, Faucet, derive_keypair, held_tokens, mint_data
from sniperforge.simnet.transactions import TOKEN_PROGRAM

USDC = Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
_LAMPORTS_PER_SOL = 1_000_000_000
_TRADER_SOL = 1_000
_TRADER_POOLS = 50
_FIRST_CONFIG = 100
_FEE_RATES = (100, 300, 500, 1000, 2500, 5000)
_PROTOCOL_SHARE = 120_000
_FUND_SHARE = 40_000
_MAX_AMOUNT = 2**62
_SYLLABLES = ("BO", "CA", "DO", "FI", "GU", "JU", "KE", "LA", "MO", "NI", "PU", "RA", "SO", "TI", "VE", "ZU")


class Mint(msgspec.Struct, frozen=True):
    """A mint of the market; `price_usd` is its fair price per whole token at genesis."""

    symbol: str
    address: str
    decimals: int
    price_usd: float


class Pool(msgspec.Struct, frozen=True):
    """A pool of the market; `mints` are numbers in the market's list, in the program's order."""

    address: str
    config: str
    mints: tuple[int, int]
    vaults: tuple[str, str]
    lp_mint: str
    observation: str
    trade_fee_rate: int
    adopted: bool

    def keys(self, mints: list[Mint]) -> cpmm_accounts.PoolKeys:
        """The addresses that swaps need."""
        first, second = (Pubkey.from_string(mints[number].address) for number in self.mints)
        return cpmm_accounts.PoolKeys(
            pool=Pubkey.from_string(self.address),
            config=Pubkey.from_string(self.config),
            mints=(first, second),
            token_programs=(TOKEN_PROGRAM, TOKEN_PROGRAM),
            vaults=(Pubkey.from_string(self.vaults[0]), Pubkey.from_string(self.vaults[1])),
            lp_mint=Pubkey.from_string(self.lp_mint),
            observation=Pubkey.from_string(self.observation),
        )


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
        self.accounts: dict[Pubkey, Account] = dict(loaded)
        self.market = Market(config.seed, [], [], 0)
        self._unix_time = unix_time
        self._svm = LiteSVM()
        self._faucet = Faucet(config.seed)
        self._random = random.Random(config.seed)
        self._mints: list[Mint] = []
        self._pools: list[Pool] = []
        self._supply: dict[int, int] = {}

    def build(self) -> None:
        """Make the accounts.  Raises ConfigError when the market asked for cannot be made."""
        lamports = self.config.faucet_sol * _LAMPORTS_PER_SOL
        self.accounts[self._faucet.address] = Account(lamports, b"", Pubkey.default())
        self.accounts.setdefault(WRAPPED_SOL, self._owned(mint_data(decimals=9, supply=0, authority=None)))
        if not self.config.market.enabled:
            return
        adopted = self._adoptable()
        self._make_mints(adopted)
        for keys in adopted:
            self._adopt(keys)
        self._make_configs()
        self._make_pools()
        self._make_traders()
        self._make_mint_accounts()
        self.market = Market(self.config.seed, self._mints, self._pools, self.config.market.traders)

    def _owned(self, data: bytes, owner: Pubkey = TOKEN_PROGRAM) -> Account:
        return Account(self._svm.minimum_balance_for_rent_exemption(len(data)), data, owner)

    def _adoptable(self) -> list[cpmm_accounts.PoolKeys]:
        found = []
        for address, account in self.accounts.items():
            if account.owner != cpmm_accounts.PROGRAM_ID or len(account.data) != cpmm_accounts.POOL_SIZE:
                continue
            keys = cpmm_accounts.read_pool(address, account.data)
            needed = (keys.config, keys.observation, *keys.vaults, *keys.mints)
            tokens = all(program == TOKEN_PROGRAM for program in keys.token_programs)
            if tokens and all(key in self.accounts for key in needed):
                found.append(keys)
        return found

    def _reserves(self, keys: cpmm_accounts.PoolKeys) -> tuple[int, int]:
        held = [token_account(self.accounts[vault]) for vault in keys.vaults]
        first, second = (account.amount if account is not None else 0 for account in held)
        return pool_reserves(self.accounts[keys.pool].data, first, second)

    def _make_mints(self, adopted: list[cpmm_accounts.PoolKeys]) -> None:
        prices = {USDC: 1.0, WRAPPED_SOL: self.config.market.sol_price_usd}
        known: list[Pubkey] = [WRAPPED_SOL, USDC]
        told: set[Pubkey] = {USDC}
        for keys in sorted(adopted, key=lambda each: USDC not in each.mints):
            reserves = self._reserves(keys)
            for side, mint in enumerate(keys.mints):
                other = keys.mints[1 - side]
                if mint in told or other not in prices or not all(reserves):
                    continue
                units = 10 ** (self._decimals(mint) - self._decimals(other))
                prices[mint] = prices[other] * reserves[1 - side] / reserves[side] * units
                told.add(mint)
            known.extend(mint for mint in keys.mints if mint not in known and mint in prices)
        for mint in known:
            symbol = {WRAPPED_SOL: "WSOL", USDC: "USDC"}.get(mint, f"M{str(mint)[:4].upper()}")
            self._mints.append(Mint(symbol, str(mint), self._decimals(mint), prices[mint]))
        symbols = {mint.symbol for mint in self._mints}
        while len(self._mints) < self.config.market.mints:
            symbol = "".join(self._random.choices(_SYLLABLES, k=2))
            if symbol in symbols:
                symbol += str(len(self._mints))
            symbols.add(symbol)
            address = derive_keypair(self.config.seed, f"mint {symbol}").pubkey()
            price = 10 ** self._random.uniform(-2.0, 2.0)
            decimals = self._random.choice((5, 6, 6, 6, 8))
            self._mints.append(Mint(symbol, str(address), decimals, price))

    def _decimals(self, mint: Pubkey) -> int:
        state = mint_supply(self.accounts.get(mint))
        return state[1] if state is not None else {WRAPPED_SOL: 9}.get(mint, 6)

    def _adopt(self, keys: cpmm_accounts.PoolKeys) -> None:
        numbers = {mint.address: number for number, mint in enumerate(self._mints)}
        pair = [numbers.get(str(mint)) for mint in keys.mints]
        if pair[0] is None or pair[1] is None:
            return
        rate = int.from_bytes(self.accounts[keys.config].data[12:20], "little")
        self._pools.append(_pool(keys, (pair[0], pair[1]), rate, adopted=True))

    def _make_configs(self) -> None:
        for number, rate in enumerate(_FEE_RATES):
            data = cpmm_accounts.config_data(
                index=_FIRST_CONFIG + number,
                trade_fee_rate=rate,
                protocol_fee_rate=_PROTOCOL_SHARE,
                fund_fee_rate=_FUND_SHARE,
                creator_fee_rate=0,
            )
            address = cpmm_accounts.config_address(_FIRST_CONFIG + number)
            self.accounts[address] = self._owned(data, cpmm_accounts.PROGRAM_ID)

    def _make_pools(self) -> None:
        wanted, count = self.config.market.pools, len(self._mints)
        most = count * (count - 1) // 2 * len(_FEE_RATES)
        if wanted > most:
            raise ConfigError(
                f"simnet.market.pools: {wanted} pools do not fit {count} mints (at most {most}); raise mints"
            )
        used: dict[tuple[int, int], list[int]] = {}
        pairs = [tuple(sorted(pool.mints)) for pool in self._pools]
        pairs += [(0, number) for number in range(1, count)] + [(1, number) for number in range(2, count)]
        made = 0
        while made < wanted:
            if pairs:
                first, second = pairs.pop(0)
            elif self._random.random() < 0.5:
                first, second = self._random.choice((0, 1)), self._random.randrange(2, max(count, 3))
            else:
                first, second = sorted(self._random.sample(range(count), 2))
            if second >= count:
                first, second = 0, 1
            free = [n for n in range(len(_FEE_RATES)) if n not in used.setdefault((first, second), [])]
            if free:
                number = self._random.choice(free)
                used[first, second].append(number)
                self._make_pool((first, second), number)
                made += 1

    def _make_pool(self, pair: tuple[int, int], fee: int) -> None:
        addresses = Pubkey.from_string(self._mints[pair[0]].address), Pubkey.from_string(self._mints[pair[1]].address)
        keys = cpmm_accounts.derive_pool(config=cpmm_accounts.config_address(_FIRST_CONFIG + fee), mints=addresses)
        numbers = pair if keys.mints == addresses else (pair[1], pair[0])
        value = self.config.market.pool_value_usd * self._random.lognormvariate(0.0, 0.5)
        tilt = 1.0 + self._random.uniform(-1.0, 1.0) * _FEE_RATES[fee] / 1_000_000
        amounts = []
        for side, number in enumerate(numbers):
            mint = self._mints[number]
            whole = value / 2 / mint.price_usd * (tilt if side else 1.0)
            amounts.append(max(1_000, min(int(whole * 10**mint.decimals), _MAX_AMOUNT)))
        rent = self._svm.minimum_balance_for_rent_exemption(165)
        for side, vault in enumerate(keys.vaults):
            self.accounts[vault] = held_tokens(rent, keys.mints[side], cpmm_accounts.AUTHORITY, amounts[side])
            self._supply[numbers[side]] = self._supply.get(numbers[side], 0) + amounts[side]
        lp_supply = int((amounts[0] * amounts[1]) ** 0.5)
        first, second = (self._mints[number].decimals for number in numbers)
        data = cpmm_accounts.pool_data(
            keys,
            decimals=(first, second),
            lp_supply=lp_supply,
            creator=self._faucet.address,
            open_time=self._unix_time,
        )
        self.accounts[keys.pool] = self._owned(data, cpmm_accounts.PROGRAM_ID)
        observation = cpmm_accounts.observation_data(keys)
        self.accounts[keys.observation] = self._owned(observation, cpmm_accounts.PROGRAM_ID)
        lp_mint = mint_data(decimals=9, supply=lp_supply, authority=cpmm_accounts.AUTHORITY)
        self.accounts[keys.lp_mint] = self._owned(lp_mint)
        self._pools.append(_pool(keys, numbers, _FEE_RATES[fee], adopted=False))

    def _make_traders(self) -> None:
        rent = self._svm.minimum_balance_for_rent_exemption(165)
        for number in range(self.config.market.traders):
            trader = derive_keypair(self.config.seed, f"trader {number}").pubkey()
            self.accounts[trader] = Account(_TRADER_SOL * _LAMPORTS_PER_SOL, b"", Pubkey.default())
            for index, mint in enumerate(self._mints):
                address = Pubkey.from_string(mint.address)
                whole = _TRADER_POOLS * self.config.market.pool_value_usd / mint.price_usd
                share = _MAX_AMOUNT // self.config.market.traders
                amount = min(int(whole * 10**mint.decimals), share)
                account = get_associated_token_address(trader, address)
                self.accounts[account] = held_tokens(rent, address, trader, amount)
                self._supply[index] = self._supply.get(index, 0) + amount

    def _make_mint_accounts(self) -> None:
        for number, mint in enumerate(self._mints):
            address = Pubkey.from_string(mint.address)
            if address not in self.accounts:
                data = mint_data(
                    decimals=mint.decimals,
                    supply=min(self._supply.get(number, 0), 2**63),
                    authority=self._faucet.address,
                )
                self.accounts[address] = self._owned(data)


def _pool(keys: cpmm_accounts.PoolKeys, mints: tuple[int, int], rate: int, *, adopted: bool) -> Pool:
    return Pool(
        address=str(keys.pool),
        config=str(keys.config),
        mints=mints,
        vaults=(str(keys.vaults[0]), str(keys.vaults[1])),
        lp_mint=str(keys.lp_mint),
        observation=str(keys.observation),
        trade_fee_rate=rate,
        adopted=adopted,
    )


def pool_reserves(pool: bytes, first: int, second: int) -> tuple[int, int]:
    """What of the two vault balances the pool may swap: without protocol, fund and creator fees owed.

    Source: raydium-cp-swap states/pool.rs, PoolState::vault_amount_without_fee.
    """
    owed = [int.from_bytes(pool[at : at + 8], "little") for at in (341, 349, 357, 365, 397, 405)]
    return first - owed[0] - owed[2] - owed[4], second - owed[1] - owed[3] - owed[5]


def describe(market: Market) -> dict[str, Any]:
    """The market as `simnetMarket` answers it."""
    table: dict[str, Any] = msgspec.to_builtins(market)
    return table
