"""A new wallet on an embedded chain gets what it trades with: lamports, wrapped SOL, USDC, token accounts.

A throw-away key from the faucet pays for all of it, so that the wallet's own key stays with the signer. SOL is
wrapped for real (transfer and SyncNative); USDC comes from the simnet's mint, which only a simnet offers.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable
from typing import Any

from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from spl.token.constants import TOKEN_PROGRAM_ID, WRAPPED_SOL_MINT
from spl.token.instructions import (
    create_idempotent_associated_token_account,
    get_associated_token_address,
    sync_native,
)
from spl.token.models import SyncNativeParams

from sniperforge.rpc import RpcClient

LAMPORTS_PER_SOL = 1_000_000_000
USDC = Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
USDC_DECIMALS = 6
_ACCOUNTS_PER_TRANSACTION = 8


class FundingError(Exception):
    """The wallet could not be funded; the text says which step the chain refused."""


def fund(
    rpc: RpcClient,
    wallet: Pubkey,
    mints: Iterable[tuple[Pubkey, Pubkey]],
    *,
    sol: int,
    wrapped_sol: int,
    usdc: int,
    timeout_s: float,
    say: Callable[[str], None],
) -> Keypair:
    """Funds `wallet` and makes its token accounts, at commitment processed; returns the throw-away key, which has some
    SOL left.

    Args:
        mints: (mint, token program) of every token the wallet may come to hold.
        sol: SOL from the faucet, `wrapped_sol` of them wrapped.
        usdc: whole USDC.
        timeout_s: longest wait for each step.

    Raises:
        FundingError: a step was refused or not confirmed in time.
    """
    payer = Keypair()
    say(f"funding wallet {wallet} from the simnet's faucet: {sol - wrapped_sol} SOL, {wrapped_sol} WSOL, {usdc} USDC")
    _airdrop(rpc, payer.pubkey(), (wrapped_sol + 10) * LAMPORTS_PER_SOL, timeout_s)
    _airdrop(rpc, wallet, (sol - wrapped_sol) * LAMPORTS_PER_SOL, timeout_s)
    wrapped_account = get_associated_token_address(wallet, WRAPPED_SOL_MINT)
    instructions = [
        create_idempotent_associated_token_account(payer.pubkey(), wallet, mint, program)
        for mint, program in dict.fromkeys([(WRAPPED_SOL_MINT, TOKEN_PROGRAM_ID), *mints])
    ]
    for start in range(0, len(instructions), _ACCOUNTS_PER_TRANSACTION):
        _execute(rpc, payer, instructions[start : start + _ACCOUNTS_PER_TRANSACTION], timeout_s)
    if wrapped_sol:
        lamports = wrapped_sol * LAMPORTS_PER_SOL
        wrap = [
            transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=wrapped_account, lamports=lamports)),
            sync_native(SyncNativeParams(program_id=TOKEN_PROGRAM_ID, account=wrapped_account)),
        ]
        _execute(rpc, payer, wrap, timeout_s)
    if usdc and USDC in {mint for mint, _ in mints}:
        minted = rpc.call("simnetMintTo", str(USDC), str(wallet), usdc * 10**USDC_DECIMALS)["value"]
        if minted["signature"] is not None:
            _await(rpc, minted["signature"], "minting USDC", timeout_s)
    return payer


def _airdrop(rpc: RpcClient, address: Pubkey, lamports: int, timeout_s: float) -> None:
    signature = rpc.call("requestAirdrop", str(address), lamports)
    _await(rpc, signature, "airdrop", timeout_s)


def _execute(rpc: RpcClient, payer: Keypair, instructions: list[Instruction], timeout_s: float) -> None:
    latest = rpc.call("getLatestBlockhash", {"commitment": "processed"})["value"]["blockhash"]
    message = MessageV0.try_compile(payer.pubkey(), instructions, [], Hash.from_string(latest))
    transaction = VersionedTransaction(message, [payer])
    encoded = base64.b64encode(bytes(transaction)).decode()
    signature = rpc.call("sendTransaction", encoded, {"encoding": "base64", "skipPreflight": True, "maxRetries": 0})
    _await(rpc, signature, "preparing token accounts", timeout_s)


def _await(rpc: RpcClient, signature: str, what: str, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        status: dict[str, Any] | None = rpc.call("getSignatureStatuses", [signature])["value"][0]
        if status is not None:
            if status["err"] is not None:
                raise FundingError(f"{what}: transaction {signature} failed on the chain: {status['err']}")
            return  # processed is enough: a simnet has no forks
        time.sleep(0.005)
    raise FundingError(f"{what}: transaction {signature} was not confirmed within {timeout_s:.0f} s")
