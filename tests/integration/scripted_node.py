"""A Solana node that does what a test says: JSON-RPC over HTTP and WebSocket on one port, down to single frames."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEXT, PING, PONG, CLOSE = 1, 9, 10, 8
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SYSTEM = "11111111111111111111111111111111"


class Refusal(Exception):
    """Raised by a hook for a JSON-RPC error."""

    def __init__(self, code: int, message: str = "refused") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Status(Exception):
    """Raised by a hook for an HTTP status without JSON."""

    def __init__(self, code: int, headers: str = "") -> None:
        super().__init__(str(code))
        self.code = code
        self.headers = headers


class Silence(Exception):
    """Raised by a hook: no answer at all."""


class Drop(Exception):
    """Raised by a hook: the connection is cut without an answer."""


def frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """A server's WebSocket frame."""
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 65536:
        return head + b"\x7e" + len(payload).to_bytes(2, "big") + payload
    return head + b"\x7f" + len(payload).to_bytes(8, "big") + payload


@dataclass
class Account:
    """What the chain holds of an account."""

    data: bytes
    lamports: int = 1
    owner: str = SYSTEM

    def json(self) -> dict[str, Any]:
        encoded = base64.b64encode(self.data).decode()
        return {
            "lamports": self.lamports,
            "data": [encoded, "base64"],
            "owner": self.owner,
            "executable": False,
            "rentEpoch": 2**64 - 1,
            "space": len(self.data),
        }


@dataclass
class Socket:
    """One WebSocket connection."""

    writer: asyncio.StreamWriter
    subscriptions: dict[str, int] = field(default_factory=dict)
    """Public key, or `slot`, to the id of the subscription."""
    pings: int = 0
    closed_with: int | None = None


Hook = Callable[[str, list[Any]], Any]


