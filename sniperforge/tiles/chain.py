"""What the chain says: outcomes of signatures, balances of the wallet, slot, block height and blockhash.

`ChainReader` is the procedure, one round after the other; it belongs to one thread and tells what it found by
calling `tell`. Its rules:

* A signature has an outcome when its status has reached the commitment; outcome and deltas are then read from the
  transaction itself: `meta.err`, `meta.fee`, lamports and token balances before and after.
* A signature without a status is unknown, not failed. It is expired only when the block height (at the commitment)
  is above its last valid block height *and* a status query answered after that, by a node at least as far, with the
  history searched, still does not know it.
* Balances are absolute and were read at a slot not older than any outcome told before them.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

import msgspec
from spl.token.constants import TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID

from sniperforge import base58
from sniperforge.rpc import RpcClient, RpcError

SPL_TOKEN: Final = str(TOKEN_PROGRAM_ID)
TOKEN_2022: Final = str(TOKEN_2022_PROGRAM_ID)

Commitment = Literal["processed", "confirmed", "finalized"]
_LEVELS: Final = ("processed", "confirmed", "finalized")

_STATUSES_PER_CALL = 256  # the node's limit
_TRANSACTIONS_PER_BATCH = 64
_ACCOUNTS_PER_CALL = 100  # the node's limit

T = TypeVar("T")


# -- what is told -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChainState:
    """Slot (processed), block height (at the commitment), and the newest blockhash at `confirmed`."""

    slot: int
    block_height: int
    blockhash: bytes
    blockhash_slot: int
    blockhash_ns: int
    last_valid_block_height: int
    lamports_per_signature: int
    wallet_lamports: int


@dataclass(frozen=True, slots=True)
class Landed:
    """A transaction that executed, with or without error.

    Attributes:
        error: what `meta.err` says; None = success.
        lamports: change of the wallet's lamports, fee included.
        tokens: change of the wallet's token accounts by mint, summed over its accounts of that mint.
        accounts: addresses of these accounts by mint.
    """

    order: int
    slot: int
    error: Any
    fee_lamports: int
    compute_units: int
    lamports: int
    tokens: Mapping[str, int]
    accounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expired:
    """A signature that can never land any more; `slot` is where the block height had passed it."""

    order: int
    slot: int


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the wallet holds by mint, in base units, and its lamports. `complete`: a mint that is missing is 0."""

    slot: int
    lamports: int
    tokens: Mapping[str, int]
    complete: bool


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Every signature watched from the start was asked for, all balances are told, a blockhash is known."""


News = ChainState | Landed | Expired | Holdings | Reconciled


# -- answers of the node ------------------------------------------------------------------------------------------


class _Context(msgspec.Struct):
    slot: int


class _EpochInfo(msgspec.Struct, rename="camel"):
    absolute_slot: int
    block_height: int


class _Status(msgspec.Struct, rename="camel"):
    slot: int
    confirmation_status: Commitment


class _Statuses(msgspec.Struct):
    context: _Context
    value: list[_Status | None]


class _Blockhash(msgspec.Struct, rename="camel"):
    blockhash: str
    last_valid_block_height: int


class _LatestBlockhash(msgspec.Struct):
    context: _Context
    value: _Blockhash


class _Number(msgspec.Struct):
    context: _Context
    value: int | None


class _Account(msgspec.Struct):
    lamports: int
    data: tuple[str, str]


class _KeyedAccount(msgspec.Struct):
    pubkey: str
    account: _Account


class _KeyedAccounts(msgspec.Struct):
    context: _Context
    value: list[_KeyedAccount]


class _Accounts(msgspec.Struct):
    context: _Context
    value: list[_Account | None]


class _Amount(msgspec.Struct):
    amount: str


class _TokenBalance(msgspec.Struct, rename="camel"):
    account_index: int
    mint: str
    ui_token_amount: _Amount
    owner: str | None = None


class _Addresses(msgspec.Struct):
    writable: list[str] = []
    readonly: list[str] = []


class _Meta(msgspec.Struct, rename="camel"):
    fee: int
    pre_balances: list[int]
    post_balances: list[int]
    err: Any = None
    pre_token_balances: list[_TokenBalance] | None = None
    post_token_balances: list[_TokenBalance] | None = None
    compute_units_consumed: int | None = None
    loaded_addresses: _Addresses | None = None


class _Message(msgspec.Struct, rename="camel"):
    account_keys: list[str]


class _Wire(msgspec.Struct):
    message: _Message


class _Transaction(msgspec.Struct):
    slot: int
    transaction: _Wire
    meta: _Meta


def landed(order: int, wallet: str, answer: Any) -> Landed:
    """The outcome that a `getTransaction` answer (encoding `json`) tells.

    Raises:
        msgspec.ValidationError: the answer does not have that form.
        ValueError: an amount is no number, or an index names no account.
    """
    found = msgspec.convert(answer, _Transaction)
    meta = found.meta
    keys = list(found.transaction.message.account_keys)
    if meta.loaded_addresses is not None:
        keys += meta.loaded_addresses.writable + meta.loaded_addresses.readonly
    if wallet not in keys or not len(keys) == len(meta.pre_balances) == len(meta.post_balances):
        raise ValueError("the transaction's accounts and balances do not fit together")
    payer = keys.index(wallet)
    tokens: dict[str, int] = {}
    accounts: dict[str, set[str]] = {}
    for sign, balances in ((-1, meta.pre_token_balances), (1, meta.post_token_balances)):
        for balance in balances or ():
            if balance.owner != wallet:
                continue
            if not 0 <= balance.account_index < len(keys):
                raise ValueError(f"token balance of account {balance.account_index}, there are {len(keys)}")
            amount = sign * int(balance.ui_token_amount.amount)
            tokens[balance.mint] = tokens.get(balance.mint, 0) + amount
            accounts.setdefault(balance.mint, set()).add(keys[balance.account_index])
    return Landed(
        order=order,
        slot=found.slot,
        error=meta.err,
        fee_lamports=meta.fee,
        compute_units=meta.compute_units_consumed or 0,
        lamports=meta.post_balances[payer] - meta.pre_balances[payer],
        tokens=tokens,
        accounts={mint: tuple(sorted(addresses)) for mint, addresses in accounts.items()},
    )


def fee_probe(wallet: bytes, blockhash: bytes) -> bytes:
    """A legacy message with one signer and no instruction: what the base fee of one signature is asked with."""
    return bytes((1, 0, 0, 1)) + wallet + blockhash + b"\0"


# -- the procedure ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Watch:
    order: int
    signature: str
    last_valid_block_height: int
    asked: bool = False


class ChainReader:
    """Asks a node about signatures and the wallet.

    Args:
        client: connection to the node; used by the thread that calls `round` only.
        wallet: address of the wallet.
        commitment: level at which an outcome counts. `processed` counts as `confirmed`, because a node does not
            tell a transaction's balances before.
        tell: called with each piece of news, in the order in which it is to be believed.
        now_ns: the engine clock.
    """

    def __init__(
        self,
        client: RpcClient,
        *,
        wallet: str,
        commitment: Commitment,
        tell: Callable[[News], None],
        now_ns: Callable[[], int],
    ) -> None:
        self._client = client
        self._wallet = wallet
        self._wallet_bytes = base58.decode(wallet, 32)
        self._level: Commitment = "confirmed" if commitment == "processed" else commitment
        self._tell = tell
        self._now_ns = now_ns
        self._watches: dict[int, _Watch] = {}
        self._accounts: dict[str, set[str]] = {}
        self._touched: set[str] = set()
        self._complete_wanted = True
        self._complete_told = False
        self._reconciled = False
        self._not_before = 0
        self._seen_slot = -1
        self._lamports_per_signature = 0
        self._blockhash: tuple[_LatestBlockhash, int] | None = None
        self._wallet_lamports = 0

    @property
    def watching(self) -> int:
        """How many signatures have no outcome yet."""
        return len(self._watches)

    def watch(self, order: int, signature: str, last_valid_block_height: int) -> None:
        """Begins to ask for a signature."""
        self._watches[order] = _Watch(order, signature, last_valid_block_height)

    def forget(self, order: int) -> None:
        """Stops asking for an order's signature."""
        self._watches.pop(order, None)

    def want_holdings(self) -> None:
        """Has the next round read all balances of the wallet."""
        self._complete_wanted = True

    def round(self) -> None:
        """Asks once for everything that is due.

        Raises:
            RpcError, RpcUnavailable: the node refused or did not answer; what was told before stays true.
            ValueError: the node's answer has another form than the interface's (msgspec.ValidationError is one).
        """
        epoch, slot = self._ask(
            ("getEpochInfo", [{"commitment": self._level}], _EpochInfo),
            ("getSlot", [{"commitment": "processed"}], int),
        )
        if epoch.absolute_slot != self._seen_slot:
            self._read_slot()
            self._seen_slot = epoch.absolute_slot
        self._tell_state(epoch, slot)
        self._ask_outcomes(epoch)
        self._ask_holdings()
        if not self._reconciled and self._complete_told and all(watch.asked for watch in self._watches.values()):
            self._reconciled = True
            self._tell(Reconciled())

    def _ask(self, *calls: tuple[str, Sequence[Any], Any]) -> list[Any]:
        """Answers to several calls in one request, each as its type."""
        answers = self._client.batch([(method, params) for method, params, _ in calls])
        found = []
        for (_, _, kind), answer in zip(calls, answers, strict=True):
            if isinstance(answer, RpcError):
                raise answer
            found.append(msgspec.convert(answer, kind))
        return found

    def _read_slot(self) -> None:
        """What is asked once per slot: blockhash, the wallet's lamports and, at first, the price of a signature."""
        asked_ns = self._now_ns()
        blockhash, lamports = self._ask(
            ("getLatestBlockhash", [{"commitment": "confirmed"}], _LatestBlockhash),
            ("getBalance", [self._wallet, {"commitment": self._level}], _Number),
        )
        self._blockhash = blockhash, asked_ns
        self._wallet_lamports = lamports.value or 0
        if not self._lamports_per_signature:
            probe = fee_probe(self._wallet_bytes, base58.decode(blockhash.value.blockhash, 32))
            text = base64.b64encode(probe).decode()
            (fee,) = self._ask(("getFeeForMessage", [text, {"commitment": "confirmed"}], _Number))
            self._lamports_per_signature = fee.value or 0

    def _tell_state(self, epoch: _EpochInfo, slot: int) -> None:
        assert self._blockhash is not None
        latest, asked_ns = self._blockhash
        self._tell(
            ChainState(
                slot=max(slot, latest.context.slot),
                block_height=epoch.block_height,
                blockhash=base58.decode(latest.value.blockhash, 32),
                blockhash_slot=latest.context.slot,
                blockhash_ns=asked_ns,
                last_valid_block_height=latest.value.last_valid_block_height,
                lamports_per_signature=self._lamports_per_signature,
                wallet_lamports=self._wallet_lamports,
            )
        )

    def _ask_outcomes(self, epoch: _EpochInfo) -> None:
        """Statuses of all watched signatures, then the transactions that have reached the commitment."""
        reached: list[_Watch] = []
        expired: list[_Watch] = []
        late = {each.order for each in self._watches.values() if each.last_valid_block_height < epoch.block_height}
        for searched in (False, True):
            watches = [watch for watch in self._watches.values() if (watch.order in late) == searched]
            for chunk in _chunks(watches, _STATUSES_PER_CALL):
                signatures = [watch.signature for watch in chunk]
                params = [signatures, {"searchTransactionHistory": searched}]
                (statuses,) = self._ask(("getSignatureStatuses", params, _Statuses))
                if len(statuses.value) != len(chunk):
                    raise ValueError(f"{len(statuses.value)} statuses for {len(chunk)} signatures")
                for watch, status in zip(chunk, statuses.value, strict=True):
                    if status is None:
                        if searched and statuses.context.slot >= epoch.absolute_slot:
                            expired.append(watch)
                    elif _LEVELS.index(status.confirmation_status) >= _LEVELS.index(self._level):
                        reached.append(watch)
                        continue  # counts as asked for when its transaction is read
                    watch.asked = True
        for watch in expired:
            del self._watches[watch.order]
            self._tell(Expired(watch.order, epoch.absolute_slot))
        for chunk in _chunks(reached, _TRANSACTIONS_PER_BATCH):
            self._read_transactions(chunk)

    def _read_transactions(self, watches: Sequence[_Watch]) -> None:
        options = {"commitment": self._level, "encoding": "json", "maxSupportedTransactionVersion": 0}
        answers = self._client.batch([("getTransaction", [watch.signature, options]) for watch in watches])
        refused: Exception | None = None
        for watch, answer in zip(watches, answers, strict=True):
            if answer is None:
                continue  # the part of the node that keeps transactions is behind; next round again
            try:
                if isinstance(answer, RpcError):
                    raise answer
                news = landed(watch.order, self._wallet, answer)
            except (RpcError, ValueError) as error:
                refused = error  # one that cannot be read does not hold up the others
                continue
            del self._watches[watch.order]
            self._not_before = max(self._not_before, news.slot)
            for mint, addresses in news.accounts.items():
                self._accounts.setdefault(mint, set()).update(addresses)
                self._touched.add(mint)
            self._tell(news)
        if refused is not None:
            raise refused

    def _ask_holdings(self) -> None:
        known = [(address, mint) for mint in sorted(self._touched) for address in sorted(self._accounts[mint])]
        if self._complete_wanted or len(known) >= _ACCOUNTS_PER_CALL:
            self._read_all_holdings()
        elif known:
            self._read_holdings(known)

    def _read_all_holdings(self) -> None:
        options = {"commitment": self._level, "encoding": "base64", "dataSlice": {"offset": 0, "length": 72}}
        spl, token_2022, lamports = self._ask(
            ("getTokenAccountsByOwner", [self._wallet, {"programId": SPL_TOKEN}, options], _KeyedAccounts),
            ("getTokenAccountsByOwner", [self._wallet, {"programId": TOKEN_2022}, options], _KeyedAccounts),
            ("getBalance", [self._wallet, {"commitment": self._level}], _Number),
        )
        slot = min(spl.context.slot, token_2022.context.slot, lamports.context.slot)
        if slot < self._not_before:
            return  # the node answered from before the last outcome; next round again
        tokens: dict[str, int] = {}
        for held in (*spl.value, *token_2022.value):
            mint, amount = _token_account(held.account)
            tokens[mint] = tokens.get(mint, 0) + amount
            self._accounts.setdefault(mint, set()).add(held.pubkey)
        self._complete_wanted, self._complete_told = False, True
        self._touched.clear()
        self._tell(Holdings(slot, lamports.value or 0, tokens, complete=True))

    def _read_holdings(self, known: Sequence[tuple[str, str]]) -> None:
        options = {"commitment": self._level, "encoding": "base64", "dataSlice": {"offset": 0, "length": 72}}
        addresses = [self._wallet, *(address for address, _ in known)]
        (accounts,) = self._ask(("getMultipleAccounts", [addresses, options], _Accounts))
        if len(accounts.value) != len(addresses):
            raise ValueError(f"{len(accounts.value)} accounts for {len(addresses)} addresses")
        if accounts.context.slot < self._not_before:
            return
        wallet, *found = accounts.value
        tokens = dict.fromkeys(self._touched, 0)
        for (_, mint), account in zip(known, found, strict=True):
            if account is not None:  # closed accounts hold nothing
                tokens[mint] += _token_account(account)[1]
        self._touched.clear()
        self._tell(Holdings(accounts.context.slot, wallet.lamports if wallet else 0, tokens, complete=False))


def _token_account(account: _Account) -> tuple[str, int]:
    """Mint and amount of a token account (spl-token state.rs: mint@0, owner@32, amount u64@64)."""
    data = base64.b64decode(account.data[0], validate=True)
    if len(data) < 72:
        raise ValueError(f"a token account of {len(data)} bytes")
    return base58.encode(data[:32]), int.from_bytes(data[64:72], "little")


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    found = list(items)
    for first in range(0, len(found), size):
        yield found[first : first + size]
