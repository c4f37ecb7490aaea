"""What the messages of the journal say, as plain values.

Layouts and names come from the shared headers: kinds from SF_MSG_*, reasons and outcomes from the
constants of their prefix.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
from solders.pubkey import Pubkey
from solders.signature import Signature

from ipc._core import ffi, lib
from ipc.layout import dtype

LAYOUTS: dict[int, str] = {
    lib.SF_MSG_ACCOUNT: "sf_raw_account_t",
    lib.SF_MSG_SLOT: "sf_raw_slot_t",
    lib.SF_MSG_RESET: "sf_raw_slot_t",
    lib.SF_MSG_POOL: "sf_pool_update_t",
    lib.SF_MSG_STALE: "sf_pool_update_t",
    lib.SF_MSG_INTENT: "sf_intent_t",
    lib.SF_MSG_TURN: "sf_turn_t",
    lib.SF_MSG_ORDER: "sf_order_t",
    lib.SF_MSG_DENIED: "sf_denied_t",
    lib.SF_MSG_TX: "sf_wire_t",
    lib.SF_MSG_WIRE: "sf_wire_t",
    lib.SF_MSG_AHEAD: "sf_wire_t",
    lib.SF_MSG_RUNG: "sf_wire_t",
    lib.SF_MSG_REFUSED: "sf_refused_t",
    lib.SF_MSG_SENT: "sf_sent_t",
    lib.SF_MSG_FILL: "sf_fill_t",
    lib.SF_MSG_BALANCE: "sf_balance_t",
    lib.SF_MSG_COMMAND: "sf_command_t",
    lib.SF_MSG_VERDICT: "sf_verdict_t",
}
"""The payload's layout for each kind of message."""

_PUBKEYS = frozenset({"pubkey", "owner", "mint", "blockhash"})


def _names(prefix: str, without: tuple[str, ...] = ()) -> dict[int, str]:
    found = (name for name in dir(lib) if name.startswith(prefix) and not name.startswith(without))
    return {getattr(lib, name): name.removeprefix(prefix).lower().replace("_", " ") for name in found}


KIND_NAMES = _names("SF_MSG_")
KINDS = {name: kind for kind, name in KIND_NAMES.items()}
"""Number of each kind of message by its name, `fill` for SF_MSG_FILL."""

OUTCOMES = _names("SF_FILL_", ("SF_FILL_SIMULATED", "SF_FILL_RECOVERED"))

DENY_NAMES = _names("SF_DENY_", ("SF_DENY_ROWS", "SF_DENY_MAX"))
"""Why risk denied, by SF_DENY_*."""

UNSAFE = _names("SF_UNSAFE_")
"""Why a token was refused, by SF_UNSAFE_*."""

VENUES = _names("SF_VENUE_")
"""By SF_VENUE_*: `raydium cpmm`, ..."""

_MEANINGS: dict[tuple[int, str], dict[int, str]] = {
    (lib.SF_MSG_DENIED, "reason"): DENY_NAMES,
    (lib.SF_MSG_REFUSED, "reason"): _names("SF_REFUSE_"),
    (lib.SF_MSG_FILL, "outcome"): OUTCOMES,
    (lib.SF_MSG_COMMAND, "verb"): _names("SF_VERB_"),
    (lib.SF_MSG_VERDICT, "outcome"): _names("SF_VERDICT_"),
}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.names is not None:
            return [_struct(item) for item in value]
        if value.dtype != np.uint8:
            return value.tolist()
        raw = value.tobytes()
        if name in _PUBKEYS:
            return str(Pubkey.from_bytes(raw))
        if name == "signature":
            return str(Signature.from_bytes(raw))
        return base64.b64encode(raw).decode()
    if isinstance(value, np.void):
        return _struct(value)
    plain = value.item()
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def _struct(row: np.void) -> dict[str, Any]:
    assert row.dtype.names is not None
    return {name: _plain(name, row[name]) for name in row.dtype.names}


def structure(layout: str, payload: bytes) -> np.void | None:
    """The payload as a row of its layout; None if it is too short.

    A wire message is sent no longer than its transaction: the rest of `tx` is zero.
    """
    shape = dtype(layout)
    if layout == "sf_wire_t" and len(payload) >= ffi.offsetof(layout, "tx"):
        payload = payload.ljust(shape.itemsize, b"\0")
    if len(payload) < shape.itemsize:
        return None
    row: np.void = np.frombuffer(payload, shape, count=1)[0]
    return row


def decode(kind: int, payload: bytes) -> dict[str, Any]:
    """The payload as plain values: integers, keys and signatures in base58, other bytes in base64.

    What is unused is left out: hops beyond `hop_cnt`, legs without a delta, bytes of `tx` beyond `tx_len`.
    Known numbers get their name (`"reason": "stale"`).  A payload that is shorter than its layout, or of
    an unknown kind, comes as {"bytes": base64}.
    """
    layout = LAYOUTS.get(kind)
    row = None if layout is None else structure(layout, payload)
    if layout is None or row is None:
        return {"bytes": base64.b64encode(payload).decode()}
    values = _struct(row)
    if layout == "sf_pool_update_t":
        values["state"] = base64.b64encode(payload[dtype(layout).itemsize :]).decode()
    if kind == lib.SF_MSG_ACCOUNT:
        values["data"] = base64.b64encode(payload[dtype(layout).itemsize :]).decode()
    if layout == "sf_wire_t":
        values["tx"] = base64.b64encode(row["tx"].tobytes()[: row["tx_len"]]).decode()
    if "leg" in values:
        values["leg"] = [leg for leg in values["leg"] if leg["delta"]]
    intent = values.get("intent") if kind == lib.SF_MSG_ORDER else values
    if isinstance(intent, dict) and "hop" in intent:
        intent["hop"] = intent["hop"][: intent["hop_cnt"]]
    if kind == lib.SF_MSG_VERDICT:
        values["reasons"] = [name for bit, name in sorted(UNSAFE.items()) if bit & values["reasons"]]
        values["creator"] = [str(Pubkey.from_bytes(key.tobytes())) for key in row["creator"][: row["creator_cnt"]]]
    for (of_kind, name), meaning in _MEANINGS.items():
        if of_kind == kind:
            values[name] = meaning.get(values[name], values[name])
    return values
