"""Orders on their way, and the fills that end them.

What adds up to what, for every fill (base units, the chain's own numbers from the transaction's record):

* `delta_in` is the change of the wallet's token accounts of `token_in`, summed over them; `delta_out` that of
  `token_out`. For a cycle the two tokens are one: `delta_in` is its whole result and `delta_out` is 0.
  For WSOL these are the WSOL token accounts, never native lamports.
* `delta_lamports` is the change of the wallet's native lamports: `-(fee_lamports + tip_lamports)` unless the
  transaction opened or closed an account. `fee_lamports` is `meta.fee`, priority fee included.
* `leg` holds what the transaction changed of other tokens: with slippage allowed, something stays between two hops.
* So over all fills of a wallet that only the engine uses: sum of `delta_in`, `delta_out` and `leg` by token = change
  of its balance of that token; sum of `delta_lamports` = change of its lamports.
* A reverted order has only `fee_lamports` and `delta_lamports`; an expired or dropped one only zeros.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from ipc._core import ffi, lib
from sniperforge import base58
from sniperforge.records import Record
from sniperforge.tiles.chain import Expired, Landed

TOKEN_NONE: Final = 0xFFFFFFFE
"""Token number in a recovered fill whose mint has no row in this run."""

_WIRE_BYTES: int = ffi.sizeof("sf_wire_t")
U64 = Annotated[int, Meta(ge=0)]
U32 = Annotated[int, Meta(ge=0, lt=1 << 32)]

_ORDER = Record(
    "sf_order_t",
    [
        "order",
        "intent.intent",
        "intent.bot",
        "intent.kind",
        "intent.token_in",
        "intent.token_out",
        "intent.amount_in",
        "intent.expected_out",
        "intent.tip_lamports",
    ],
)
_WIRE = Record("sf_wire_t", ["order", "last_valid_block_height", "tx_len", "message_off", "tx"])
_NUMBER = Record("sf_refused_t", ["order"])
_REASON = Record("sf_refused_t", ["reason"])
_FILL = Record("sf_fill_t")
_BALANCE = Record("sf_balance_t", ["token", "amount", "slot", "mint"])


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order of an earlier run whose outcome is unknown: an element of `<state_dir>/open_orders.json`.

    `signature` and the mints are base58. Without a signature the order was never signed; without mints its own
    record is lost, and what it traded is taken from the transaction.
    """

    order: U64
    intent: U64
    bot: U32
    kind: Annotated[int, Meta(ge=0, lt=256)]
    signature: str
    last_valid_block_height: U64
    mint_in: str | None = None
    mint_out: str | None = None
    amount_in: U64 = 0
    expected_out: U64 = 0
    tip_lamports: U64 = 0


class OpenOrdersError(ValueError):
    """The file of open orders cannot be read; the text says where and what to do."""


def read_open_orders(path: Path) -> list[OpenOrder]:
    """The open orders of earlier runs; none if there is no such file.

    Raises:
        OpenOrdersError: the file is not what the supervisor writes.
    """
    try:
        orders = msgspec.json.decode(path.read_bytes(), type=list[OpenOrder])
        for order in orders:
            if max(order.order, order.intent, order.amount_in, order.expected_out, order.tip_lamports) >> 64:
                raise ValueError(f"order {order.order}: a number has more than 64 bits")
            for mint in (order.mint_in, order.mint_out):
                if mint is not None:
                    base58.decode(mint, 32)
            if order.signature:
                base58.decode(order.signature, 64)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        raise OpenOrdersError(f"{path}: {error}; it is made from the journal: remove it and start again") from None
    if len({order.order for order in orders}) != len(orders):
        raise OpenOrdersError(f"{path}: an order stands in it twice; remove it and start again")
    return orders


class Tokens:
    """Rows of the tokens table by mint; they never change once written."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.mints: list[str] = []
        self.rows: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.keys)

    def extend(self, keys: Iterable[bytes]) -> None:
        """Adds the mints of the rows that follow those known."""
        for key in keys:
            text = base58.encode(key)
            self.rows.setdefault(text, len(self.keys))
            self.keys.append(key)
            self.mints.append(text)

    def mint(self, row: int) -> str:
        """The mint of a row; "" for a row that is not known."""
        return self.mints[row] if row < len(self.mints) else ""


class Order(msgspec.Struct, kw_only=True):
    """An order without an outcome."""

    number: int
    intent: int
    bot: int
    kind: int
    mint_in: str
    mint_out: str
    amount_in: int
    expected_out: int
    tip_lamports: int
    t_origin: int
    recovered: bool
    signature: str = ""
    refused: int = 0
    """SF_REFUSE_*."""
    sent: bool = False


class Fill(msgspec.Struct, frozen=True):
    """A fill to publish: payload (`sf_fill_t`), the bot for the message's tag, the origin of the order."""

    order: int
    outcome: int
    payload: bytes
    bot: int
    t_origin: int


