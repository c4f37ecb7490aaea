"""JSON-RPC 2.0 over the node: dispatch, batches and the answers to malformed requests."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from sniperforge.simnet.bank import Bank
from sniperforge.simnet.config import SimnetConfig
from sniperforge.simnet.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MIN_CONTEXT_SLOT_NOT_REACHED,
    NODE_UNHEALTHY,
    PARSE_ERROR,
    RpcError,
)
from sniperforge.simnet.faucet import Faucet
from sniperforge.simnet.faults import Faults
from sniperforge.simnet.market import Market
from sniperforge.simnet.params import Options, Params

API_VERSION = "3.0.0"
FEATURE_SET = 3_604_001_754

log = logging.getLogger("simnet")


@dataclass(slots=True)
class Node:
    """What the methods work on."""

    config: SimnetConfig
    bank: Bank
    faults: Faults
    market: Market
    faucet: Faucet
    identity: str
    counters: dict[str, int]

    def check_health(self) -> None:
        """Raises RpcError while slots stand still."""
        if self.faults.config.stall_slots:
            raise RpcError(NODE_UNHEALTHY, "Node is unhealthy", {"numSlotsBehind": None})

    def slot(self, options: Options) -> int:
        """The slot that a call with these options sees.  Raises RpcError below its minContextSlot."""
        slot = self.bank.chain.slot_at(options.commitment())
        minimum = options.u64("minContextSlot")
        if minimum is not None and slot < minimum:
            text = "Minimum context slot has not been reached"
            raise RpcError(MIN_CONTEXT_SLOT_NOT_REACHED, text, {"contextSlot": slot})
        return slot


Method = Callable[[Node, Params], Any]
Methods = dict[str, tuple[Method, int, int]]
"""Method name -> function, least and most number of parameters."""


def with_context(slot: int, value: Any) -> dict[str, Any]:
    """A value together with the slot it was read at."""
    return {"context": {"apiVersion": API_VERSION, "slot": slot}, "value": value}


def decode(body: bytes) -> Any:
    """JSON of a request.  Raises RpcError -32700."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise RpcError(PARSE_ERROR, "Parse error") from error


def check_request(request: Any) -> tuple[str, Any]:
    """Method and parameters of one request.  Raises RpcError -32600."""
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        raise RpcError(INVALID_REQUEST, "Invalid request")
    if request.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, "Unsupported JSON-RPC protocol version")
    params = request.get("params")
    if params is not None and not isinstance(params, list | dict):
        raise RpcError(INVALID_REQUEST, "Invalid request")
    return request["method"], params


def request_id(request: Any) -> Any:
    """The id to answer with; null when the request has none that may be one."""
    value = request.get("id") if isinstance(request, dict) else None
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def answer(identifier: Any, result: Any) -> dict[str, Any]:
    """A result as a JSON-RPC answer."""
    return {"jsonrpc": "2.0", "result": result, "id": identifier}


def refusal(identifier: Any, error: RpcError) -> dict[str, Any]:
    """An error as a JSON-RPC answer."""
    return {"jsonrpc": "2.0", "error": error.body(), "id": identifier}


class Dispatcher:
    """Answers request bodies; counts calls and internal errors."""

    def __init__(self, node: Node, methods: Methods) -> None:
        self._node = node
        self._methods = methods
        self.calls: dict[str, int] = {}

    def handle(self, body: bytes) -> bytes | None:
        """The answer to a body with one request or a batch; None when nothing is to be answered."""
        try:
            request = decode(body)
        except RpcError as error:
            return msgspec.json.encode(refusal(None, error))
        if isinstance(request, list) and request:
            answers = [answer for each in request if (answer := self._one(each)) is not None]
            return msgspec.json.encode(answers) if answers else None
        single = self._one(request)
        return msgspec.json.encode(single) if single is not None else None

    def _one(self, request: Any) -> dict[str, Any] | None:
        identifier = request_id(request)
        try:
            name, values = check_request(request)
            result = self._call(name, values)
        except RpcError as error:
            reply = refusal(identifier, error)
            return reply if error.code == INVALID_REQUEST or "id" in request else None
        return answer(identifier, result) if "id" in request else None

    def _call(self, name: str, values: Any) -> Any:
        entry = self._methods.get(name)
        if entry is None:
            raise RpcError(METHOD_NOT_FOUND, "Method not found")
        self.calls[name] = self.calls.get(name, 0) + 1
        method, least, most = entry
        try:
            return method(self._node, Params(values, least, most))
        except RpcError:
            raise
        except Exception as error:
            self._node.counters["internal_errors"] += 1
            log.exception("%s failed", name)
            raise RpcError(INTERNAL_ERROR, f"Internal error: {type(error).__name__}") from error
