"""A transaction on the wire and in the ledger: parsing, compute budget, loaded addresses, record of its execution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from solders.account import Account
from solders.hash import Hash
from solders.instruction import CompiledInstruction
from solders.message import Message, MessageV0, from_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import SanitizeError, VersionedTransaction

from sniperforge.simnet.errors import TransactionErrorJson

PACKET_BYTES = 1232
LAMPORTS_PER_SIGNATURE = 5000
COMPUTE_BUDGET = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
LOOKUP_TABLE_PROGRAM = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
TOKEN_PROGRAM = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022_PROGRAM = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
_PRECOMPILES = {
    Pubkey.from_string("Ed25519SigVerify111111111111111111111111111"),
    Pubkey.from_string("KeccakSecp256k11111111111111111111111111111"),
    Pubkey.from_string("Secp256r1SigVerify1111111111111111111111111"),
}
_BUILTINS = _PRECOMPILES | {
    COMPUTE_BUDGET,
    Pubkey.default(),
    Pubkey.from_string("Vote111111111111111111111111111111111111111"),
    Pubkey.from_string("BPFLoader1111111111111111111111111111111111"),
    Pubkey.from_string("BPFLoader2111111111111111111111111111111111"),
    Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111"),
    Pubkey.from_string("LoaderV411111111111111111111111111111111111"),
}
_BUILTIN_COMPUTE_UNITS = 3_000
_DEFAULT_COMPUTE_UNITS = 200_000
_MAX_COMPUTE_UNITS = 1_400_000
_LOOKUP_TABLE_HEADER_BYTES = 56


class MalformedTransaction(ValueError):
    """The bytes are not a transaction; the text is worded as Agave words it."""


class InnerInstruction(msgspec.Struct, array_like=True, frozen=True):
    """One cross-program call: the program's and the accounts' numbers among the transaction's keys."""

    program: int
    accounts: bytes
    data: bytes
    stack_height: int | None


class TokenBalance(msgspec.Struct, array_like=True, frozen=True):
    """What a token account held; `account` is its number among the transaction's keys."""

    account: int
    mint: bytes
    owner: bytes
    program: bytes
    amount: int
    decimals: int


class Record(msgspec.Struct, array_like=True, frozen=True):
    """An executed transaction as the ledger keeps it."""

    slot: int
    block_time: int
    raw: bytes
    error: TransactionErrorJson | None
    fee: int
    compute_units: int
    logs: list[str]
    inner: list[tuple[int, list[InnerInstruction]]]
    pre_balances: list[int]
    post_balances: list[int]
    pre_tokens: list[TokenBalance]
    post_tokens: list[TokenBalance]
    loaded_writable: list[bytes]
    loaded_readonly: list[bytes]
    return_data: tuple[bytes, bytes] | None


