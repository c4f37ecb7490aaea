"""The exit, tried: a buy and the sale of all it gave, simulated by the node in one transaction of our wallet.

Nothing is signed or sent: the node is asked what an unsigned transaction would do, so only the wallet's address is
needed. First the buy alone tells what arrives, then buy and sale together what comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import ID as SYSTEM
from solders.system_program import TransferParams, transfer
from solders.token.associated import get_associated_token_address
from solders.transaction import VersionedTransaction

from sniperforge.rpc import RpcError
from sniperforge.safety import swaps
from sniperforge.safety.mint import TOKEN, holding
from sniperforge.safety.pools import Pool
from sniperforge.safety.reader import Account, Reader, Simulation
from sniperforge.venues.pools import WRAPPED_SOL

_ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
_COMPUTE_UNITS = 1_400_000
_SPARE_LAMPORTS = 20_000_000
"""What fees and the rent of new token accounts may take."""
_TRIES = 3
_NATIVE_VENUES = ("pump_fun",)
"""Venues that move lamports themselves, without wrapping."""


class Trial(NamedTuple):
    """What came of it.

    Attributes:
        spent: base units of the pool's other token that the buy took; 0 if only the sale was tried.
        bought: base units of the mint that arrived.
        sold, proceeds: base units of the mint that the sale took, and of the other token that it gave.
        failure: why it did not go through; empty if it did.
    """

    slot: int
    spent: int = 0
    bought: int = 0
    sold: int = 0
    proceeds: int = 0
    failure: str = ""


class _Wallet(NamedTuple):
    """What the wallet has, before or after."""

    lamports: int
    quote: int
    token: int


class _Setup(NamedTuple):
    """Who trades where, and what comes before the swaps."""

    pool: Pool
    user: Pubkey
    token: Pubkey
    quote: Pubkey
    before: list[Instruction]

    @property
    def keys(self) -> tuple[Pubkey, Pubkey, Pubkey]:
        return self.user, self.quote, self.token

    def value(self, wallet: _Wallet) -> int:
        """What the wallet has of the pool's other token; lamports are SOL, wrapped or not."""
        return wallet.quote + (wallet.lamports if self.pool.quote == WRAPPED_SOL else 0)

    def swap(self, *, sell: bool, amount: int, tokens: int = 0) -> Instruction:
        return swaps.instruction(self.pool, swaps.Swap(sell, amount, tokens, self.user, self.token, self.quote))


def run(reader: Reader, pool: Pool, user: Pubkey, amount: int) -> Trial:
    """Tries to buy with `amount` and to sell all; only the sale if the wallet cannot pay but holds the mint."""
    token = get_associated_token_address(user, pool.mint, pool.programs[0])
    quote = get_associated_token_address(user, pool.quote, pool.programs[1])
    read = reader.accounts([user, quote, token])
    now = _wallet(read.accounts)
    native = pool.quote == WRAPPED_SOL
    wraps = native and pool.venue not in _NATIVE_VENUES
    needed = _SPARE_LAMPORTS + (amount if native else 0)
    before = [
        set_compute_unit_limit(_COMPUTE_UNITS),
        make_account(user, quote, pool.quote, pool.programs[1]),
        make_account(user, token, pool.mint, pool.programs[0]),
    ]
    if wraps and now.lamports >= needed:
        before += [
            transfer(TransferParams(from_pubkey=user, to_pubkey=quote, lamports=amount)),
            Instruction(TOKEN, b"\x11", [AccountMeta(quote, is_signer=False, is_writable=True)]),
        ]
    setup = _Setup(pool, user, token, quote, before)
    pays_lamports = native and now.lamports >= needed
    pays_tokens = now.quote >= amount and now.lamports >= _SPARE_LAMPORTS and pool.venue not in _NATIVE_VENUES
    buys = pays_lamports or pays_tokens
    if not buys and not now.token:
        return Trial(
            read.slot,
            failure=f"wallet {user} cannot pay {amount} of {pool.quote} and fees, so no exit could be tried; fund it, "
            "or name another with --wallet",
        )
    trial = Trial(read.slot, failure="not tried")
    for _ in range(_TRIES):  # the pool may move between the two simulations
        trial = _buy_and_sell(reader, setup, now, amount) if buys else _sell(reader, setup, [], now.token)
        if not trial.failure:
            break
    return trial


def _buy_and_sell(reader: Reader, setup: _Setup, now: _Wallet, amount: int) -> Trial:
    tokens = setup.pool.quote_in(False, amount).amount_out
    buy = setup.swap(sell=False, amount=amount, tokens=tokens)
    alone = _simulate(reader, setup, [buy])
    if isinstance(alone, str):
        return Trial(setup.pool.slot, failure=f"the buy fails: {alone}")
    after = _wallet(alone.accounts)
    bought = after.token - now.token
    if bought <= 0:
        return Trial(alone.slot, failure="the buy goes through, but nothing of the token arrives")
    sale = _sell(reader, setup, [buy], after.token, after)
    return sale._replace(spent=amount, bought=bought)


def _sell(reader: Reader, setup: _Setup, first: list[Instruction], tokens: int, after: _Wallet | None = None) -> Trial:
    if after is None:
        alone = _simulate(reader, setup, first)
        if isinstance(alone, str):
            return Trial(setup.pool.slot, failure=f"the wallet's accounts cannot be made: {alone}")
        after = _wallet(alone.accounts)
    both = _simulate(reader, setup, [*first, setup.swap(sell=True, amount=tokens)])
    if isinstance(both, str):
        return Trial(setup.pool.slot, sold=tokens, failure=f"the sale of {tokens} fails: {both}")
    proceeds = setup.value(_wallet(both.accounts)) - setup.value(after)
    if proceeds <= 0:
        return Trial(both.slot, sold=tokens, failure="the sale goes through, but nothing comes back")
    return Trial(both.slot, sold=tokens, proceeds=proceeds)


def _simulate(reader: Reader, setup: _Setup, swap: Sequence[Instruction]) -> Simulation | str:
    """The simulation, or why it failed."""
    message = MessageV0.try_compile(setup.user, [*setup.before, *swap], [], Hash.default())
    transaction = VersionedTransaction.populate(message, [Signature.default()])
    try:
        simulation = reader.simulate(transaction, setup.keys)
    except RpcError as error:
        return f"the node refuses to simulate it: {error}"
    if simulation.error is None:
        return simulation
    said = [line for line in simulation.logs if line.startswith("Program log: ") and "rror" in line]
    return msgspec.json.encode(simulation.error).decode() + (
        f" ({said[-1].removeprefix('Program log: ')})" if said else ""
    )


def _wallet(accounts: Sequence[Account | None]) -> _Wallet:
    user, quote, token = accounts
    held = [holding(account.owner, account.data) if account is not None else None for account in (quote, token)]
    amounts = [each.amount if each is not None else 0 for each in held]
    return _Wallet(user.lamports if user is not None else 0, amounts[0], amounts[1])


def make_account(user: Pubkey, account: Pubkey, mint: Pubkey, program: Pubkey) -> Instruction:
    """Makes the associated token account unless it is there."""
    metas = [
        AccountMeta(user, is_signer=True, is_writable=True),
        AccountMeta(account, is_signer=False, is_writable=True),
        *(AccountMeta(key, is_signer=False, is_writable=False) for key in (user, mint, SYSTEM, program)),
    ]
    return Instruction(_ASSOCIATED, b"\1", metas)
