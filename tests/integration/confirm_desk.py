"""The confirm tile between a real simnet and a test that is all the tiles around it."""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from solders.compute_budget import set_compute_unit_price
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from spl.token.instructions import get_associated_token_address

from ipc._core import lib
from ipc.layout import dtype
from ipc.tile import run
from ipc.topology import Topology
from ipc.views import Instance, now_ns
from sniperforge.records import Record
from sniperforge.rpc import RpcClient
from sniperforge.simnet.cpmm_accounts import PoolKeys, read_pool, swap_base_input_instruction
from sniperforge.tiles.confirm import Confirm
from tests.graphs import created

WSOL = Pubkey.from_string("So11111111111111111111111111111111111111112")
USDC = Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
LAMPORTS = 0xFFFFFFFF
ORDER, WIRE, REFUSED, SENT = (Record(f"sf_{name}_t") for name in ("order", "wire", "refused", "sent"))
FILL, BALANCE = Record("sf_fill_t"), Record("sf_balance_t")


def topology(state_dir: Path, params: dict[str, object], tokens: int = 64) -> Topology:
    """risk, build, sign, send --> confirm --fill--> desk; book has the tokens."""
    graph = Topology(state_dir=state_dir)
    graph.group("python", python=True)
    for name in ("book", "risk", "build", "sign", "send", "desk"):
        graph.tile(name, kind="test", group=None)
    graph.tile("confirm", kind="confirm", group="python", params=params, burst=64)
    graph.link("order", producer="risk", depth=256, slot_bytes=320)
    graph.link("refused", producer="build", depth=64, slot_bytes=64)
    graph.link("wire", producer="sign", depth=64, slot_bytes=1344)
    graph.link("sent", producer="send", depth=64, slot_bytes=128)
    graph.link("fill", producer="confirm", depth=1024, slot_bytes=256)
    for link in ("order", "refused", "wire", "sent"):
        graph.edge(link, consumer="confirm")
    graph.edge("fill", consumer="desk")
    graph.table("tokens", writer="book", layout="sf_token_row_t", rows=tokens)
    graph.table("chain", writer="confirm", layout="sf_chain_row_t", rows=1)
    graph.validate()
    return graph


class Desk:
    """Publishes what risk, build, sign and send would; keeps what confirm says."""

    def __init__(self, instance: Instance, ends: contextlib.ExitStack) -> None:
        self.instance = instance
        self.ends = {
            link: ends.enter_context(instance.link(link).produce()) for link in ("order", "refused", "wire", "sent")
        }
        self.reader = ends.enter_context(instance.link("fill").consume("desk"))
        self.fills: list[dict[str, Any]] = []
        self.balances: dict[int, dict[str, Any]] = {}
        self.balance_count = 0
        self.tile = Confirm(instance, "confirm")
        self.thread = threading.Thread(target=run, args=([self.tile],), daemon=True)

    @property
    def cnc(self) -> Any:
        """The tile's page."""
        return self.instance.cnc("confirm")

    @property
    def chain(self) -> Any:
        """The row that the tile writes."""
        return self.instance.table("chain").read(0)

    def start(self) -> None:
        """Starts the tile in a thread."""
        self.thread.start()
        self.until(lambda: self.cnc.state == "run", "the tile runs")

    def stop(self) -> None:
        """Halts the tile."""
        self.tile.halt()
        self.thread.join(30)
        assert not self.thread.is_alive()

    def receive(self) -> None:
        """Takes what confirm has published."""
        for message in self.reader.receive():
            if message.kind == lib.SF_MSG_FILL:
                values = FILL.named(message.payload)
                assert message.tag == values["bot"]
                self.fills.append(values | {"t_origin": message.t_origin})
            else:
                assert message.kind == lib.SF_MSG_BALANCE
                values = BALANCE.named(message.payload)
                self.balances[values["token"]] = values
                self.balance_count += 1
        self.reader.flush()

    def until(self, reached: Callable[[], Any], what: str, seconds: float = 30.0) -> None:
        """Waits for a state, or fails."""
        deadline = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}; {self.cnc.values()}"
            assert self.cnc.state != "fail", self.cnc.error
            time.sleep(0.002)
            self.receive()

    def fill_of(self, order: int, seconds: float = 30.0) -> dict[str, Any]:
        """The one fill of an order."""
        self.until(lambda: any(fill["order"] == order for fill in self.fills), f"a fill of order {order}", seconds)
        (found,) = [fill for fill in self.fills if fill["order"] == order]
        return found

    def tokens(self, mints: Sequence[Pubkey]) -> None:
        """Writes the next rows of the tokens table."""
        table = self.instance.table("tokens")
        for number, mint in enumerate(mints, table.used):
            row = np.zeros(1, dtype("sf_token_row_t"))
            row["mint"], row["decimals"] = np.frombuffer(bytes(mint), np.uint8), 9
            table.write(number, row)

    def order(self, number: int, *, token_in: int = 0, token_out: int = 0, amount_in: int = 0, **about: int) -> None:
        """An order passes risk."""
        cycle = token_in == token_out
        intent = {"intent": number & 0xFFFF, "bot": 1, "kind": lib.SF_INTENT_CYCLE if cycle else lib.SF_INTENT_SWAP}
        intent |= {"token_in": token_in, "token_out": token_out, "amount_in": amount_in} | about
        values = {f"intent.{name}": value for name, value in intent.items()}
        self.ends["order"].send(lib.SF_MSG_ORDER, ORDER.build({"order": number} | values), tag=1, t_origin=now_ns())

    def wire(self, number: int, transaction: VersionedTransaction, last_valid_block_height: int) -> None:
        """A signed transaction is on its way to send."""
        tx = bytes(transaction)
        about = {"order": number, "last_valid_block_height": last_valid_block_height, "tx_len": len(tx)}
        about |= {"message_off": 1 + 64 * len(transaction.signatures), "bot": 1}
        payload = WIRE.build({**about, "tx": tx.ljust(1232, b"\0")})
        self.ends["wire"].send(lib.SF_MSG_WIRE, payload[: 80 + len(tx)], tag=1)

    def sent(self, number: int) -> None:
        """It has left."""
        self.ends["sent"].send(lib.SF_MSG_SENT, SENT.build({"order": number, "bot": 1, "lane": lib.SF_LANE_RPC}))

    def refused(self, number: int, link: str = "refused") -> None:
        """It certainly has not."""
        payload = REFUSED.build({"order": number, "bot": 1, "reason": lib.SF_REFUSE_KILLED})
        self.ends[link].send(lib.SF_MSG_REFUSED, payload)


