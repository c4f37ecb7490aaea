"""Solana's JSON-RPC over one kept-alive HTTP connection: what the engine's own Python needs, and no more.

solana-py is the client for people; its import alone takes longer than a restart of the engine may.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import socket
import ssl
import urllib.parse
from collections.abc import Sequence
from types import TracebackType
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_LARGEST_ANSWER = 256 << 20


class RpcError(Exception):
    """The node answered with a JSON-RPC error. `code` is its number, `data` what came with it."""

    def __init__(self, method: str, code: int, message: str, data: Any) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.code = code
        self.data = data


class RpcUnavailable(Exception):
    """The node could not be reached, did not answer in time, or did not answer with JSON-RPC."""


class RpcBusy(RpcUnavailable):
    """The node answered that there are too many requests (HTTP status 429 or 503): ask less often."""


class _Error(msgspec.Struct):
    code: int
    message: str
    data: Any = None


class _Answer(msgspec.Struct):
    id: int | None = None
    result: Any = None
    error: _Error | None = None


class RpcClient:
    """A blocking client for one thread; only `cancel` may be called from another.

    Args:
        url: http or https URL of the node.
        timeout_ms: longest wait for an answer.
        ca_path: file with the certificates to trust for https; empty = the system's.
    """

    def __init__(self, url: str, *, timeout_ms: int, ca_path: str = "") -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no http(s) URL; use http://host:port")
        self.url = url
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._timeout = timeout_ms / 1000
        self._ids = itertools.count(1)
        self._cancelled = False
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=ca_path or None)
            self._connection = http.client.HTTPSConnection(
                parts.hostname, parts.port or 443, timeout=self._timeout, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=self._timeout)

    def call(self, method: str, *params: Any, most_bytes: int = _LARGEST_ANSWER) -> Any:
        """The `result` of `method`, whose whole answer is not longer than `most_bytes`.

        Raises:
            RpcError: the node refused the request.
            RpcUnavailable: no answer.
        """
        answer = self._decode(method, self._post(self._request(method, params), most_bytes), _Answer)
        return self._result(method, answer)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """The results of several calls in one request, in their order; an error stands as an `RpcError`."""
        if not calls:
            return []
        requests = [self._request(method, params) for method, params in calls]
        answers = self._decode("batch", self._post(requests), list[_Answer])
        by_id = {answer.id: answer for answer in answers}
        results: list[Any] = []
        for (method, _), request in zip(calls, requests, strict=True):
            answer = by_id.get(request["id"])
            if answer is None:
                raise RpcUnavailable(f"{self.url}: {method} is missing in the answer to a batch")
            try:
                results.append(self._result(method, answer))
            except RpcError as error:
                results.append(error)
        return results

    def _request(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}

    def _post(self, body: Any, most_bytes: int = _LARGEST_ANSWER) -> bytes:
        payload = msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"}
        for attempt in (0, 1):
            fresh = self._connection.sock is None
            try:
                if fresh:
                    self._connection.connect()
                    self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    if self._cancelled:  # before there was a connection that `cancel` could end
                        raise ConnectionAbortedError("cancelled")
                self._connection.request("POST", self._path, payload, headers)
                response = self._connection.getresponse()
                data = response.read(most_bytes + 1)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                if fresh or attempt or self._cancelled or isinstance(error, TimeoutError):
                    raise RpcUnavailable(f"{self.url}: {type(error).__name__}: {error}") from None
                continue  # a kept-alive connection the node had closed: once more on a new one
            if len(data) > most_bytes:
                self._connection.close()
                raise RpcUnavailable(f"{self.url}: the answer is larger than {most_bytes} bytes")
            if response.status in (429, 503):
                raise RpcBusy(f"{self.url}: HTTP status {response.status}")
            if response.status == 200 or data[:1] in (b"{", b"["):
                return data
            raise RpcUnavailable(f"{self.url}: HTTP status {response.status}")
        raise RpcUnavailable(f"{self.url}: no connection")

    def _decode(self, method: str, data: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(data, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RpcUnavailable(f"{self.url}: {method}: answer is not JSON-RPC: {error}") from None

    @staticmethod
    def _result(method: str, answer: _Answer) -> Any:
        if answer.error is not None:
            raise RpcError(method, answer.error.code, answer.error.message, answer.error.data)
        return answer.result

    def cancel(self) -> None:
        """Makes a call that waits for the node fail now, and every later one that connects, or at its first error."""
        self._cancelled = True
        waiting = self._connection.sock
        if waiting is not None:
            with contextlib.suppress(OSError):
                waiting.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def __enter__(self) -> RpcClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
