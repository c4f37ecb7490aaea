"""Accounts as the JSON-RPC interface shows them: dumps, encodings, filters, and the parsed form of token accounts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from solders.account import Account
from solders.pubkey import Pubkey

from sniperforge import base58
from sniperforge.simnet import encoding
from sniperforge.simnet.config import AccountFile, ConfigError
from sniperforge.simnet.errors import INVALID_REQUEST, RpcError
from sniperforge.simnet.transactions import TOKEN_2022_PROGRAM, TOKEN_PROGRAM

_BASE58_LIMIT_BYTES = 128
_ACCOUNT_BYTES = 165
_MINT_BYTES = 82
_KIND_MINT = 1
_KIND_ACCOUNT = 2
_IMMUTABLE_OWNER = 7
_STATES = ("uninitialized", "initialized", "frozen")

Decimals = Callable[[Pubkey], int | None]


class _DumpAccount(msgspec.Struct):
    lamports: int
    data: tuple[str, str]
    owner: str
    executable: bool
    rentEpoch: int


class _Dump(msgspec.Struct):
    account: _DumpAccount
    pubkey: str | None = None


def load_dumps(files: Sequence[AccountFile], directories: Sequence[str]) -> dict[Pubkey, Account]:
    """The accounts of all dumps (as `solana account --output json` writes them), by address.

    Raises ConfigError naming the file and the fix.
    """
    accounts: dict[Pubkey, Account] = {}
    for directory in directories:
        found = sorted(Path(directory).rglob("*.json"))
        if not found:
            raise ConfigError(f"{directory} holds no *.json account dumps; name a directory that does")
        for path in found:
            key, account = _load_dump(path, None)
            accounts[key] = account
    for file in files:
        key, account = _load_dump(Path(file.file), file.address)
        accounts[key] = account
    return accounts


def _load_dump(path: Path, address: str | None) -> tuple[Pubkey, Account]:
    try:
        dump = msgspec.json.decode(path.read_bytes(), type=_Dump)
        if dump.account.data[1] != "base64":
            raise ConfigError(f"{path}: data is in {dump.account.data[1]}; dump it with --output json (base64)")
        data = encoding.base64_decode(dump.account.data[0])
        owner = Pubkey.from_string(dump.account.owner)
        name = address or dump.pubkey
        if name is None:
            raise ConfigError(f'{path} has no "pubkey"; load it with --account PUBKEY {path}')
        key = Pubkey.from_string(name)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a readable account dump") from error
    except ConfigError:
        raise
    except ValueError as error:
        text = f"{path} is not an account dump ({error}); make one with solana account --output json"
        raise ConfigError(text) from error
    rent_epoch = min(dump.account.rentEpoch, 2**64 - 1)
    return key, Account(dump.account.lamports, data, owner, dump.account.executable, rent_epoch)


@dataclass(frozen=True, slots=True)
class Filter:
    """A server-side filter: an exact data size, or bytes at an offset."""

    size: int | None
    offset: int
    pattern: bytes

    def matches(self, data: bytes) -> bool:
        """Whether account data passes."""
        if self.size is not None:
            return len(data) == self.size
        return data[self.offset : self.offset + len(self.pattern)] == self.pattern


@dataclass(frozen=True, slots=True)
class View:
    """How a client wants accounts shown: an encoding, and a part of the data as (offset, length)."""

    encoding: str
    data_slice: tuple[int, int] | None

    def show(self, account: Account, decimals: Decimals) -> dict[str, Any]:
        """The account as Agave's UiAccount.  Raises RpcError for base58 of too much data."""
        data = account.data
        return {
            "data": self._data(account, data, decimals),
            "executable": account.executable,
            "lamports": account.lamports,
            "owner": str(account.owner),
            "rentEpoch": account.rent_epoch,
            "space": len(data),
        }

    def _data(self, account: Account, data: bytes, decimals: Decimals) -> Any:
        if self.encoding == "jsonParsed":
            parsed = parse_token_data(account.owner, data, decimals)
            if parsed is not None:
                return parsed
            return [encoding.base64_encode(data), "base64"]
        if self.data_slice is not None:
            offset, length = self.data_slice
            data = data[offset : offset + length]
        if self.encoding in ("base58", "binary"):
            if len(data) > _BASE58_LIMIT_BYTES:
                raise RpcError(
                    INVALID_REQUEST,
                    "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding.",
                )
            text = base58.encode(data)
            return text if self.encoding == "binary" else [text, "base58"]
        if self.encoding == "base64+zstd":
            return [encoding.base64_encode(encoding.zstd_store(data)), "base64+zstd"]
        return [encoding.base64_encode(data), "base64"]


