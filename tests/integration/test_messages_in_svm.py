"""Messages as build compiles them, executed by the real runtime: protection, creation of accounts, lookup tables."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import MessageV0, from_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata
from spl.token.constants import TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID
from spl.token.instructions import get_associated_token_address

from sniperforge.config import load
from tests.unit.solana_codec import Codec

ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
COMPUTE_BUDGET = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
LOOKUP_PROGRAM = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Codec]:
    with Codec.build(tmp_path_factory.mktemp("codec")) as codec:
        yield codec


class Chain:
    """A runtime with a wallet, mints and a lookup table."""

    def __init__(self, codec: Codec, path: Path) -> None:
        self.codec, self.path, self.svm, self.wallet = codec, path, LiteSVM(), Keypair()
        self.svm.airdrop(self.wallet.pubkey(), 10**10)

    def mint(self, program: Pubkey) -> Pubkey:
        key = Keypair().pubkey()
        data = struct.pack("<I32sQBBI32s", 1, bytes(self.wallet.pubkey()), 10**6, 6, 1, 0, bytes(32))
        self.svm.set_account(key, Account(1_461_600, data, program))
        return key

    def table(self, addresses: Sequence[Pubkey]) -> Pubkey:
        """A lookup table that holds these, on the chain and in the codec's file."""
        key = Keypair().pubkey()
        head = struct.pack("<IQQBB32sH", 1, 2**64 - 1, 0, 0, 0, bytes(32), 0)
        data = head + b"".join(map(bytes, addresses))
        self.svm.set_account(key, Account(10**8, data, LOOKUP_PROGRAM))
        self.path.write_text(json.dumps({str(key): [str(address) for address in addresses]}))
        return key

    def run(self, instructions: Sequence[Instruction], *, static: int, lookups: int) -> TransactionMetadata:
        words: list[bytes | str] = []
        for one in instructions:
            words += [bytes(one.program_id), one.data]
            words += [bytes(a.pubkey) + bytes([a.is_signer, a.is_writable]) for a in one.accounts]
            words.append(";")
        self.codec.ask("tables", str(self.path), static)
        blockhash = bytes(self.svm.latest_blockhash())
        raw = bytes.fromhex(self.codec.ask("compile", 0, bytes(self.wallet.pubkey()), blockhash, *words))
        message = from_bytes_versioned(raw)
        assert isinstance(message, MessageV0) and len(message.address_table_lookups) == lookups
        done = self.svm.send_transaction(VersionedTransaction(message, [self.wallet]))
        assert isinstance(done, TransactionMetadata), done
        return done


@pytest.fixture
def chain(codec: Codec, tmp_path: Path) -> Chain:
    return Chain(codec, tmp_path / "tables.json")


def limit(units: int, protect: str = "") -> Instruction:
    accounts = [AccountMeta(Pubkey.from_string(protect), False, False)] if protect else []
    return Instruction(COMPUTE_BUDGET, struct.pack("<BI", 2, units), accounts)


def create(wallet: Pubkey, mint: Pubkey, program: Pubkey) -> Instruction:
    account = get_associated_token_address(wallet, mint, program)
    metas = [AccountMeta(wallet, True, True), AccountMeta(account, False, True), AccountMeta(wallet, False, False)]
    metas += [AccountMeta(key, False, False) for key in (mint, SYSTEM, program)]
    return Instruction(ASSOCIATED, b"\x01", metas)


def test_a_protected_order_passes_and_costs_no_more(chain: Chain) -> None:
    protect = load().build.protect_account
    assert protect.startswith("jitodontfront")
    chain.table([])
    pay = transfer(TransferParams(from_pubkey=chain.wallet.pubkey(), to_pubkey=Keypair().pubkey(), lamports=10**6))
    bare = chain.run([limit(5000), pay], static=1, lookups=0)
    protected = chain.run([limit(5001, protect), pay], static=1, lookups=0)
    assert protected.compute_units_consumed() == bare.compute_units_consumed()


def test_accounts_are_created_once_over_a_lookup_table(chain: Chain) -> None:
    wallet = chain.wallet.pubkey()
    mints = {chain.mint(TOKEN_PROGRAM_ID): TOKEN_PROGRAM_ID, chain.mint(TOKEN_2022_PROGRAM_ID): TOKEN_2022_PROGRAM_ID}
    accounts = [get_associated_token_address(wallet, mint, program) for mint, program in mints.items()]
    chain.table([*mints, *accounts, TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID, SYSTEM, ASSOCIATED, COMPUTE_BUDGET])
    orders = [limit(100_000), *(create(wallet, mint, program) for mint, program in mints.items())]
    first = chain.run(orders, static=1, lookups=1)
    for account, program in zip(accounts, mints.values(), strict=True):
        made = chain.svm.get_account(account)
        assert made is not None and made.owner == program
    again = chain.run([limit(100_001), *orders[1:]], static=1, lookups=1)
    # what trade/cost.h counts for one account
    assert again.compute_units_consumed() < first.compute_units_consumed() < 2 * 40_000
