"""A LiteSVM with the emulated Raydium CPMM, a user, and pools opened by writing their accounts."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.account import Account
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata

from sniperforge.simnet import cpmm_accounts, emulation
from sniperforge.simnet.cpmm_accounts import TOKEN_PROGRAM_ID, PoolKeys
from sniperforge.venues import transfer_fee
from tests.emulation.cpmm_reference import NOW, PANIC, U64, USER_BALANCE, Terms, TransferFee

TOKEN_2022_PROGRAM_ID = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
EPOCH = 700


def mint_data(fee: TransferFee | None) -> bytes:
    base = struct.pack("<I32sQB?I32x", 0, bytes(32), U64 - 1, 6, True, 0)
    if fee is None:
        return base
    # The older fee has ended: what is valid now is the newer one, since its epoch is the present.
    older = struct.pack("<QQH", 0, 5, 77)
    newer = struct.pack("<QQH", EPOCH, fee.maximum, fee.basis_points)
    extension = struct.pack("<HH72x", 1, 108) + older + newer
    return base.ljust(165, b"\0") + b"\1" + extension


def mint_fee(fee: transfer_fee.TransferFee | None) -> TransferFee | None:
    """A fee of ours, for `mint_data`."""
    return None if fee is None else TransferFee(basis_points=fee.bps, maximum=fee.maximum)


def token_account(mint: Pubkey, owner: Pubkey, amount: int, program: Pubkey) -> Account:
    data = struct.pack("<32s32sQ36xB56x", bytes(mint), bytes(owner), amount, 1)
    if program == TOKEN_2022_PROGRAM_ID:
        data += b"\2" + struct.pack("<HHQ", 2, 8, 0)
    return Account(10**10, data, program)


def recorded(folder: Path) -> dict[Pubkey, Account]:
    """The accounts of a folder of recorded ones, by address."""
    found: dict[Pubkey, Account] = {}
    for file in folder.glob("*.json"):
        dump = json.loads(file.read_text())
        account = dump["account"]
        found[Pubkey.from_string(dump["pubkey"])] = Account(
            account["lamports"], base64.b64decode(account["data"][0]), Pubkey.from_string(account["owner"])
        )
    return found


class Machine:
    """One SVM with the emulated program, a user, and the pools that a test opens."""

    def __init__(self) -> None:
        self.svm = LiteSVM()
        for program_id, elf in emulation.load_programs().items():
            self.svm.add_program(program_id, elf)
        self.user = Keypair()
        self.svm.airdrop(self.user.pubkey(), 10**12)
        self.set_time(NOW)

    def set_time(self, unix_timestamp: int) -> None:
        clock = self.svm.get_clock()
        clock.unix_timestamp = unix_timestamp
        clock.epoch = EPOCH
        self.svm.set_clock(clock)

    def data(self, address: Pubkey) -> bytes:
        account = self.svm.get_account(address)
        assert account is not None
        return bytes(account.data)

    def amount(self, address: Pubkey) -> int:
        return int.from_bytes(self.data(address)[64:72], "little")

    def send(self, *instructions: Instruction) -> Any:
        self.svm.expire_blockhash()
        message = Message(list(instructions), self.user.pubkey())
        return self.svm.send_transaction(Transaction([self.user], message, self.svm.latest_blockhash()))


@dataclass
class Pool:
    """One pool on a machine, and the user's two token accounts."""

    machine: Machine
    keys: PoolKeys
    accounts: tuple[Pubkey, Pubkey]

    def swap(self, side: int, exact_in: bool, amount: int, limit: int | None = None) -> Instruction:
        common: dict[str, Any] = {
            "payer": self.machine.user.pubkey(),
            "input_mint": self.keys.mints[side],
            "input_account": self.accounts[side],
            "output_account": self.accounts[1 - side],
        }
        if exact_in:
            return cpmm_accounts.swap_base_input_instruction(
                self.keys, amount_in=amount, minimum_amount_out=limit or 0, **common
            )
        return cpmm_accounts.swap_base_output_instruction(
            self.keys, amount_out=amount, max_amount_in=U64 - 1 if limit is None else limit, **common
        )

    def snapshot(self) -> list[bytes]:
        k = self.keys
        return [self.machine.data(a) for a in (k.pool, k.observation, *k.vaults, *self.accounts)]


def open_pool(machine: Machine, terms: Terms) -> Pool:
    mints = sorted((Pubkey.new_unique(), Pubkey.new_unique()), key=bytes)
    fees = terms.transfer_fees
    programs = tuple(TOKEN_PROGRAM_ID if fee is None else TOKEN_2022_PROGRAM_ID for fee in fees)
    index = 7
    keys = cpmm_accounts.derive_pool(
        config=cpmm_accounts.config_address(index), mints=(mints[0], mints[1]), token_programs=programs
    )
    accounts = (Pubkey.new_unique(), Pubkey.new_unique())
    owned = {
        keys.pool: cpmm_accounts.pool_data(
            keys, decimals=(6, 6), lp_supply=1, status=terms.status, open_time=terms.open_time,
            creator_fee_on=terms.creator_fee_on, enable_creator_fee=terms.enable_creator_fee,
            protocol_fees=terms.protocol_fees, fund_fees=terms.fund_fees,
            creator_fees=terms.creator_fees,
        ),
        keys.config: cpmm_accounts.config_data(
            index=index, trade_fee_rate=terms.trade_rate, protocol_fee_rate=terms.protocol_rate,
            fund_fee_rate=terms.fund_rate, creator_fee_rate=terms.creator_rate,
        ),
        keys.observation: cpmm_accounts.observation_data(keys),
    }  # fmt: skip
    for address, data in owned.items():
        machine.svm.set_account(address, Account(10**10, data, cpmm_accounts.PROGRAM_ID))
    for i in (0, 1):
        mint, program = keys.mints[i], programs[i]
        machine.svm.set_account(mint, Account(10**10, mint_data(fees[i]), program))
        vault = token_account(mint, cpmm_accounts.AUTHORITY, terms.vaults[i], program)
        machine.svm.set_account(keys.vaults[i], vault)
        user = token_account(mint, machine.user.pubkey(), USER_BALANCE, program)
        machine.svm.set_account(accounts[i], user)
    return Pool(machine, keys, accounts)


def error_code(result: Any) -> int | None:
    """The custom code a transaction failed with, PANIC when its program stopped, None for success."""
    if not isinstance(result, FailedTransactionMetadata):
        return None
    error = result.err()
    return getattr(error.err, "code", PANIC) if hasattr(error, "err") else PANIC


def swap_event(logs: list[str]) -> tuple[bytes, tuple[Any, ...]]:
    """The pool's address and the fields of the one SwapEvent in these logs."""
    (line,) = [line for line in logs if line.startswith("Program data: ")]
    data = base64.b64decode(line.removeprefix("Program data: "))
    assert len(data) == 170 and data[:8] == hashlib.sha256(b"event:SwapEvent").digest()[:8]
    amounts = struct.unpack_from("<6Q?", data, 40)
    return data[8:40], (*amounts, *struct.unpack_from("<QQ?", data, 153))