@dataclass(frozen=True, slots=True)
class TokenAccount:
    """The fields of a token account that reads need."""

    mint: Pubkey
    owner: Pubkey
    amount: int


def token_account(account: Account | None) -> TokenAccount | None:
    """The token account in `account`, or None when it does not hold an initialized one."""
    if account is None or account.owner not in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM):
        return None
    data = account.data
    if not _is_kind(data, _ACCOUNT_BYTES, _KIND_ACCOUNT) or data[108] == 0:
        return None
    return TokenAccount(
        Pubkey.from_bytes(data[:32]), Pubkey.from_bytes(data[32:64]), int.from_bytes(data[64:72], "little")
    )


def mint_supply(account: Account | None) -> tuple[int, int] | None:
    """Supply and decimals of the mint in `account`, or None when it does not hold one."""
    if account is None or account.owner not in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM):
        return None
    data = account.data
    if not _is_kind(data, _MINT_BYTES, _KIND_MINT) or data[45] == 0:
        return None
    return int.from_bytes(data[36:44], "little"), data[44]


def _is_kind(data: bytes, size: int, kind: int) -> bool:
    return len(data) == size or (len(data) > _ACCOUNT_BYTES and data[_ACCOUNT_BYTES] == kind)


def token_amount(amount: int, decimals: int) -> dict[str, Any]:
    """A token amount as Agave's UiTokenAmount."""
    digits = f"{amount:0{decimals + 1}d}"
    text = digits if not decimals else f"{digits[:-decimals]}.{digits[-decimals:]}".rstrip("0").rstrip(".")
    return {
        "amount": str(amount),
        "decimals": decimals,
        "uiAmount": amount / 10**decimals,
        "uiAmountString": text,
    }


def parse_token_data(owner: Pubkey, data: bytes, decimals: Decimals) -> dict[str, Any] | None:
    """A token account or mint as Agave's ParsedAccount, or None when `data` holds neither."""
    if owner == TOKEN_PROGRAM:
        program = "spl-token"
    elif owner == TOKEN_2022_PROGRAM:
        program = "spl-token-2022"
    else:
        return None
    if _is_kind(data, _MINT_BYTES, _KIND_MINT):
        kind, info = "mint", _mint_info(data)
    elif _is_kind(data, _ACCOUNT_BYTES, _KIND_ACCOUNT):
        places = decimals(Pubkey.from_bytes(data[:32]))
        if places is None or data[108] >= len(_STATES):
            return None
        kind, info = "account", _account_info(data, places)
    else:
        return None
    if program == "spl-token-2022" and len(data) > _ACCOUNT_BYTES + 1:
        info["extensions"] = _extensions(data)
    return {"program": program, "parsed": {"info": info, "type": kind}, "space": len(data)}


def _mint_info(data: bytes) -> dict[str, Any]:
    return {
        "decimals": data[44],
        "freezeAuthority": _optional_key(data, 46),
        "isInitialized": data[45] != 0,
        "mintAuthority": _optional_key(data, 0),
        "supply": str(int.from_bytes(data[36:44], "little")),
    }


def _account_info(data: bytes, decimals: int) -> dict[str, Any]:
    info: dict[str, Any] = {
        "isNative": data[109] == 1,
        "mint": str(Pubkey.from_bytes(data[:32])),
        "owner": str(Pubkey.from_bytes(data[32:64])),
        "state": _STATES[data[108]],
        "tokenAmount": token_amount(int.from_bytes(data[64:72], "little"), decimals),
    }
    delegate = _optional_key(data, 72)
    if delegate is not None:
        info["delegate"] = delegate
        info["delegatedAmount"] = token_amount(int.from_bytes(data[121:129], "little"), decimals)
    if data[109] == 1:
        info["rentExemptReserve"] = token_amount(int.from_bytes(data[113:121], "little"), decimals)
    close_authority = _optional_key(data, 129)
    if close_authority is not None:
        info["closeAuthority"] = close_authority
    return info


def _optional_key(data: bytes, offset: int) -> str | None:
    return str(Pubkey.from_bytes(data[offset + 4 : offset + 36])) if data[offset] == 1 else None


def _extensions(data: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    position = _ACCOUNT_BYTES + 1
    while position + 4 <= len(data):
        kind = int.from_bytes(data[position : position + 2], "little")
        length = int.from_bytes(data[position + 2 : position + 4], "little")
        if kind == 0:
            break
        found.append({"extension": "immutableOwner" if kind == _IMMUTABLE_OWNER else "unparseableExtension"})
        position += 4 + length
    return found
