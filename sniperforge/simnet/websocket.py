"""The WebSocket side of the node: one connection, its subscriptions and their messages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from sniperforge.simnet import rpc
from sniperforge.simnet.errors import RpcError
from sniperforge.simnet.faults import DelayLine

if TYPE_CHECKING:
    from sniperforge.simnet.subscriptions import Subscriptions


class WebSocketConnection(asyncio.Protocol):
    """One client; the websockets library speaks the protocol, `Subscriptions` knows what to send."""

    def __init__(self, subscriptions: Subscriptions, max_message_bytes: int, send_buffer_bytes: int) -> None:
        self._subscriptions = subscriptions
        self._faults = subscriptions.node.faults
        self._counters = subscriptions.node.counters
        self._send_buffer_bytes = send_buffer_bytes
        self._delay = DelayLine(self._faults, asyncio.get_running_loop(), after=self.flush)
        self._protocol = ServerProtocol(max_size=max_message_bytes)
        self._transport: asyncio.Transport | None = None
        self._fragments = bytearray()
        self.owned: set[int] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._subscriptions.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the subscriptions of this client."""
        self._transport = None
        self._subscriptions.disconnect(self)

    def eof_received(self) -> bool:
        """Tell the protocol that the client has closed."""
        self._protocol.receive_eof()
        self.flush()
        return False

    def data_received(self, data: bytes) -> None:
        """Feed the parser; answer handshakes and messages."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
            elif isinstance(event, Frame):
                self._frame(event)
        self.flush()

    def _frame(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        self._fragments += frame.data
        if frame.fin:
            body = bytes(self._fragments)
            self._fragments.clear()
            self._counters["websocket_requests"] += 1
            self._handle(body)

    def _handle(self, body: bytes) -> None:
        try:
            request = rpc.decode(body)
        except RpcError as error:
            self._reply(msgspec.json.encode(rpc.refusal(None, error)))
            return
        if isinstance(request, list) and request:
            self._reply(msgspec.json.encode([self._one(each) for each in request]))
        else:
            self._reply(msgspec.json.encode(self._one(request)))
        self._subscriptions.after_reply()

    def _one(self, request: Any) -> dict[str, Any]:
        identifier = rpc.request_id(request)
        try:
            name, values = rpc.check_request(request)
            return rpc.answer(identifier, self._subscriptions.call(self, name, values))
        except RpcError as error:
            return rpc.refusal(identifier, error)

    def _reply(self, text: bytes) -> None:
        self._delay.put(lambda: self._write(text))

    def notify(self, text: bytes) -> None:
        """Send a notification, subject to the fault switches; `flush` puts it on the wire."""
        faults = self._faults.config
        if self._faults.happens(faults.drop_notifications):
            self._counters["notifications_dropped"] += 1
            return
        self._counters["notifications"] += 1
        self._delay.put(lambda: self._write(text))
        if self._faults.happens(faults.duplicate_notifications):
            self._counters["notifications_duplicated"] += 1
            self._delay.put(lambda: self._write(text))

    def _write(self, text: bytes) -> None:
        if self._protocol.state is not State.OPEN:
            return
        try:
            self._protocol.send_text(text)
        except InvalidState:
            return

    def flush(self) -> None:
        """Put on the wire what was written since the last flush."""
        data = self._protocol.data_to_send()
        if self._transport is None:
            return
        if data:
            chunk = b"".join(data)
            if chunk:
                self._transport.write(chunk)
            if b"" in data:
                self._transport.close()
        if self._transport.get_write_buffer_size() > self._send_buffer_bytes:
            self._counters["slow_clients_closed"] += 1
            self._transport.abort()
        elif self._protocol.close_expected():
            self._transport.close()

    def cut(self) -> None:
        """Close the socket without a close frame."""
        self._counters["sockets_closed"] += 1
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Say goodbye and close."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1001)
        self.flush()
        if self._transport is not None:
            self._transport.close()