class Watch(msgspec.Struct, frozen=True):
    """A signature to ask the chain for."""

    order: int
    signature: str
    last_valid_block_height: int


class Orders:
    """All orders without an outcome, and how each message and each piece of news moves them.

    An order gets exactly one fill: the first outcome takes it out, and whatever comes later about it is counted in
    `unexpected` and changes nothing.
    """

    def __init__(self, *, tokens: Tokens, simulated: bool) -> None:
        self._tokens = tokens
        self._flags = int(lib.SF_FILL_SIMULATED) if simulated else 0
        self._open: dict[int, Order] = {}
        self._early: dict[int, list[tuple[int, bytes]]] = {}
        self._newest = 0
        self._held: list[tuple[Order, Landed | Expired | None]] = []
        self.unexpected = 0

    def __len__(self) -> int:
        return len(self._open) + len(self._held)

    @property
    def held(self) -> int:
        """Recovered orders whose outcome is known and whose mints have no rows (yet)."""
        return len(self._held)

    # -- from the links --

    def order(self, payload: bytes, t_origin: int) -> list[Watch | Fill]:
        """An order passed risk. What its other messages had already said follows from it."""
        (number, intent, bot, kind, token_in, token_out, amount_in, expected_out, tip) = _ORDER.unpack_from(payload)
        if number <= self._newest:
            self.unexpected += 1
            return []
        self._newest = number
        self._open[number] = Order(
            number=number,
            intent=intent,
            bot=bot,
            kind=kind,
            mint_in=self._tokens.mint(token_in),
            mint_out=self._tokens.mint(token_out),
            amount_in=amount_in,
            expected_out=expected_out,
            tip_lamports=tip,
            t_origin=t_origin,
            recovered=False,
        )
        found = [self.message(message, early) for message, early in self._early.pop(number, ())]
        return [each for each in found if each is not None]

    def message(self, kind: int, payload: bytes) -> Watch | Fill | None:
        """A wire, sent or refused message. One that comes before its order waits for it."""
        (number,) = _NUMBER.unpack_from(payload)  # all three begin with it
        order = self._open.get(number)
        if order is None or order.recovered:
            if number > self._newest:
                self._early.setdefault(number, []).append((kind, payload))
            elif kind != lib.SF_MSG_SENT:
                self.unexpected += 1
            return None
        if kind == lib.SF_MSG_WIRE:
            return self._signed(order, payload)
        if kind == lib.SF_MSG_SENT:
            order.sent = True
            return None
        if order.sent:
            self.unexpected += 1  # it did leave: only the chain can tell
            return None
        (order.refused,) = _REASON.unpack_from(payload)
        return self._end(self._open.pop(number), None)

    def _signed(self, order: Order, payload: bytes) -> Watch | None:
        whole = payload.ljust(_WIRE_BYTES, b"\0")  # the message ends with its transaction
        _, last_valid, length, message_off, tx = _WIRE.unpack_from(whole)
        if order.signature or not 65 <= message_off <= length <= len(tx):
            self.unexpected += 1
            return None
        order.signature = base58.encode(tx[1:65])  # one signature: compact-u16 1, then 64 bytes
        return Watch(order.number, order.signature, last_valid)

    # -- from earlier runs --

    def recover(self, orders: Sequence[OpenOrder]) -> list[Watch | Fill]:
        """Takes over the open orders of earlier runs; one that was never signed is dropped."""
        found: list[Watch | Fill | None] = []
        for each in orders:
            order = Order(
                number=each.order,
                intent=each.intent,
                bot=each.bot,
                kind=each.kind,
                mint_in=each.mint_in or "",
                mint_out=each.mint_out or "",
                amount_in=each.amount_in,
                expected_out=each.expected_out,
                tip_lamports=each.tip_lamports,
                t_origin=0,
                recovered=True,
                signature=each.signature,
            )
            if each.signature:
                self._open[each.order] = order
                found.append(Watch(each.order, each.signature, each.last_valid_block_height))
            else:
                found.append(self._end(order, None))
        return [each for each in found if each is not None]

    # -- from the chain --

    def outcome(self, news: Landed | Expired, now_ns: int) -> Fill | None:
        """The chain's word on an order; None if it has a fill already, or waits for its mints to have rows."""
        order = self._open.pop(news.order, None)
        if order is None:
            self.unexpected += 1
            return None
        return self._end(order, news, now_ns)

    def release(self, *, all_of_them: bool) -> list[Fill]:
        """Fills of recovered orders that waited for their mints to have rows; those without get TOKEN_NONE if told."""
        ready = [held for held in self._held if all_of_them or self._has_rows(*held)]
        self._held = [held for held in self._held if not (all_of_them or self._has_rows(*held))]
        return [self._fill(order, news, 0) for order, news in ready]

    def _has_rows(self, order: Order, news: Landed | Expired | None) -> bool:
        """Whether every mint the fill will speak of has its row, those between the hops too."""
        changed = [mint for mint, delta in news.tokens.items() if delta] if isinstance(news, Landed) else []
        return all(mint in self._tokens.rows for mint in (order.mint_in, order.mint_out, *changed))

    def _end(self, order: Order, news: Landed | Expired | None, now_ns: int = 0) -> Fill | None:
        if not order.mint_in and isinstance(news, Landed):
            order.mint_in, order.mint_out = _mints_of(news.tokens)
            cycle = order.mint_in == order.mint_out
            order.kind = int(lib.SF_INTENT_CYCLE if cycle else lib.SF_INTENT_SWAP)
        if order.recovered and not self._has_rows(order, news):
            self._held.append((order, news))
            return None
        return self._fill(order, news, now_ns)

    def _fill(self, order: Order, news: Landed | Expired | None, now_ns: int) -> Fill:
        """The fill that the chain's word makes of an order; without one the order never left."""
        about: dict[str, Any] = {}
        if news is None:
            outcome = int(lib.SF_FILL_DROPPED)
            about = {"error": order.refused}
        elif isinstance(news, Expired):
            outcome = int(lib.SF_FILL_EXPIRED)
            about = {"slot": news.slot}
        else:
            outcome = int(lib.SF_FILL_LANDED if news.error is None else lib.SF_FILL_REVERTED)
            about = _executed(order, news, now_ns)
        flags = self._flags | (int(lib.SF_FILL_RECOVERED) if order.recovered else 0)
        payload = _FILL.build(
            {
                "order": order.number,
                "intent": order.intent,
                "bot": order.bot,
                "outcome": outcome,
                "kind": order.kind,
                "flags": flags,
                "token_in": self._tokens.rows.get(order.mint_in, TOKEN_NONE),
                "token_out": self._tokens.rows.get(order.mint_out, TOKEN_NONE),
                "expected_out": order.expected_out,
                "amount_in": order.amount_in,
                "signature": base58.decode(order.signature, 64) if order.signature else bytes(64),
                **about,
                **self._legs(order, news),
            }
        )
        return Fill(order.number, outcome, payload, order.bot, order.t_origin)

    def _legs(self, order: Order, news: Landed | Expired | None) -> dict[str, int]:
        """The fields of the tokens between the hops: what the transaction left or took of them."""
        fields: dict[str, int] = {}
        if isinstance(news, Landed):
            others = sorted(
                (self._tokens.rows.get(mint, TOKEN_NONE), delta)
                for mint, delta in news.tokens.items()
                if delta and mint not in (order.mint_in, order.mint_out)
            )
            for place, (token, delta) in enumerate(others[: int(lib.SF_LEG_MAX)]):
                fields[f"leg[{place}].token"] = token
                fields[f"leg[{place}].delta"] = delta
        return fields


