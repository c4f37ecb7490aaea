"""Subscriptions: who wants to hear of which account, program, log, signature, slot or root, at which commitment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from solders.account import Account
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from sniperforge import base58
from sniperforge.simnet.accounts import Filter, View
from sniperforge.simnet.bank import Block, Changed
from sniperforge.simnet.errors import INVALID_PARAMS, METHOD_NOT_FOUND, RpcError, invalid_params
from sniperforge.simnet.ledger import BlockInfo
from sniperforge.simnet.params import (
    Params,
    parse_pubkey,
    parse_signature,
    parse_string,
    wrong_type,
)
from sniperforge.simnet.rpc import Node
from sniperforge.simnet.transactions import Record
from sniperforge.simnet.websocket import WebSocketConnection

_NO_DATA = View("base64", (0, 0))
_CLOSED = Account(0, b"", Pubkey.default())


@dataclass(slots=True, eq=False)
class Subscription:
    """One subscription; `key` is where it is filed."""

    number: int
    connection: WebSocketConnection
    kind: str
    key: Any
    view: View | None = None
    filters: Sequence[Filter] = ()
    received: bool = False

    @property
    def mentions(self) -> bool:
        """Whether it waits for logs that mention an address."""
        return self.kind == "logs" and self.key[2] is not None


@dataclass(slots=True)
class Subscriptions:
    """All subscriptions of all connections, filed by what they wait for; hears the bank as its listener."""

    node: Node
    connections: set[WebSocketConnection] = field(default_factory=set)
    _by_number: dict[int, Subscription] = field(default_factory=dict)
    _by_key: dict[Any, list[Subscription]] = field(default_factory=dict)
    _next: int = 1
    _mentions: int = 0
    _dirty: set[WebSocketConnection] = field(default_factory=set)
    _replied: list[Callable[[], None]] = field(default_factory=list)

    # calls

    def call(self, connection: WebSocketConnection, name: str, values: Any) -> Any:
        """Answer one request of a connection.  Raises RpcError."""
        kind, _, verb = name.partition("Un") if name.endswith("Unsubscribe") else (name[:-9], "", name[-9:])
        if name.endswith("Unsubscribe") and kind in _ARITY:
            return self._unsubscribe(connection, kind, Params(values, 1, 1))
        if verb == "Subscribe" and kind in _ARITY:
            if len(connection.owned) >= self.node.config.max_subscriptions:
                raise RpcError(INVALID_PARAMS, "Internal Error: Subscription refused. Node subscription limit reached")
            least, most = _ARITY[kind]
            subscription = self._parse(connection, kind, Params(values, least, most))
            self._by_number[subscription.number] = subscription
            self._by_key.setdefault(subscription.key, []).append(subscription)
            connection.owned.add(subscription.number)
            self._mentions += subscription.mentions
            return subscription.number
        raise RpcError(METHOD_NOT_FOUND, "Method not found")

    def after_reply(self) -> None:
        """Send what had to wait until a reply was on its way."""
        for action in self._replied:
            action()
        self._replied.clear()
        self._flush()

    def _unsubscribe(self, connection: WebSocketConnection, kind: str, params: Params) -> bool:
        number = params.u64(0)
        subscription = self._by_number.get(number)
        if subscription is None or subscription.connection is not connection or subscription.kind != kind:
            raise invalid_params("Invalid subscription id.")
        self._remove(subscription)
        return True

    def _remove(self, subscription: Subscription) -> None:
        del self._by_number[subscription.number]
        subscription.connection.owned.discard(subscription.number)
        self._mentions -= subscription.mentions
        filed = self._by_key[subscription.key]
        filed.remove(subscription)
        if not filed:
            del self._by_key[subscription.key]

    def disconnect(self, connection: WebSocketConnection) -> None:
        """Forget a connection and what it subscribed."""
        self.connections.discard(connection)
        self._dirty.discard(connection)
        for number in list(connection.owned):
            self._remove(self._by_number[number])

    def _parse(self, connection: WebSocketConnection, kind: str, params: Params) -> Subscription:
        self._next += 1
        new = Subscription(self._next, connection, kind, kind)
        if kind in ("slot", "root"):
            return new
        options = params.options(1)
        commitment = options.commitment()
        if kind in ("account", "program"):
            new.key = (kind, commitment, params.pubkey(0))
            new.view = options.view("binary")
            new.filters = options.filters() if kind == "program" else ()
        elif kind == "signature":
            signature = parse_signature(params.string(0))
            new.key = (kind, commitment, signature)
            new.received = options.boolean("enableReceivedNotification")
            self._replied.append(lambda: self._check_signature(new, signature, commitment))
        else:
            new.key = (kind, commitment, _mentioned(params.values[0]))
        return new

    def _check_signature(self, subscription: Subscription, signature: bytes, commitment: str) -> None:
        location = self.node.bank.ledger.locations.get(signature)
        if location is None or location.slot > self.node.bank.chain.slot_at(commitment):
            return
        record = self.node.bank.ledger.read(signature)
        if record is not None and subscription.number in self._by_number:
            self._signature(subscription, self.node.bank.chain.slot_at(commitment), record)

    # the bank's listener

    def executed(self, slot: int, executed: Sequence[tuple[bytes, Record]], changed: Changed) -> None:
        """Notify what waits for `processed`."""
        self._notify("processed", slot, executed, changed)

    def committed(self, commitment: str, block: Block) -> None:
        """Notify what waits for `confirmed` or `finalized`."""
        self._notify(commitment, block.info.slot, block.executed, block.changed)

    def advanced(self, block: BlockInfo, root: int) -> None:
        """Notify of slot and root; close sockets when that fault is on."""
        for subscription in self._by_key.get("slot", ()):
            value = {"parent": block.parent, "root": root, "slot": block.slot}
            self._send(subscription, msgspec.json.encode(value))
        for subscription in self._by_key.get("root", ()):
            self._send(subscription, b"%d" % root)
        self._flush()
        share = self.node.faults.config.close_sockets
        for connection in [each for each in self.connections if self.node.faults.happens(share)]:
            connection.cut()

    def _notify(self, commitment: str, slot: int, executed: Sequence[tuple[bytes, Record]], changed: Changed) -> None:
        if not self._by_number:
            return
        shown: dict[tuple[Pubkey, View], bytes] = {}
        for key, state in changed.items():
            account = state if state is not None else _CLOSED
            for subscription in self._by_key.get(("account", commitment, key), ()):
                self._value(subscription, slot, self._show(shown, key, account, subscription.view))
            if state is not None:
                self._program(self._by_key.get(("program", commitment, account.owner), ()), slot, key, account, shown)
        for signature, record in executed:
            for subscription in list(self._by_key.get(("signature", commitment, signature), ())):
                self._signature(subscription, slot, record)
            self._logs(commitment, slot, signature, record)
        self._flush()

    def _show(self, shown: dict[tuple[Pubkey, View], bytes], key: Pubkey, account: Account, view: View | None) -> bytes:
        assert view is not None
        text = shown.get((key, view))
        if text is None:
            try:
                value = view.show(account, self.node.bank.decimals)
            except RpcError:
                value = _NO_DATA.show(account, self.node.bank.decimals)
                value |= {"data": "error: data too large for bs58 encoding", "space": len(account.data)}
            text = shown[key, view] = msgspec.json.encode(value)
        return text

    def _program(
        self,
        subscriptions: Iterable[Subscription],
        slot: int,
        key: Pubkey,
        account: Account,
        shown: dict[tuple[Pubkey, View], bytes],
    ) -> None:
        for subscription in subscriptions:
            if all(each.matches(account.data) for each in subscription.filters):
                text = self._show(shown, key, account, subscription.view)
                self._value(subscription, slot, b'{"pubkey":"%b","account":%b}' % (str(key).encode(), text))

    def _signature(self, subscription: Subscription, slot: int, record: Record) -> None:
        if subscription.received:
            self._value(subscription, slot, b'"receivedSignature"')
        self._value(subscription, slot, msgspec.json.encode({"err": record.error}))
        self._remove(subscription)

    def _logs(self, commitment: str, slot: int, signature: bytes, record: Record) -> None:
        wanted = list(self._by_key.get(("logs", commitment, None), ()))
        if self._mentions:
            keys = VersionedTransaction.from_bytes(record.raw).message.account_keys
            keys += [Pubkey.from_bytes(key) for key in record.loaded_writable + record.loaded_readonly]
            for key in keys:
                wanted += self._by_key.get(("logs", commitment, key), [])
        if wanted:
            text = base58.encode(signature)
            value = msgspec.json.encode({"signature": text, "err": record.error, "logs": record.logs})
            for subscription in wanted:
                self._value(subscription, slot, value)

    def _value(self, subscription: Subscription, slot: int, value: bytes) -> None:
        self._send(subscription, b'{"context":{"slot":%d},"value":%b}' % (slot, value))

    def _send(self, subscription: Subscription, result: bytes) -> None:
        connection = subscription.connection
        connection.notify(
            b'{"jsonrpc":"2.0","method":"%bNotification","params":{"result":%b,"subscription":%d}}'
            % (subscription.kind.encode(), result, subscription.number)
        )
        self._dirty.add(connection)

    def _flush(self) -> None:
        for connection in self._dirty:
            connection.flush()
        self._dirty.clear()


_ARITY = {
    "account": (1, 2),
    "program": (1, 2),
    "logs": (1, 2),
    "signature": (1, 2),
    "slot": (0, 0),
    "root": (0, 0),
}


def _mentioned(value: Any) -> Pubkey | None:
    if value in ("all", "allWithVotes"):
        return None
    if not isinstance(value, dict) or "mentions" not in value:
        raise wrong_type(value, "enum RpcTransactionLogsFilter")
    addresses = value["mentions"]
    if not isinstance(addresses, list):
        raise wrong_type(addresses, "a sequence")
    if len(addresses) != 1:
        raise invalid_params("Invalid Request: Only 1 address supported")
    return parse_pubkey(parse_string(addresses[0]))
