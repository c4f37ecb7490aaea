"""Accounts over JSON-RPC, many at a time."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from solders.pubkey import Pubkey

from sniperforge.discovery.anatomy import TOKEN, TOKEN_2022, Venue, curve_of

Call = Callable[..., Any]
"""Calls a JSON-RPC method: name, parameters; returns the result."""

ACCOUNTS_PER_CALL = 100
_U64_MAX = 2**64 - 1
_NOTHING = (0, 0)


class Account(NamedTuple):
    """An account as it was at the end of `slot`."""

    owner: Pubkey
    lamports: int
    data: bytes
    executable: bool
    rent_epoch: int
    slot: int

    @classmethod
    def of(cls, shown: dict[str, Any], slot: int) -> Account:
        """The account that a node shows in base64."""
        return cls(
            owner=Pubkey.from_string(shown["owner"]),
            lamports=shown["lamports"],
            data=base64.b64decode(shown["data"][0]),
            executable=shown["executable"],
            rent_epoch=min(int(shown["rentEpoch"]), _U64_MAX),  # some nodes round the largest number up
            slot=slot,
        )


class Reader:
    """Reads accounts; a request names up to a hundred.

    Args:
        call: the JSON-RPC.
        commitment: of everything that is read.
    """

    def __init__(self, call: Call, *, commitment: str = "confirmed") -> None:
        self.call = call
        self.commitment = commitment

    def _options(self, part: tuple[int, int] | None) -> dict[str, Any]:
        options: dict[str, Any] = {"encoding": "base64", "commitment": self.commitment}
        if part is not None:
            options["dataSlice"] = {"offset": part[0], "length": part[1]}
        return options

    def accounts(self, addresses: Iterable[Pubkey], part: tuple[int, int] | None = None) -> dict[Pubkey, Account]:
        """Those of `addresses` that exist; of their data only the `part` (offset, length) if one is named."""
        wanted = list(dict.fromkeys(addresses))
        found = {}
        for start in range(0, len(wanted), ACCOUNTS_PER_CALL):
            some = wanted[start : start + ACCOUNTS_PER_CALL]
            answer = self.call("getMultipleAccounts", [str(address) for address in some], self._options(part))
            slot = answer["context"]["slot"]
            for address, shown in zip(some, answer["value"], strict=True):
                if shown is not None:
                    found[address] = Account.of(shown, slot)
        return found

    def owners(self, addresses: Iterable[Pubkey]) -> dict[Pubkey, Pubkey]:
        """The owners of those of `addresses` that exist."""
        return {address: account.owner for address, account in self.accounts(addresses, _NOTHING).items()}

    def pools(self, venue: Venue, part: tuple[int, int] | None = None) -> dict[Pubkey, Account]:
        """All accounts of a venue's program that pass its filters."""
        options = {**self._options(part), "filters": list(venue.filters)}
        rows = self.call("getProgramAccounts", str(venue.program), options)
        return {Pubkey.from_string(row["pubkey"]): Account.of(row["account"], 0) for row in rows}

    def coin(self, curve: Pubkey) -> tuple[Pubkey, Pubkey] | None:
        """The mint of the coin that a bonding curve sells, and the curve's token account of it."""
        for program in (TOKEN, TOKEN_2022):
            answer = self.call(
                "getTokenAccountsByOwner", str(curve), {"programId": str(program)}, self._options((0, 32))
            )
            for row in answer["value"]:
                mint = Pubkey.from_bytes(Account.of(row["account"], 0).data)
                if curve_of(mint) == curve:
                    return mint, Pubkey.from_string(row["pubkey"])
        return None