class ScriptedNode:
    """Runs in a thread of its own; the test changes `accounts`, `slot` and the hooks, and calls the methods."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.accounts: dict[str, Account] = {}
        self.slot = 100
        self.context = context
        self.port = 0
        self.sockets: list[Socket] = []
        self.calls: list[tuple[str, list[Any]]] = []
        """Every request by HTTP: method and parameters."""
        self.upgrades = 0
        self.requests = 0
        """HTTP connections."""
        self.on_call: Hook | None = None
        """Called first for an HTTP request; a result other than None is the answer."""
        self.on_subscribe: Hook | None = None
        self.on_upgrade: Callable[[], None] | None = None
        self.answers_pings = True
        self._next_subscription = 1000
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="scripted node")

    # -- life ---------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()
        self._do(self._listen())

    def stop(self) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.context, limit=1 << 24)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task

    def refuse_connections(self) -> None:
        """Stops listening and cuts all connections."""

        async def go() -> None:
            assert self._server is not None
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()

        self._do(go())
        self.sockets.clear()

    def listen_again(self) -> None:
        self._do(self._listen())

    @property
    def rpc_url(self) -> str:
        return f"{'https' if self.context else 'http'}://localhost:{self.port}/rpc?api-key=secret"

    @property
    def websocket_url(self) -> str:
        return f"{'wss' if self.context else 'ws'}://localhost:{self.port}/ws?api-key=secret"

    @property
    def connections(self) -> int:
        """Connections being served; one that the client has may still wait to be."""
        return len(self._writers)

    # -- what a test does ---------------------------------------------------------------------------

    @property
    def socket(self) -> Socket:
        """The newest WebSocket."""
        return self.sockets[-1]

    def set(self, pubkey: str, data: bytes, lamports: int = 1) -> None:
        self.accounts[pubkey] = Account(data, lamports)

    def notification(self, pubkey: str, *, slot: int | None = None) -> bytes:
        value = self.accounts[pubkey].json()
        context = {"slot": self.slot if slot is None else slot, "apiVersion": "2.0.1"}
        params = {"result": {"context": context, "value": value}, "subscription": self.socket.subscriptions[pubkey]}
        message = {"jsonrpc": "2.0", "method": "accountNotification", "params": params}
        return json.dumps(message, separators=(",", ":")).encode()

    def notify(self, *pubkeys: str, slot: int | None = None) -> None:
        """Tells of the present state of accounts."""
        self.raw(b"".join(frame(TEXT, self.notification(pubkey, slot=slot)) for pubkey in pubkeys))

    def advance(self) -> None:
        """Begins the next slot and tells of it."""
        self.slot += 1
        result = {"parent": self.slot - 1, "root": max(self.slot - 32, 0), "slot": self.slot}
        params = {"result": result, "subscription": self.socket.subscriptions["slot"]}
        message = {"jsonrpc": "2.0", "method": "slotNotification", "params": params}
        self.raw(frame(TEXT, json.dumps(message).encode()))

    def raw(self, data: bytes) -> None:
        """Sends bytes on the newest WebSocket."""

        async def go() -> None:
            self.socket.writer.write(data)

        self._do(go())

    def abort(self) -> None:
        """Cuts the newest WebSocket without a word."""

        async def go() -> None:
            self.socket.writer.transport.abort()

        self._do(go())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    # -- serving ------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._requests(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, Drop, ssl.SSLError):
            writer.transport.abort()
        except Silence:
            await asyncio.sleep(3600)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests += 1
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            assert headers["host"] == f"localhost:{self.port}"
            if headers.get("upgrade") == "websocket":
                assert lines[0] == "GET /ws?api-key=secret HTTP/1.1"
                await self._upgrade(headers, reader, writer)
                return
            assert lines[0] == "POST /rpc?api-key=secret HTTP/1.1"
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            self.calls.append((body["method"], body["params"]))
            status, extra = 200, ""
            answer: dict[str, Any] = {"jsonrpc": "2.0", "id": body["id"]}
            try:
                answer["result"] = self._result(body["method"], body["params"])
            except Refusal as refusal:
                answer["error"] = {"code": refusal.code, "message": refusal.message}
            except Status as refused:
                status, extra = refused.code, refused.headers
            text = json.dumps(answer).encode() if status == 200 else b"no"
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n{extra}\r\n".encode() + text)
            await writer.drain()

    def _result(self, method: str, params: list[Any]) -> Any:
        if self.on_call is not None:
            found = self.on_call(method, params)
            if found is not None:
                return found
        assert method == "getMultipleAccounts", method
        return self.read(params)

    def read(self, params: list[Any], *, slot: int | None = None) -> dict[str, Any]:
        """The answer to getMultipleAccounts."""
        keys, options = params
        assert len(keys) <= 100 and options["encoding"] == "base64"
        now = self.slot if slot is None else slot
        if options["minContextSlot"] > now:
            raise Refusal(-32016, "Minimum context slot has not been reached")
        value = [self.accounts[key].json() if key in self.accounts else None for key in keys]
        return {"context": {"slot": now, "apiVersion": "2.0.1"}, "value": value}

    async def _upgrade(
        self, headers: dict[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.upgrades += 1
        if self.on_upgrade is not None:
            try:
                self.on_upgrade()
            except Status as refused:
                writer.write(f"HTTP/1.1 {refused.code} X\r\n{refused.headers}Content-Length: 0\r\n\r\n".encode())
                await writer.drain()
                return
        accept = base64.b64encode(hashlib.sha1(headers["sec-websocket-key"].encode() + GUID).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self.sockets.append(Socket(writer))
        await self._frames(self.sockets[-1], reader)

    async def _frames(self, socket: Socket, reader: asyncio.StreamReader) -> None:
        while True:
            first, second = await reader.readexactly(2)
            assert first & 0x80 and second & 0x80, "a client's frames are whole here, and masked"
            length = second & 0x7F
            if length == 126:
                length = int.from_bytes(await reader.readexactly(2), "big")
            mask = await reader.readexactly(4)
            payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(await reader.readexactly(length)))
            opcode = first & 15
            if opcode == PING:
                socket.pings += 1
                if self.answers_pings:
                    socket.writer.write(frame(PONG, payload))
            elif opcode == CLOSE:
                socket.closed_with = int.from_bytes(payload[:2], "big")
                return
            elif opcode == TEXT:
                self._subscribe(socket, json.loads(payload))

    def _subscribe(self, socket: Socket, request: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        params = request.get("params", [])
        try:
            if self.on_subscribe is not None:
                self.on_subscribe(request["method"], params)
            if request["method"] == "accountUnsubscribe":
                ended = [key for key, number in socket.subscriptions.items() if number == params[0]]
                answer["result"] = bool(ended)
                for key in ended:
                    del socket.subscriptions[key]
            else:
                key = "slot" if request["method"] == "slotSubscribe" else params[0]
                self._next_subscription += 1
                socket.subscriptions[key] = answer["result"] = self._next_subscription
        except Refusal as refusal:
            answer["error"] = {"code": refusal.code, "message": refusal.message}
        except Silence:
            return
        socket.writer.write(frame(TEXT, json.dumps(answer).encode()))


@contextlib.contextmanager
def node(context: ssl.SSLContext | None = None) -> Iterator[ScriptedNode]:
    """A running node, stopped when the block ends."""
    running = ScriptedNode(context)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def certificates(directory: Path, *, name: str = "localhost") -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate for `name`, and the file of the authority that signed it."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=directory, timeout=30)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test CA")
    openssl("req", *new_key, "-keyout", "node.key", "-out", "node.csr", "-subj", f"/CN={name}")
    (directory / "names").write_text(f"subjectAltName=DNS:{name}\n")
    authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
    openssl("x509", "-req", "-in", "node.csr", *authority, "-out", "node.pem", "-days", "2", "-extfile", "names")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "node.pem", directory / "node.key")
    return context, directory / "ca.pem"