@dataclass(slots=True, eq=False)
class Decoded:
    """A parsed transaction with what ordering and fees need; `blockhash` and `signature` are raw bytes."""

    raw: bytes
    transaction: VersionedTransaction
    signature: bytes
    message: Message | MessageV0
    keys: list[Pubkey]
    instructions: list[CompiledInstruction]
    blockhash: bytes
    signers: int
    price: int
    compute_limit: int
    precompile_signatures: int

    @property
    def is_legacy(self) -> bool:
        """Whether the message has no version byte."""
        return isinstance(self.message, Message)

    @property
    def fee(self) -> int:
        """Lamports the payer is charged: signatures and the priority fee on the requested limit, rounded up."""
        base = LAMPORTS_PER_SIGNATURE * (self.signers + self.precompile_signatures)
        return base - (-self.price * self.compute_limit // 1_000_000)


@dataclass(slots=True)
class Loaded:
    """All keys of a transaction in order (static, then looked up) and which of them it may write."""

    keys: list[Pubkey]
    writable: list[bool]
    lookup_writable: list[Pubkey]
    lookup_readonly: list[Pubkey]


def decode(raw: bytes) -> Decoded:
    """Parse and sanity-check a transaction.  Raises MalformedTransaction."""
    try:
        transaction = VersionedTransaction.from_bytes(raw)
    except ValueError as error:
        raise MalformedTransaction(
            f"failed to deserialize solana_transaction::versioned::VersionedTransaction: {_lower(error)}"
        ) from error
    message = transaction.message
    if not isinstance(message, Message | MessageV0):
        raise MalformedTransaction("invalid transaction: Transaction version is unsupported")
    header = message.header
    try:
        transaction.sanitize()
    except SanitizeError as error:
        raise MalformedTransaction(
            "invalid transaction: Transaction failed to sanitize accounts offsets correctly"
        ) from error
    signatures = transaction.signatures
    if len(signatures) != header.num_required_signatures or not signatures:
        raise MalformedTransaction("invalid transaction: Transaction failed to sanitize accounts offsets correctly")
    keys = message.account_keys
    instructions = message.instructions
    price, limit, precompile_signatures = _compute_budget(keys, instructions)
    return Decoded(
        raw=bytes(transaction),
        transaction=transaction,
        signature=bytes(signatures[0]),
        message=message,
        keys=keys,
        instructions=instructions,
        blockhash=bytes(message.recent_blockhash),
        signers=header.num_required_signatures,
        price=price,
        compute_limit=limit,
        precompile_signatures=precompile_signatures,
    )


def message_fee(raw: bytes) -> tuple[Hash, int]:
    """Blockhash and fee of a serialized message.  Raises MalformedTransaction."""
    try:
        message = from_bytes_versioned(raw)
        signatures = [Signature.default()] * message.header.num_required_signatures
        VersionedTransaction.populate(message, signatures).sanitize()
    except (ValueError, SanitizeError) as error:
        raise MalformedTransaction(
            f"failed to deserialize solana_message::versions::VersionedMessage: {_lower(error)}"
        ) from error
    price, limit, precompile_signatures = _compute_budget(message.account_keys, message.instructions)
    paid = message.header.num_required_signatures + precompile_signatures
    return message.recent_blockhash, LAMPORTS_PER_SIGNATURE * paid - (-price * limit // 1_000_000)


def _compute_budget(keys: Sequence[Pubkey], instructions: Sequence[CompiledInstruction]) -> tuple[int, int, int]:
    """Micro-lamports per compute unit, compute unit limit, and signatures verified by precompiles."""
    price = 0
    limit: int | None = None
    default_limit = 0
    precompile_signatures = 0
    for instruction in instructions:
        program = keys[instruction.program_id_index]
        data = instruction.data
        default_limit += _BUILTIN_COMPUTE_UNITS if program in _BUILTINS else _DEFAULT_COMPUTE_UNITS
        if program == COMPUTE_BUDGET:
            if len(data) >= 5 and data[0] == 2:
                limit = int.from_bytes(data[1:5], "little")
            elif len(data) >= 9 and data[0] == 3:
                price = int.from_bytes(data[1:9], "little")
        elif program in _PRECOMPILES and data:
            precompile_signatures += data[0]
    return price, min(default_limit if limit is None else limit, _MAX_COMPUTE_UNITS), precompile_signatures


def load_addresses(decoded: Decoded, account: Callable[[Pubkey], Account | None]) -> Loaded | None:
    """All keys of the transaction; None when a lookup table is missing, foreign or too short."""
    message = decoded.message
    header = message.header
    static = len(decoded.keys)
    signed_writable = decoded.signers - header.num_readonly_signed_accounts
    unsigned_writable = static - header.num_readonly_unsigned_accounts
    programs = {instruction.program_id_index for instruction in decoded.instructions}
    writable = [
        (i < signed_writable or decoded.signers <= i < unsigned_writable) and i not in programs for i in range(static)
    ]
    lookup_writable: list[Pubkey] = []
    lookup_readonly: list[Pubkey] = []
    if isinstance(message, MessageV0):
        for lookup in message.address_table_lookups:
            table = account(lookup.account_key)
            if table is None or table.owner != LOOKUP_TABLE_PROGRAM:
                return None
            data = table.data
            entries = (len(data) - _LOOKUP_TABLE_HEADER_BYTES) // 32
            for indexes, target in (
                (lookup.writable_indexes, lookup_writable),
                (lookup.readonly_indexes, lookup_readonly),
            ):
                for index in bytes(indexes):
                    if index >= entries:
                        return None
                    start = _LOOKUP_TABLE_HEADER_BYTES + 32 * index
                    target.append(Pubkey.from_bytes(data[start : start + 32]))
    return Loaded(
        keys=decoded.keys + lookup_writable + lookup_readonly,
        writable=writable + [True] * len(lookup_writable) + [False] * len(lookup_readonly),
        lookup_writable=lookup_writable,
        lookup_readonly=lookup_readonly,
    )


def token_balances(
    accounts: Sequence[tuple[int, Account | None]], decimals: Callable[[Pubkey], int | None]
) -> list[TokenBalance]:
    """The token accounts among `accounts` (key number, account) and what they hold."""
    balances = []
    for number, account in accounts:
        if account is None or account.owner not in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM):
            continue
        data = account.data
        if len(data) < 165 or data[108] == 0 or (len(data) > 165 and data[165] != 2):
            continue
        mint = data[:32]
        places = decimals(Pubkey.from_bytes(mint))
        if places is not None:
            amount = int.from_bytes(data[64:72], "little")
            balances.append(TokenBalance(number, mint, data[32:64], bytes(account.owner), amount, places))
    return balances


def inner_instructions(groups: Sequence[Sequence[Any]]) -> list[tuple[int, list[InnerInstruction]]]:
    """The runtime's inner instructions, one entry for each instruction that called another program."""
    result = []
    for number, group in enumerate(groups):
        calls = []
        for call in group:
            instruction = call.instruction()
            calls.append(
                InnerInstruction(
                    instruction.program_id_index,
                    bytes(instruction.accounts),
                    bytes(instruction.data),
                    call.stack_height(),
                )
            )
        if calls:
            result.append((number, calls))
    return result


def _lower(error: Exception) -> str:
    text = str(error)
    return text[:1].lower() + text[1:]
