"""Instructions of which one account is another: programs have to refuse them."""

from __future__ import annotations

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey


def changed(instruction: Instruction, at: int, meta: AccountMeta) -> Instruction:
    """The instruction with another account at this place."""
    accounts = list(instruction.accounts)
    accounts[at] = meta
    return Instruction(instruction.program_id, bytes(instruction.data), accounts)


def changed_key(instruction: Instruction, at: int, key: Pubkey, *, writable: bool = True) -> Instruction:
    """The same by address; it signs only if it is the one that stood there and did."""
    stood = instruction.accounts[at]
    meta = AccountMeta(key, is_signer=stood.is_signer and key == stood.pubkey, is_writable=writable)
    return changed(instruction, at, meta)


def ro(key: Pubkey) -> AccountMeta:
    """An account that is read."""
    return AccountMeta(key, is_signer=False, is_writable=False)


def rw(key: Pubkey) -> AccountMeta:
    """An account that is written."""
    return AccountMeta(key, is_signer=False, is_writable=True)
