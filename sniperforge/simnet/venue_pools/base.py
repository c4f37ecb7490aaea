"""What the market asks of a venue: to make pools at genesis, and to trade on them while the chain runs.

A venue is one file beside this one and one line of `VENUES`. A pool of any venue is, to the market, a pair of tokens
and the reserves that a constant-product pool of the same price and depth would have: whoever puts a share s of one
reserve in moves the price by (1 + s)², whatever the venue's curve.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from solders.account import Account
from solders.instruction import Instruction
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey

from sniperforge.simnet import token_2022
from sniperforge.simnet.faucet import WRAPPED_SOL, held_tokens
from sniperforge.simnet.transactions import TOKEN_PROGRAM

USDC = Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
MAX_AMOUNT = 2**62
_MIN_AMOUNT = 1_000
_TOKEN_ACCOUNT_BYTES = 165

Read = Callable[[Pubkey], Account | None]
"""The present account at an address."""


class Token(NamedTuple):
    """A mint of the market; `price_usd` is its fair price per whole token at genesis."""

    address: Pubkey
    program: Pubkey
    decimals: int
    price_usd: float

    def units(self, usd: float) -> float:
        """Base units that are worth so much."""
        return usd / self.price_usd * 10.0**self.decimals


Pair = tuple[Token, Token]


class Made(NamedTuple):
    """A pool that was made; pairs are in its program's order."""

    address: Pubkey
    mints: tuple[Pubkey, Pubkey]
    vaults: tuple[Pubkey, Pubkey]
    trade_fee_rate: int
    """In parts per million."""
    config: Pubkey | None = None


class Order(NamedTuple):
    """A trader's swap. Pairs are in the pool's order; `side` is the one that goes in."""

    trader: Pubkey
    accounts: tuple[Pubkey, Pubkey]
    side: int
    amount: int
    expected: int
    """What should come out."""
    slippage: float
    """The share by which it may be worse."""

    @property
    def least(self) -> int:
        """What must come out, if exactly `amount` goes in."""
        return int(self.expected * (1.0 - self.slippage))


class LivePool(Protocol):
    """A pool of the running chain."""

    def reserves(self, read: Read) -> tuple[float, float] | None:
        """Reserves of the constant-product pool with its price and depth; None when it has none."""

    def swap(self, read: Read, order: Order) -> Instruction:
        """The instruction that carries the order out."""


class Venue(Protocol):
    """One exchange program."""

    @property
    def takes_token_2022(self) -> bool:
        """Whether its pools may be on Token-2022 mints that withhold a fee."""

    @property
    def only_coins(self) -> bool:
        """Whether its pools are on coins and wrapped SOL alone."""

    def make(self, genesis: Genesis, pair: Pair, value_usd: float, dice: random.Random) -> Made | None:
        """Makes a pool of two tokens whose reserves together are worth `value_usd`; None when it has no other pool
        for them."""

    def live(self, address: Pubkey, pair: Pair, read: Read) -> LivePool:
        """The pool at an address, whose tokens in its order are `pair`."""


class Genesis:
    """The accounts a chain begins with, while they are made; `supply` counts the tokens they hold."""

    def __init__(self, accounts: Mapping[Pubkey, Account], creator: Pubkey, unix_time: int) -> None:
        self.accounts = dict(accounts)
        self.creator = creator
        self.unix_time = unix_time
        self.supply: Counter[Pubkey] = Counter()
        self._svm = LiteSVM()

    def __contains__(self, address: Pubkey) -> bool:
        return address in self.accounts

    def rent(self, size: int) -> int:
        """Lamports that free an account of rent."""
        return self._svm.minimum_balance_for_rent_exemption(size)

    def put(self, address: Pubkey, data: bytes, owner: Pubkey, *, lamports: int = 0) -> None:
        """An account with these bytes, `lamports` above its rent."""
        self.accounts[address] = Account(self.rent(len(data)) + lamports, data, owner)

    def hold(self, address: Pubkey, token: Token, owner: Pubkey, amount: int) -> None:
        """A token account that holds `amount`."""
        self.supply[token.address] += amount
        if token.program == TOKEN_PROGRAM:
            rent = self.rent(_TOKEN_ACCOUNT_BYTES)
            self.accounts[address] = held_tokens(rent, token.address, owner, amount)
        else:
            data = token_2022.fee_account_data(mint=token.address, owner=owner, amount=amount)
            self.put(address, data, token_2022.PROGRAM_ID)


@dataclass(frozen=True)
class Opening:
    """The price and depth a new pool begins with; pairs are in the pair's order."""

    reserves: tuple[int, int]

    @property
    def price(self) -> float:
        """Base units of the second token per base unit of the first."""
        return self.reserves[1] / self.reserves[0]


def opening(pair: Pair, value_usd: float, rate: int, dice: random.Random) -> Opening:
    """Reserves worth `value_usd` together, off the fair price by up to the fee (`rate`, parts per million)."""
    tilt = 1.0 + dice.uniform(-1.0, 1.0) * rate / 1_000_000
    first, second = (pair[0].units(value_usd / 2.0), pair[1].units(value_usd / 2.0) * tilt)
    return Opening((_bounded(first), _bounded(second)))


def _bounded(amount: float) -> int:
    return max(_MIN_AMOUNT, min(int(amount), MAX_AMOUNT))


def by_address(pair: Pair) -> Pair:
    """The pair as programs order it that go by address."""
    return pair if bytes(pair[0].address) < bytes(pair[1].address) else (pair[1], pair[0])


def by_quote(pair: Pair) -> Pair:
    """The pair with what its price is told in as the second: USDC, else wrapped SOL."""
    for quote in (USDC, WRAPPED_SOL):
        if pair[0].address == quote:
            return pair[1], pair[0]
        if pair[1].address == quote:
            return pair
    return pair


def data_at(read: Read, address: Pubkey) -> bytes:
    """The bytes at an address.  Raises LookupError where there is no account."""
    account = read(address)
    if account is None:
        raise LookupError(f"{address} is gone from the chain")
    return account.data


def held(read: Read, account: Pubkey) -> int:
    """The amount in a token account; 0 where there is none."""
    found = read(account)
    return int.from_bytes(found.data[64:72], "little") if found is not None else 0
