"""solana-py, unmodified, against a simnet: wallet, airdrop, mint, token accounts, transfer, subscriptions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.core import RPCException
from solana.rpc.models import TokenAccountOpts, TxOpts
from solana.rpc.websocket_api import SolanaWsClient
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rpc.config import RpcTransactionLogsFilterMentions
from solders.signature import Signature
from solders.system_program import CreateAccountParams, TransferParams, create_account, transfer
from solders.token.associated import get_associated_token_address
from solders.transaction import VersionedTransaction

from tests.integration.simnet_process import SimnetProcess, simnet

TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
SOL = 1_000_000_000


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimnetProcess]:
    flags = ("--speed", "4", "--pools", "4", "--mints", "4", "--set", 'market.venues=["raydium_cpmm"]')
    with simnet(tmp_path_factory.mktemp("simnet"), *flags) as process:
        yield process


class Wallet:
    """A keypair and the client it sends through."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.keypair = Keypair()
        self.address = self.keypair.pubkey()

    async def send(self, *instructions: Instruction, signers: tuple[Keypair, ...] = ()) -> Signature:
        """Send and wait until it is confirmed without an error."""
        blockhash = (await self.client.get_latest_blockhash(Confirmed)).value
        message = MessageV0.try_compile(self.address, list(instructions), [], blockhash.blockhash)
        transaction = VersionedTransaction(message, [self.keypair, *signers])
        options = TxOpts(preflight_commitment=Confirmed)
        signature = (await self.client.send_transaction(transaction, options)).value
        last_valid = blockhash.last_valid_block_height
        status = await self.client.confirm_transaction(signature, Confirmed, 0.05, last_valid)
        assert status.value[0] is not None and status.value[0].err is None
        return signature

    async def fund(self, lamports: int) -> Signature:
        """An airdrop, confirmed."""
        signature = (await self.client.request_airdrop(self.address, lamports, Confirmed)).value
        await self.client.confirm_transaction(signature, Confirmed, 0.05)
        return signature


def initialize_mint(mint: Pubkey, authority: Pubkey, decimals: int) -> Instruction:
    data = b"\x14" + bytes([decimals]) + bytes(authority) + b"\0"
    return Instruction(TOKEN, data, [AccountMeta(mint, False, True)])


def create_associated(payer: Pubkey, owner: Pubkey, mint: Pubkey) -> Instruction:
    keys = [(payer, True, True), (get_associated_token_address(owner, mint), False, True), (owner, False, False)]
    keys += [(mint, False, False), (Pubkey.default(), False, False), (TOKEN, False, False)]
    return Instruction(ASSOCIATED, b"\0", [AccountMeta(*key) for key in keys])


def mint_to(mint: Pubkey, account: Pubkey, authority: Pubkey, amount: int) -> Instruction:
    metas = [AccountMeta(mint, False, True), AccountMeta(account, False, True), AccountMeta(authority, True, False)]
    return Instruction(TOKEN, b"\x07" + amount.to_bytes(8, "little"), metas)


def transfer_tokens(source: Pubkey, target: Pubkey, owner: Pubkey, amount: int) -> Instruction:
    metas = [AccountMeta(source, False, True), AccountMeta(target, False, True), AccountMeta(owner, True, False)]
    return Instruction(TOKEN, b"\x03" + amount.to_bytes(8, "little"), metas)


def test_wallet_mint_transfer_and_subscriptions(chain: SimnetProcess) -> None:
    asyncio.run(_wallet_mint_transfer_and_subscriptions(chain))


async def _next(client: SolanaWsClient, subscription: int) -> Any:
    async with asyncio.timeout(30):
        while True:
            notification = await client.recv()
            if notification.subscription == subscription:
                return notification.result


