"""The HTTP side of the node: JSON-RPC by POST, `GET /health`, and what Agave answers to anything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import h11

from sniperforge.simnet.faults import DelayLine, Faults

_JSON = "application/json"
_TEXT = "text/plain"
_CORS = [
    ("access-control-allow-origin", "*"),
    ("access-control-allow-headers", "*"),
    ("access-control-allow-methods", "POST, OPTIONS"),
]


class HttpConnection(asyncio.Protocol):
    """One client connection; h11 speaks the protocol, `handle` answers bodies."""

    def __init__(
        self,
        handle: Callable[[bytes], bytes | None],
        faults: Faults,
        counters: dict[str, int],
        max_body_bytes: int,
        open_transports: set[asyncio.Transport],
    ) -> None:
        self._handle = handle
        self._faults = faults
        self._counters = counters
        self._max_body_bytes = max_body_bytes
        self._open_transports = open_transports
        self._delay = DelayLine(faults, asyncio.get_running_loop())
        self._connection = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open_transports.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the transport go."""
        if self._transport is not None:
            self._open_transports.discard(self._transport)
            self._transport = None

    def data_received(self, data: bytes) -> None:
        """Feed the parser and answer whole requests."""
        self._connection.receive_data(data)
        self._pump()

    def eof_received(self) -> bool:
        """Close when the client has closed."""
        return False

    def _pump(self) -> None:
        while self._transport is not None:
            try:
                event = self._connection.next_event()
            except h11.RemoteProtocolError as error:
                self._fail(error.error_status_hint, str(error))
                return
            if isinstance(event, h11.Request):
                self._request = event
                self._body.clear()
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > self._max_body_bytes:
                    self._fail(413, "Request body is too large")
                    return
            elif isinstance(event, h11.EndOfMessage):
                self._answer()
            else:
                return

    def _fail(self, status: int, text: str) -> None:
        self._counters["bad_requests"] += 1
        if self._connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._send(status, _TEXT, f"{text}\n".encode(), close=True)
        if self._transport is not None:
            self._transport.close()

    def _answer(self) -> None:
        request = self._request
        assert request is not None
        self._counters["http_requests"] += 1
        status, kind, body = self._route(request, bytes(self._body))
        self._delay.put(lambda: self._finish(status, kind, body))

    def _route(self, request: h11.Request, body: bytes) -> tuple[int, str, bytes]:
        if request.method == b"OPTIONS":
            return 200, _TEXT, b""
        if request.method == b"GET" and request.target == b"/health":
            return 200, _TEXT, b"ok"
        if request.method != b"POST":
            return 405, _TEXT, b"Used HTTP Method is not allowed. POST or OPTIONS is required\n"
        if self._faults.happens(self._faults.config.too_many_requests):
            self._counters["too_many_requests"] += 1
            text = b'{"jsonrpc":"2.0","error":{"code":429,"message":"Too many requests"},"id":null}'
            return 429, _JSON, text
        types = [value for name, value in request.headers if name == b"content-type"]
        if not types or not types[0].lower().startswith(b"application/json"):
            text = b"Supplied content type is not allowed. Content-Type: application/json is required\n"
            return 415, _TEXT, text
        return 200, _JSON, self._handle(body) or b""

    def _finish(self, status: int, kind: str, body: bytes) -> None:
        if self._transport is None or self._connection.our_state is not h11.SEND_RESPONSE:
            return
        self._send(status, kind, body, close=False)
        try:
            self._connection.start_next_cycle()
        except h11.LocalProtocolError:
            self._transport.close()
            return
        if self._connection.trailing_data[0]:
            self._pump()

    def _send(self, status: int, kind: str, body: bytes, *, close: bool) -> None:
        headers = [("content-type", kind), ("content-length", str(len(body))), *_CORS]
        if status == 429:
            headers.append(("retry-after", "1"))
        if close:
            headers.append(("connection", "close"))
        response = h11.Response(status_code=status, headers=headers)
        parts = [self._connection.send(response), self._connection.send(h11.Data(data=body))]
        parts.append(self._connection.send(h11.EndOfMessage()))
        if self._transport is not None:
            self._transport.write(b"".join(part for part in parts if part))
