"""A simnet inside the test's own process, stepped by hand: no sockets, no clock."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from sniperforge.simnet.config import DEFAULT_CONFIG, load
from sniperforge.simnet.server import Simnet
from tests.integration.simnet_process import RpcFailure

SOL = 1_000_000_000


class SteppedChain:
    """Begins at its first block; time passes only in `slots`."""

    def __init__(self, ledger: Path, overrides: dict[str, Any]) -> None:
        self.simnet = Simnet(load([DEFAULT_CONFIG], {"ledger": str(ledger), **overrides}))
        self.bank = self.simnet.bank
        self.bank.advance()

    def close(self) -> None:
        """Let the ledger go."""
        self.simnet.ledger.close()

    def slots(self, count: int) -> None:
        """Let slots pass."""
        for _ in range(count * self.simnet.config.ticks_per_slot):
            self.simnet.step()

    def call(self, method: str, *params: Any) -> Any:
        """The result of an RPC method.  Raises RpcFailure."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        text = self.simnet.dispatcher.handle(body.encode())
        assert text is not None
        answer = json.loads(text)
        if "error" in answer:
            raise RpcFailure(answer["error"])
        return answer["result"]

    def funded(self, lamports: int = 10 * SOL) -> Keypair:
        """A new wallet with SOL."""
        wallet = Keypair()
        self.call("requestAirdrop", str(wallet.pubkey()), lamports)
        self.bank.tick()
        return wallet

    def sign(
        self, wallet: Keypair, instructions: Sequence[Instruction], blockhash: Hash | None = None
    ) -> VersionedTransaction:
        """A v0 transaction paid and signed by `wallet`."""
        if blockhash is None:
            latest, _ = self.bank.chain.latest_blockhash(self.bank.chain.slot)
            blockhash = Hash.from_bytes(latest)
        return VersionedTransaction(MessageV0.try_compile(wallet.pubkey(), instructions, [], blockhash), [wallet])

    def send(self, transaction: VersionedTransaction, **options: Any) -> str:
        """Send without preflight (unless the options say otherwise); returns the signature."""
        text = base64.b64encode(bytes(transaction)).decode()
        return str(self.call("sendTransaction", text, {"encoding": "base64", "skipPreflight": True, **options}))

    def status(self, signature: str) -> Any:
        """The status of a signature, or None."""
        return self.call("getSignatureStatuses", [signature])["value"][0]

    def balance(self, key: Pubkey, commitment: str = "processed") -> int:
        """Lamports at a commitment."""
        return int(self.call("getBalance", str(key), {"commitment": commitment})["value"])


def pay(source: Keypair, target: Pubkey, lamports: int) -> Instruction:
    """A transfer of SOL."""
    return transfer(TransferParams(from_pubkey=source.pubkey(), to_pubkey=target, lamports=lamports))


@contextmanager
def stepped(ledger: Path, **overrides: Any) -> Iterator[SteppedChain]:
    """A stepped chain without a market unless the overrides ask for one."""
    chain = SteppedChain(ledger, {"market": {"enabled": False}, **overrides})
    try:
        yield chain
    finally:
        chain.close()
