"""What the checks read from the chain, each with the slot it was read at."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from sniperforge.rpc import RpcClient
from sniperforge.safety.mint import TOKEN, Holding, holding

CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
COMMITMENT = "processed"
"""Safety looks at the newest state; a fork may undo it, and the guards look again."""

_ACCOUNTS_PER_CALL = 100
_SIGNATURES_PER_CALL = 1000
_LISTING_BYTES = 16 << 20
"""Longest answer that lists the accounts of a mint: some forty thousand of them."""
_PLAIN_BYTES = 165
_LISTED_PART = (32, 77)
"""Offset and length of owner, amount and state in a token account."""
_PLAIN = {"dataSize": _PLAIN_BYTES}
_EXTENDED = {"memcmp": {"offset": _PLAIN_BYTES, "bytes": "3"}}
"""Account type 2 behind the plain account's bytes. Nodes use their index of mints with either filter only."""


class Account(NamedTuple):
    """An account's lamports, owner and bytes."""

    lamports: int
    owner: Pubkey
    data: bytes


class Read(NamedTuple):
    """Accounts in the order asked for, None where there is none, and the oldest slot they were read at."""

    slot: int
    accounts: list[Account | None]


class Simulation(NamedTuple):
    """What a transaction would do: None or its error, its log, and the accounts asked for as they would be."""

    slot: int
    error: Any
    logs: list[str]
    accounts: list[Account | None]


class Largest(NamedTuple):
    """The largest token accounts of a mint: address and amount."""

    slot: int
    accounts: list[tuple[Pubkey, int]]


class Listing(NamedTuple):
    """All token accounts of a mint."""

    slot: int
    accounts: list[tuple[Pubkey, Holding]]


class Clock(NamedTuple):
    """The chain's own time."""

    epoch: int
    unix_s: int


def clock(account: Account | None) -> Clock:
    """The time in the clock sysvar's account."""
    if account is None or len(account.data) < 40:
        raise ValueError("the chain has no clock sysvar")
    return Clock(struct.unpack_from("<Q", account.data, 16)[0], struct.unpack_from("<q", account.data, 32)[0])


def _account(shown: Any) -> Account | None:
    if shown is None:
        return None
    return Account(int(shown["lamports"]), Pubkey.from_string(shown["owner"]), base64.b64decode(shown["data"][0]))


class Reader:
    """Reads over one RPC connection; for one thread.

    All methods raise `RpcUnavailable` if the node does not answer and `RpcError` if it refuses.
    """

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc

    def accounts(self, keys: Sequence[Pubkey]) -> Read:
        """Accounts; up to a hundred are of one slot."""
        options = {"encoding": "base64", "commitment": COMMITMENT}
        slot, found = 0, []
        for start in range(0, len(keys), _ACCOUNTS_PER_CALL):
            part = [str(key) for key in keys[start : start + _ACCOUNTS_PER_CALL]]
            answer = self._rpc.call("getMultipleAccounts", part, options)
            here = int(answer["context"]["slot"])
            slot = min(slot, here) if slot else here
            found += [_account(shown) for shown in answer["value"]]
        return Read(slot, found)

    def owned(self, program: Pubkey, filters: list[dict[str, Any]]) -> list[tuple[Pubkey, Account]]:
        """Accounts of a program."""
        options = {"encoding": "base64", "commitment": COMMITMENT, "filters": filters}
        rows = self._rpc.call("getProgramAccounts", str(program), options)
        found = ((Pubkey.from_string(row["pubkey"]), _account(row["account"])) for row in rows)
        return [(key, account) for key, account in found if account is not None]

    def largest(self, mint: Pubkey) -> Largest:
        """The largest token accounts of a mint, as many as the node tells (twenty)."""
        answer = self._rpc.call("getTokenLargestAccounts", str(mint), {"commitment": COMMITMENT})
        rows = [(Pubkey.from_string(row["address"]), int(row["amount"])) for row in answer["value"]]
        return Largest(int(answer["context"]["slot"]), rows)

    def token_accounts(self, mint: Pubkey, program: Pubkey) -> Listing:
        """All token accounts of a mint of a token program; more than fit `_LISTING_BYTES` raise `RpcUnavailable`."""
        offset, length = _LISTED_PART
        slots, found = [], []
        for kind in (_PLAIN,) if program == TOKEN else (_PLAIN, _EXTENDED):
            options = {
                "encoding": "base64",
                "commitment": COMMITMENT,
                "withContext": True,
                "filters": [kind, {"memcmp": {"offset": 0, "bytes": str(mint)}}],
                "dataSlice": {"offset": offset, "length": length},
            }
            answer = self._rpc.call("getProgramAccounts", str(program), options, most_bytes=_LISTING_BYTES)
            slots.append(int(answer["context"]["slot"]))
            for row in answer["value"]:
                part = base64.b64decode(row["account"]["data"][0])
                held = holding(program, (bytes(mint) + part).ljust(_PLAIN_BYTES, b"\0"))
                if held is not None:
                    found.append((Pubkey.from_string(row["pubkey"]), held))
        return Listing(min(slots), found)

    def first_seen(self, address: Pubkey) -> int | None:
        """Unix seconds of the oldest transaction of `address` among the last thousand; None if there is none."""
        options = {"limit": _SIGNATURES_PER_CALL, "commitment": "confirmed"}
        rows = self._rpc.call("getSignaturesForAddress", str(address), options)
        times = [int(row["blockTime"]) for row in rows if row["blockTime"] is not None]
        return min(times) if times else None

    def simulate(self, transaction: VersionedTransaction, keys: Sequence[Pubkey]) -> Simulation:
        """What an unsigned transaction would do now, and the accounts of `keys` after it."""
        options = {
            "encoding": "base64",
            "commitment": COMMITMENT,
            "sigVerify": False,
            "replaceRecentBlockhash": True,
            "accounts": {"encoding": "base64", "addresses": [str(key) for key in keys]},
        }
        answer = self._rpc.call("simulateTransaction", base64.b64encode(bytes(transaction)).decode(), options)
        value = answer["value"]
        accounts = [_account(shown) for shown in value.get("accounts") or [None] * len(keys)]
        return Simulation(int(answer["context"]["slot"]), value["err"], value.get("logs") or [], accounts)
