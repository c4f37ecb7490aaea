"""Executed transactions as the JSON-RPC interface shows them: `json`, `jsonParsed`, `base64` and `base58`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from sniperforge import base58
from sniperforge.simnet import encoding, instruction_view
from sniperforge.simnet.accounts import token_amount
from sniperforge.simnet.errors import UNSUPPORTED_TRANSACTION_VERSION, RpcError
from sniperforge.simnet.transactions import InnerInstruction, Record, TokenBalance

TRANSACTION_ENCODINGS = ("binary", "base64", "base58", "json", "jsonParsed")


def transaction(record: Record, form: str, max_version: int | None) -> dict[str, Any]:
    """`transaction`, `meta` and (when the client names one) `version`.

    Raises RpcError for a version that the client did not ask for.
    """
    parsed = VersionedTransaction.from_bytes(record.raw)
    message = parsed.message
    version = 0 if isinstance(message, MessageV0) else "legacy"
    if version == 0 and max_version is None:
        raise RpcError(
            UNSUPPORTED_TRANSACTION_VERSION,
            "Transaction version (0) is not supported by the requesting client. Please try the request"
            ' again with the following configuration parameter: "maxSupportedTransactionVersion": 0',
        )
    assert isinstance(message, Message | MessageV0)
    keys = [str(key) for key in message.account_keys]
    loaded = [str(Pubkey.from_bytes(key)) for key in record.loaded_writable + record.loaded_readonly]
    view: dict[str, Any] = {
        "transaction": _wire(parsed, message, record, form, keys, loaded),
        "meta": meta(record, form, keys + loaded),
    }
    if max_version is not None:
        view["version"] = version
    return view


def _wire(
    parsed: VersionedTransaction,
    message: Message | MessageV0,
    record: Record,
    form: str,
    keys: list[str],
    loaded: list[str],
) -> Any:
    if form == "base64":
        return [encoding.base64_encode(record.raw), "base64"]
    if form in ("base58", "binary"):
        text = base58.encode(record.raw)
        return text if form == "binary" else [text, "base58"]
    header = message.header
    signers = header.num_required_signatures
    body: dict[str, Any] = {}
    if form == "json":
        body["header"] = {
            "numRequiredSignatures": signers,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        }
        body["accountKeys"] = keys
    else:
        last_writable = len(keys) - header.num_readonly_unsigned_accounts
        body["accountKeys"] = [
            {
                "pubkey": key,
                "writable": i < signers - header.num_readonly_signed_accounts or signers <= i < last_writable,
                "signer": i < signers,
                "source": "transaction",
            }
            for i, key in enumerate(keys)
        ] + [
            {
                "pubkey": key,
                "writable": i < len(record.loaded_writable),
                "signer": False,
                "source": "lookupTable",
            }
            for i, key in enumerate(loaded)
        ]
    body["recentBlockhash"] = str(message.recent_blockhash)
    body["instructions"] = [
        instruction(form, keys + loaded, each.program_id_index, bytes(each.accounts), bytes(each.data), 1)
        for each in message.instructions
    ]
    if isinstance(message, MessageV0):
        body["addressTableLookups"] = [
            {
                "accountKey": str(lookup.account_key),
                "writableIndexes": list(bytes(lookup.writable_indexes)),
                "readonlyIndexes": list(bytes(lookup.readonly_indexes)),
            }
            for lookup in message.address_table_lookups
        ]
    return {"signatures": [str(signature) for signature in parsed.signatures], "message": body}


def instruction(
    form: str, keys: Sequence[str], program: int, accounts: bytes, data: bytes, stack_height: int | None
) -> dict[str, Any]:
    """One instruction: with numbers among the keys (`json`), or parsed as far as its program is known."""
    if form != "jsonParsed":
        return {
            "programIdIndex": program,
            "accounts": list(accounts),
            "data": base58.encode(data),
            "stackHeight": stack_height,
        }
    named = [keys[account] for account in accounts]
    parsed = instruction_view.parse(keys[program], named, data)
    if parsed is not None:
        return {**parsed, "programId": keys[program], "stackHeight": stack_height}
    return {
        "programId": keys[program],
        "accounts": named,
        "data": base58.encode(data),
        "stackHeight": stack_height,
    }


def inner(groups: Sequence[tuple[int, list[InnerInstruction]]], form: str, keys: Sequence[str]) -> Any:
    """Inner instructions by the number of the instruction that called them."""
    return [
        {
            "index": number,
            "instructions": [
                instruction(form, keys, call.program, call.accounts, call.data, call.stack_height) for call in calls
            ],
        }
        for number, calls in groups
    ]


def meta(record: Record, form: str, keys: Sequence[str]) -> dict[str, Any]:
    """The outcome of a transaction as Agave's UiTransactionStatusMeta."""
    view: dict[str, Any] = {
        "err": record.error,
        "status": {"Ok": None} if record.error is None else {"Err": record.error},
        "fee": record.fee,
        "preBalances": record.pre_balances,
        "postBalances": record.post_balances,
        "innerInstructions": inner(record.inner, form, keys),
        "logMessages": record.logs,
        "preTokenBalances": [_token_balance(balance) for balance in record.pre_tokens],
        "postTokenBalances": [_token_balance(balance) for balance in record.post_tokens],
        "rewards": [],
        "computeUnitsConsumed": record.compute_units,
    }
    if form != "jsonParsed":
        view["loadedAddresses"] = {
            "writable": [str(Pubkey.from_bytes(key)) for key in record.loaded_writable],
            "readonly": [str(Pubkey.from_bytes(key)) for key in record.loaded_readonly],
        }
    if record.return_data is not None:
        view["returnData"] = return_data(record.return_data)
    return view


def return_data(returned: tuple[bytes, bytes]) -> dict[str, Any]:
    """What a program returned, as Agave's UiTransactionReturnData."""
    program, data = returned
    return {
        "programId": str(Pubkey.from_bytes(program)),
        "data": [encoding.base64_encode(data), "base64"],
    }


def _token_balance(balance: TokenBalance) -> dict[str, Any]:
    amount = token_amount(balance.amount, balance.decimals)
    return {
        "accountIndex": balance.account,
        "mint": str(Pubkey.from_bytes(balance.mint)),
        "uiTokenAmount": amount if balance.amount else {**amount, "uiAmount": None},
        "owner": str(Pubkey.from_bytes(balance.owner)),
        "programId": str(Pubkey.from_bytes(balance.program)),
    }
