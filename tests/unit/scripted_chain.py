"""A chain whose every answer a test writes down: for what a real node does rarely."""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sniperforge import base58
from sniperforge.rpc import RpcError, RpcUnavailable
from sniperforge.tiles.chain import SPL_TOKEN

_rng = random.Random(7)


def key() -> str:
    """An address nobody has."""
    return base58.encode(_rng.randbytes(32))


def signature() -> str:
    """A signature of nothing."""
    return base58.encode(_rng.randbytes(64))


WALLET, WSOL, USDC, BONK = key(), key(), key(), key()


@dataclass
class Executed:
    """A transaction in a block: changes of the wallet's lamports and of its tokens."""

    slot: int
    level: str = "confirmed"
    lamports: int = -5000
    tokens: dict[str, int] = field(default_factory=dict)
    error: Any = None
    known: bool = True
    """Whether getTransaction has it."""


class ScriptedChain:
    """Answers as an `RpcClient` does."""

    def __init__(self) -> None:
        self.slot = 100
        self.height = 90
        self.status_slot: int | None = None
        self.balance_slot: int | None = None
        self.blockhash = key()
        self.executed: dict[str, Executed] = {}
        self.tokens: dict[str, int] = {}
        self.lamports = 1_000_000
        self.calls: list[tuple[str, list[Any]]] = []
        self.refuse: dict[str, Exception] = {}
        self.replace: dict[str, Any] = {}
        self.accounts = {mint: key() for mint in (WSOL, USDC, BONK)}

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """See `RpcClient.batch`."""
        answers = []
        for method, params in calls:
            self.calls.append((method, list(params)))
            error = self.refuse.get(method)
            if isinstance(error, RpcUnavailable):
                raise error
            if isinstance(error, RpcError):
                answers.append(error)
            elif method in self.replace:
                answers.append(self.replace[method])
            else:
                answers.append(getattr(self, method)(*params))
        return answers

    def asked(self, method: str) -> list[list[Any]]:
        """The parameters of all calls of a method."""
        return [params for name, params in self.calls if name == method]

    def _context(self, value: Any, slot: int | None = None) -> dict[str, Any]:
        return {"context": {"slot": self.slot if slot is None else slot}, "value": value}

    def getEpochInfo(self, options: Any) -> Any:
        return {"absoluteSlot": self.slot, "blockHeight": self.height, "epoch": 1}

    def getSlot(self, options: Any) -> Any:
        return self.slot + 2

    def getLatestBlockhash(self, options: Any) -> Any:
        return self._context({"blockhash": self.blockhash, "lastValidBlockHeight": self.height + 150})

    def getFeeForMessage(self, message: str, options: Any) -> Any:
        return self._context(5000)

    def getBalance(self, address: str, options: Any) -> Any:
        return self._context(self.lamports, self.balance_slot)

    def getSignatureStatuses(self, signatures: list[str], options: Any) -> Any:
        assert len(signatures) <= 256
        found = []
        for each in signatures:
            executed = self.executed.get(each)
            status = {"confirmations": 1, "err": executed.error} if executed else None
            if executed and status is not None:
                status |= {"slot": executed.slot, "confirmationStatus": executed.level}
            found.append(status)
        return self._context(found, self.status_slot)

    def getTransaction(self, signature: str, options: Any) -> Any:
        assert options["commitment"] != "processed"
        executed = self.executed[signature]
        if not executed.known:
            return None
        mints = sorted(executed.tokens)
        keys = [WALLET, key(), *(self.accounts[mint] for mint in mints)]

        def balances(after: int) -> list[dict[str, Any]]:
            other = {"accountIndex": 1, "mint": WSOL, "owner": key(), "uiTokenAmount": {"amount": str(77 + 5 * after)}}
            return [other] + [
                {
                    "accountIndex": 2 + index,
                    "mint": mint,
                    "owner": WALLET,
                    "programId": SPL_TOKEN,
                    "uiTokenAmount": {"amount": str(10**12 + after * executed.tokens[mint]), "decimals": 9},
                }
                for index, mint in enumerate(mints)
            ]

        return {
            "slot": executed.slot,
            "blockTime": 1,
            "transaction": {"signatures": [signature], "message": {"accountKeys": keys}},
            "meta": {
                "err": executed.error,
                "fee": 5000,
                "preBalances": [10**9] + [0] * (len(keys) - 1),
                "postBalances": [10**9 + executed.lamports] + [0] * (len(keys) - 1),
                "preTokenBalances": balances(0),
                "postTokenBalances": balances(1),
                "computeUnitsConsumed": 31_000,
                "loadedAddresses": {"writable": [], "readonly": []},
            },
        }

    def _token_account(self, mint: str) -> dict[str, Any]:
        data = base58.decode(mint, 32) + base58.decode(WALLET, 32) + self.tokens[mint].to_bytes(8, "little")
        return {"lamports": 2_039_280, "owner": SPL_TOKEN, "data": [base64.b64encode(data).decode(), "base64"]}

    def getTokenAccountsByOwner(self, owner: str, which: dict[str, str], options: Any) -> Any:
        assert owner == WALLET
        mints = self.tokens if which["programId"] == SPL_TOKEN else {}
        value = [{"pubkey": self.accounts[mint], "account": self._token_account(mint)} for mint in mints]
        return self._context(value, self.balance_slot)

    def getMultipleAccounts(self, addresses: list[str], options: Any) -> Any:
        assert len(addresses) <= 100
        found: list[Any] = []
        by_address = {address: mint for mint, address in self.accounts.items()}
        for address in addresses:
            if address == WALLET:
                found.append({"lamports": self.lamports, "data": ["", "base64"]})
            else:
                mint = by_address[address]
                found.append(self._token_account(mint) if mint in self.tokens else None)
        return self._context(found, self.balance_slot)