@contextlib.contextmanager
def desk(name: str, state_dir: Path, rpc_url: str, wallet: str, **params: object) -> Iterator[Desk]:
    """A confirm tile on a node, not yet started; halted and removed at the end."""
    about: dict[str, object] = {"rpc_url": rpc_url, "wallet": wallet, "poll_ms": 10, "timeout_ms": 20_000}
    about |= {"commitment": "confirmed", "ca_path": "", "simulated": True}
    about |= {"open_orders_path": state_dir / "open_orders.json"} | params
    with contextlib.ExitStack() as stack:
        instance = stack.enter_context(created(topology(state_dir, about), name))
        found = Desk(instance, stack.enter_context(contextlib.ExitStack()))
        try:
            yield found
        finally:
            if found.thread.is_alive():
                found.stop()
            else:
                found.tile.close()


class Trader:
    """A wallet on a chain: signs, sends, and asks what it holds."""

    def __init__(self, rpc_url: str) -> None:
        self.keypair = Keypair()
        self.rpc = RpcClient(rpc_url, timeout_ms=20_000)

    @property
    def address(self) -> str:
        """The wallet."""
        return str(self.keypair.pubkey())

    def sign(
        self, instructions: Sequence[Instruction], price: int, *others: Keypair
    ) -> tuple[VersionedTransaction, int]:
        """A transaction of the wallet, and the last block height at which it can land.

        `price` (micro-lamports per unit) makes equal instructions different transactions.
        """
        latest = self.rpc.call("getLatestBlockhash", {"commitment": "confirmed"})["value"]
        blockhash = Hash.from_string(latest["blockhash"])
        whole = [set_compute_unit_price(price), *instructions]
        message = MessageV0.try_compile(self.keypair.pubkey(), whole, [], blockhash)
        return VersionedTransaction(message, [self.keypair, *others]), latest["lastValidBlockHeight"]

    def send(self, transaction: VersionedTransaction) -> None:
        """Sends it as the engine does."""
        text = base64.b64encode(bytes(transaction)).decode()
        self.rpc.call("sendTransaction", text, {"encoding": "base64", "skipPreflight": True, "maxRetries": 0})

    def holdings(self, mints: Sequence[Pubkey], commitment: str) -> dict[int, int]:
        """What the chain says the wallet has, by token number; LAMPORTS for lamports."""
        options = {"commitment": commitment}
        found = {LAMPORTS: int(self.rpc.call("getBalance", self.address, options)["value"])}
        for number, mint in enumerate(mints):
            account = str(get_associated_token_address(self.keypair.pubkey(), mint))
            info = self.rpc.call("getAccountInfo", account, options | {"encoding": "base64"})["value"]
            data = base64.b64decode(info["data"][0]) if info else bytes(72)
            found[number] = int.from_bytes(data[64:72], "little")
        return found

    def pools(self) -> list[PoolKeys]:
        """The market's pools."""
        found = []
        for pool in self.rpc.call("simnetMarket")["pools"]:
            info = self.rpc.call("getAccountInfo", pool["address"], {"encoding": "base64"})["value"]
            found.append(read_pool(Pubkey.from_string(pool["address"]), base64.b64decode(info["data"][0])))
        return found

    def swap(self, pool: PoolKeys, mint_in: Pubkey, amount: int, minimum: int = 1) -> Instruction:
        """Sells an amount on a pool."""
        mint_out = pool.mints[1 - pool.mints.index(mint_in)]
        return swap_base_input_instruction(
            pool,
            payer=self.keypair.pubkey(),
            input_mint=mint_in,
            input_account=get_associated_token_address(self.keypair.pubkey(), mint_in),
            output_account=get_associated_token_address(self.keypair.pubkey(), mint_out),
            amount_in=amount,
            minimum_amount_out=minimum,
        )