async def _wallet_mint_transfer_and_subscriptions(chain: SimnetProcess) -> None:
    async with AsyncClient(chain.rpc_url) as client, SolanaWsClient(chain.websocket_url) as socket:
        alice, bob = Wallet(client), Wallet(client)
        watch = await socket.account_subscribe(pubkey=alice.address, commitment=Processed, encoding="base64")
        airdrop = await alice.fund(10 * SOL)
        assert (await client.get_balance(alice.address, Confirmed)).value == 10 * SOL
        assert (await _next(socket, watch.subscription_id)).value.lamports == 10 * SOL

        mint = Keypair()
        rent = (await client.get_minimum_balance_for_rent_exemption(82)).value
        make = CreateAccountParams(
            from_pubkey=alice.address, to_pubkey=mint.pubkey(), lamports=rent, space=82, owner=TOKEN
        )
        initialize = initialize_mint(mint.pubkey(), alice.address, 6)
        await alice.send(create_account(make), initialize, signers=(mint,))
        logs = await socket.logs_subscribe(
            filter_=RpcTransactionLogsFilterMentions(mint.pubkey()), commitment=Confirmed
        )
        slots = await socket.slot_subscribe()

        held = [get_associated_token_address(wallet.address, mint.pubkey()) for wallet in (alice, bob)]
        await alice.send(
            create_associated(alice.address, alice.address, mint.pubkey()),
            create_associated(alice.address, bob.address, mint.pubkey()),
            mint_to(mint.pubkey(), held[0], alice.address, 1_000_000),
        )
        assert f"Program {ASSOCIATED} success" in (await _next(socket, logs.subscription_id)).value.logs
        assert (await _next(socket, slots.subscription_id)).slot > 0

        tokens = await socket.account_subscribe(pubkey=held[1], commitment=Confirmed, encoding="jsonParsed")
        moved = await alice.send(
            transfer_tokens(held[0], held[1], alice.address, 250_000),
            transfer(TransferParams(from_pubkey=alice.address, to_pubkey=bob.address, lamports=SOL)),
        )
        seen = await _next(socket, tokens.subscription_id)
        assert seen.value.data.parsed["info"]["tokenAmount"]["amount"] == "250000"
        signature = await socket.signature_subscribe(signature=moved, commitment=Confirmed)
        assert (await _next(socket, signature.subscription_id)).value.err is None

        assert (await client.get_token_account_balance(held[1], Confirmed)).value.ui_amount_string == "0.25"
        assert (await client.get_token_supply(mint.pubkey(), Confirmed)).value.amount == "1000000"
        owned = await client.get_token_accounts_by_owner(bob.address, TokenAccountOpts(mint=mint.pubkey()), Confirmed)
        assert [each.pubkey for each in owned.value] == [held[1]]
        parsed = await client.get_account_info_json_parsed(held[0], Confirmed)
        assert parsed.value is not None and parsed.value.data.program == "spl-token"
        many = await client.get_multiple_accounts([held[0], held[1], Pubkey.default()], Confirmed)
        assert [each is not None for each in many.value] == [True, True, True]

        for encoding in ("json", "jsonParsed", "base64", "base58"):
            shown = (await client.get_transaction(moved, encoding, Confirmed, 0)).value
            assert shown is not None and shown.transaction.meta is not None
            meta = shown.transaction.meta
            assert meta.err is None and meta.fee == 5000 and meta.compute_units_consumed
            amounts = [balance.ui_token_amount.amount for balance in meta.post_token_balances or []]
            assert sorted(amounts) == ["250000", "750000"]
            assert max(b - a for a, b in zip(meta.pre_balances, meta.post_balances, strict=True)) == SOL
        history = await client.get_signatures_for_address(alice.address, commitment=Confirmed)
        assert history.value[0].signature == moved and history.value[-1].signature == airdrop
        statuses = await client.get_signature_statuses([moved, Signature.default()])
        assert statuses.value[0] is not None and statuses.value[1] is None
        block = await client.get_block(
            statuses.value[0].slot, max_supported_transaction_version=0, commitment=Confirmed
        )
        assert block.value is not None and block.value.block_height is not None


def test_reads_and_errors(chain: SimnetProcess) -> None:
    asyncio.run(_reads_and_errors(chain))


async def _reads_and_errors(chain: SimnetProcess) -> None:
    async with AsyncClient(chain.rpc_url) as client:
        assert str((await client.get_genesis_hash()).value) == chain.endpoints["genesis_hash"]
        assert str((await client.get_identity()).value.identity) == chain.endpoints["identity"]
        assert (await client.get_version()).value.solana_core
        epoch = (await client.get_epoch_info(Processed)).value
        assert epoch.absolute_slot >= epoch.block_height
        assert (await client.get_slot(Processed)).value >= (await client.get_slot(Finalized)).value
        assert (await client.get_first_available_block()).value >= 0
        assert (await client.get_supply()).value.total > 0
        assert (await client.get_recent_prioritization_fees()).value
        config = Pubkey.from_string(chain.endpoints["market"]["pools"][0]["config"])
        program = (await client.get_account_info(config, Processed)).value
        assert program is not None
        pools = await client.get_program_accounts(program.owner, Processed, "base64", filters=[637])
        assert len(pools.value) == 4

        poor = Wallet(client)
        await poor.fund(SOL)
        with pytest.raises(RPCException) as failure:
            await poor.send(
                transfer(TransferParams(from_pubkey=poor.address, to_pubkey=Keypair().pubkey(), lamports=2 * SOL))
            )
        assert "custom program error: 0x1" in str(failure.value)
        blockhash = (await client.get_latest_blockhash(Confirmed)).value.blockhash
        pay = transfer(TransferParams(from_pubkey=poor.address, to_pubkey=Keypair().pubkey(), lamports=SOL // 2))
        message = MessageV0.try_compile(poor.address, [pay], [], blockhash)
        assert (await client.get_fee_for_message(message, Confirmed)).value == 5000
        transaction = VersionedTransaction(message, [poor.keypair])
        outcome = (await client.simulate_transaction(transaction, True, Confirmed)).value
        assert outcome.err is None and outcome.units_consumed == 150
        stale = VersionedTransaction(
            MessageV0.try_compile(poor.address, [pay], [], blockhash.new_unique()), [poor.keypair]
        )
        with pytest.raises(RPCException, match="Blockhash not found"):
            await client.send_transaction(stale, TxOpts(preflight_commitment=Confirmed))


def test_stops_cleanly(tmp_path: Path) -> None:
    with simnet(tmp_path, "--no-market") as process:
        assert process.stop() == 0
