"""The faucet: the keypair that owns the chain's first SOL and the mint authority of the market's mints."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import TransferParams, transfer
from solders.token.associated import get_associated_token_address
from solders.transaction import VersionedTransaction

from sniperforge.simnet.accounts import mint_supply, token_account
from sniperforge.simnet.bank import Bank
from sniperforge.simnet.errors import invalid_params
from sniperforge.simnet.transactions import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, Decoded, decode

WRAPPED_SOL = Pubkey.from_string("So11111111111111111111111111111111111111112")
ASSOCIATED_PROGRAM = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
_NO_MINT_AUTHORITY = bytes(36)
_COMPUTE_UNITS = 100_000
_MAX_AMOUNT = 2**64 - 1


def derive_keypair(seed: int, name: str) -> Keypair:
    """The keypair called `name` on the chain with this seed: worth nothing anywhere else."""
    return Keypair.from_seed(hashlib.sha256(f"simnet {seed} {name}".encode()).digest())


def mint_data(*, decimals: int, supply: int, authority: Pubkey | None) -> bytes:
    """The 82 bytes of an SPL Token mint without freeze authority (spl-token state.rs)."""
    option = _NO_MINT_AUTHORITY if authority is None else (1).to_bytes(4, "little") + bytes(authority)
    return option + supply.to_bytes(8, "little") + bytes((decimals, 1)) + bytes(36)


def token_account_data(*, mint: Pubkey, owner: Pubkey, amount: int, rent: int | None) -> bytes:
    """The 165 bytes of an initialized SPL Token account; `rent` is the reserve of a wrapped-SOL account."""
    native = bytes(12) if rent is None else (1).to_bytes(4, "little") + rent.to_bytes(8, "little")
    state = bytes(36) + b"\1" + native + bytes(8) + bytes(36)
    return bytes(mint) + bytes(owner) + amount.to_bytes(8, "little") + state


def held_tokens(bank_rent: int, mint: Pubkey, owner: Pubkey, amount: int) -> Account:
    """A token account that holds `amount`; wrapped SOL holds it in lamports too."""
    native = mint == WRAPPED_SOL
    data = token_account_data(mint=mint, owner=owner, amount=amount, rent=bank_rent if native else None)
    return Account(bank_rent + (amount if native else 0), data, TOKEN_PROGRAM)


class Faucet:
    """Builds the transactions that hand out SOL and tokens."""

    def __init__(self, seed: int) -> None:
        self.keypair = derive_keypair(seed, "faucet")
        self.address = self.keypair.pubkey()
        self._sent = 0

    def airdrop(self, bank: Bank, recipient: Pubkey, lamports: int) -> Decoded:
        """A signed transfer of SOL."""
        return self._sign(bank, [self._transfer(recipient, lamports)])

    def mint_to(self, bank: Bank, mint: Pubkey, owner: Pubkey, amount: int) -> tuple[Pubkey, Decoded | None]:
        """`amount` of `mint` for the associated token account of `owner`, which is created if need be.

        Wrapped SOL is wrapped from the faucet's own SOL.  Returns the token account and the signed transaction, or
        None in its place when the faucet is not the mint's authority: then the balance is written directly.
        Raises RpcError when `mint` is not a mint, or one of Token-2022 of which the faucet is not the authority.
        """
        state = bank.account(mint, bank.chain.slot)
        supply = mint_supply(state)
        if state is None or supply is None:
            raise invalid_params("Invalid param: not an SPL Token mint")
        program = state.owner
        account = get_associated_token_address(owner, mint, program)
        create = self._create_associated(account, mint, owner, program)
        if mint == WRAPPED_SOL:
            sync = Instruction(TOKEN_PROGRAM, b"\x11", [AccountMeta(account, False, True)])
            return account, self._sign(bank, [create, self._transfer(account, amount), sync])
        if state.data[:36] == (1).to_bytes(4, "little") + bytes(self.address):
            if supply[0] + amount > _MAX_AMOUNT:
                raise invalid_params("Invalid param: the mint's supply would overflow")
            metas = [
                AccountMeta(mint, False, True),
                AccountMeta(account, False, True),
                AccountMeta(self.address, True, False),
            ]
            minting = Instruction(program, b"\x07" + amount.to_bytes(8, "little"), metas)
            return account, self._sign(bank, [create, minting])
        if program == TOKEN_2022_PROGRAM:
            raise invalid_params("Invalid param: a Token-2022 mint of which the faucet is not the authority")
        held = token_account(bank.account(account, bank.chain.slot))
        total = min(amount + (held.amount if held is not None else 0), _MAX_AMOUNT)
        rent = bank.svm.minimum_balance_for_rent_exemption(165)
        bank.inject([(account, held_tokens(rent, mint, owner, total))])
        return account, None

    def _transfer(self, recipient: Pubkey, lamports: int) -> Instruction:
        return transfer(TransferParams(from_pubkey=self.address, to_pubkey=recipient, lamports=lamports))

    def _create_associated(self, account: Pubkey, mint: Pubkey, owner: Pubkey, program: Pubkey) -> Instruction:
        metas = [
            AccountMeta(self.address, True, True),
            AccountMeta(account, False, True),
            AccountMeta(owner, False, False),
            AccountMeta(mint, False, False),
            AccountMeta(SYSTEM_PROGRAM, False, False),
            AccountMeta(program, False, False),
        ]
        return Instruction(ASSOCIATED_PROGRAM, b"\1", metas)

    def _sign(self, bank: Bank, instructions: Sequence[Instruction]) -> Decoded:
        self._sent += 1
        unique = set_compute_unit_limit(_COMPUTE_UNITS + self._sent % 100_000)
        blockhash, _ = bank.chain.latest_blockhash(bank.chain.slot)
        message = MessageV0.try_compile(self.address, [unique, *instructions], [], Hash.from_bytes(blockhash))
        return decode(bytes(VersionedTransaction(message, [self.keypair])))