def _mints_of(tokens: Mapping[str, int]) -> tuple[str, str]:
    """Mints in and out of a transaction whose order is not known: what it took most of and what it gave most of."""
    changed = {mint: delta for mint, delta in tokens.items() if delta}
    if not changed:
        return "", ""
    taken, given = (choose(changed, key=lambda mint: changed[mint]) for choose in (min, max))
    return taken, given


def _executed(order: Order, news: Landed, now_ns: int) -> dict[str, Any]:
    """What a fill says of a transaction that executed."""
    about: dict[str, Any] = {
        "delta_lamports": news.lamports,
        "fee_lamports": news.fee_lamports,
        "slot": news.slot,
        "compute_units": news.compute_units,
        "error": custom_error(news.error),
    }
    if order.t_origin:
        about["latency_us"] = min(max(now_ns - order.t_origin, 0) // 1000, 0xFFFFFFFF)
    if news.error is None:
        about["delta_in"] = news.tokens.get(order.mint_in, 0)
        if order.mint_out != order.mint_in:
            about["delta_out"] = news.tokens.get(order.mint_out, 0)
        about["tip_lamports"] = min(order.tip_lamports, max(0, -news.lamports - news.fee_lamports))
    return about


def custom_error(error: Any) -> int:
    """The number of a custom program error in a transaction error, as the int32 with its bits; 0 for any other error.

    Its form is `{"InstructionError": [index, {"Custom": number}]}` (crate solana-transaction-error).
    """
    try:
        number = error["InstructionError"][1]["Custom"]
    except (KeyError, IndexError, TypeError):
        return 0
    if not isinstance(number, int):
        return 0
    return (number & 0xFFFFFFFF) - ((number & 0x80000000) << 1)


def balance(token: int, mint: bytes, amount: int, slot: int) -> bytes:
    """The payload of a balance message (`sf_balance_t`)."""
    return _BALANCE.pack(token, amount, slot, mint)
