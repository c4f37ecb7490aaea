"""Instructions of the system, token, associated token account and memo programs in Agave's parsed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from solders.pubkey import Pubkey

_SYSTEM = "11111111111111111111111111111111"
_TOKENS = {
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA": "spl-token",
    "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb": "spl-token-2022",
}
_ASSOCIATED = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
_MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"

Info = dict[str, Any]
Parser = Callable[[Sequence[str], bytes], Info]


def parse(program: str, accounts: Sequence[str], data: bytes) -> Info | None:
    """`program` and `parsed` of an instruction; None when the program or the instruction is not known here."""
    try:
        if program == _SYSTEM:
            kind, info = _pick(_SYSTEM_INSTRUCTIONS, int.from_bytes(data[:4], "little"))(accounts, data[4:])
            return {"program": "system", "parsed": {"type": kind, "info": info}}
        if program in _TOKENS:
            kind, info = _pick(_TOKEN_INSTRUCTIONS, data[0])(accounts, data[1:])
            return {"program": _TOKENS[program], "parsed": {"type": kind, "info": info}}
        if program == _ASSOCIATED:
            kind = {0: "create", 1: "createIdempotent"}[data[0] if data else 0]
            names = ("source", "account", "wallet", "mint", "systemProgram", "tokenProgram")
            info = _named(names, accounts)
            return {"program": "spl-associated-token-account", "parsed": {"type": kind, "info": info}}
        if program == _MEMO:
            return {"program": "spl-memo", "parsed": data.decode()}
    except (LookupError, ValueError):
        return None
    return None


def _pick(table: dict[int, tuple[str, Parser]], number: int) -> Callable[[Sequence[str], bytes], tuple[str, Info]]:
    kind, parser = table[number]
    return lambda accounts, data: (kind, parser(accounts, data))


def _named(names: Sequence[str], accounts: Sequence[str]) -> Info:
    return {name: accounts[i] for i, name in enumerate(names)}


def _u64(data: bytes, offset: int) -> int:
    if len(data) < offset + 8:
        raise ValueError("too short")
    return int.from_bytes(data[offset : offset + 8], "little")


def _key(data: bytes, offset: int) -> str:
    return str(Pubkey.from_bytes(data[offset : offset + 32]))


def _accounts(*names: str) -> Parser:
    return lambda accounts, data: _named(names, accounts)


def _create_account(accounts: Sequence[str], data: bytes) -> Info:
    amounts = {"lamports": _u64(data, 0), "space": _u64(data, 8), "owner": _key(data, 16)}
    return {**_named(("source", "newAccount"), accounts), **amounts}


def _system_transfer(accounts: Sequence[str], data: bytes) -> Info:
    return {**_named(("source", "destination"), accounts), "lamports": _u64(data, 0)}


def _amount(*names: str) -> Parser:
    return lambda accounts, data: {**_named(names, accounts), "amount": str(_u64(data, 0))}


def _checked(*names: str) -> Parser:
    def parser(accounts: Sequence[str], data: bytes) -> Info:
        amount, decimals = _u64(data, 0), data[8]
        digits = f"{amount:0{decimals + 1}d}"
        text = f"{digits[:-decimals]}.{digits[-decimals:]}".rstrip("0").rstrip(".") if decimals else digits
        shown = {"uiAmount": amount / 10**decimals, "decimals": decimals, "amount": str(amount)}
        return {**_named(names, accounts), "tokenAmount": {**shown, "uiAmountString": text}}

    return parser


def _mint(accounts: Sequence[str], data: bytes) -> Info:
    info: Info = {"mint": accounts[0], "decimals": data[0], "mintAuthority": _key(data, 1)}
    if data[33] == 1:
        info["freezeAuthority"] = _key(data, 34)
    return info


def _account(accounts: Sequence[str], data: bytes) -> Info:
    return {**_named(("account", "mint"), accounts), "owner": _key(data, 0) if data else accounts[2]}


_SYSTEM_INSTRUCTIONS: dict[int, tuple[str, Parser]] = {
    0: ("createAccount", _create_account),
    1: ("assign", lambda accounts, data: {"account": accounts[0], "owner": _key(data, 0)}),
    2: ("transfer", _system_transfer),
    4: (
        "advanceNonce",
        _accounts("nonceAccount", "recentBlockhashesSysvar", "nonceAuthority"),
    ),
    8: ("allocate", lambda accounts, data: {"account": accounts[0], "space": _u64(data, 0)}),
}

_TOKEN_INSTRUCTIONS: dict[int, tuple[str, Parser]] = {
    0: ("initializeMint", _mint),
    1: ("initializeAccount", _account),
    3: ("transfer", _amount("source", "destination", "authority")),
    4: ("approve", _amount("source", "delegate", "owner")),
    5: ("revoke", _accounts("source", "owner")),
    7: ("mintTo", _amount("mint", "account", "mintAuthority")),
    8: ("burn", _amount("account", "mint", "authority")),
    9: ("closeAccount", _accounts("account", "destination", "owner")),
    12: ("transferChecked", _checked("source", "mint", "destination", "authority")),
    14: ("mintToChecked", _checked("mint", "account", "mintAuthority")),
    15: ("burnChecked", _checked("account", "mint", "authority")),
    16: ("initializeAccount2", _account),
    17: ("syncNative", _accounts("account")),
    18: ("initializeAccount3", _account),
    20: ("initializeMint2", _mint),
    22: ("initializeImmutableOwner", _accounts("account")),
}
