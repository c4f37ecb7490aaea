"""A trading bot in Python as a user would write it today, and the same bot tuned, as `bench bot` runs them.

    python -m bench.bot_plain plain|tuned memory COUNT
    python -m bench.bot_plain plain|tuned websocket URL CA

Both take an accountNotification of a constant-product pool, quote a swap of a fixed amount, and answer with a signed v0
transaction: compute limit, compute price, and a swap over the thirteen accounts of a Raydium CPMM pool. Neither looks
for an edge, checks a limit, or knows a second pool.

plain   orjson, base64, integers, solders: instructions, MessageV0.try_compile, VersionedTransaction; the asyncio loop
        and websockets' defaults
tuned   the message is compiled once and the least output patched into its bytes, which Keypair.sign_message signs;
        uvloop, bytes instead of text, no pings and no garbage collector

JSON lines on stdout: nanoseconds from the text (memory), or from the time the notification was intended for (websocket,
from `bench/c/websocket.c`), to the transaction's bytes.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import os
import sys
import time
from collections.abc import Iterator

import orjson
import uvloop
import websockets
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from bench.harness.hdr import Histogram

STAMP = 1_000_000_000_000_000_000
"""The node adds it to times."""
ACCOUNT_BYTES = 267
"""The notification has 653 bytes then."""
WARM_UP = 200
AMOUNT_IN, FEE, SCALE, SLIPPAGE_BPS = 1_000_000_000, 2_500, 1_000_000, 50
SWAP_BASE_INPUT = bytes([143, 190, 90, 218, 196, 30, 51, 222])
Key = Pubkey.from_string


def notification(lamports: int = STAMP) -> str:
    """The text that the node sends."""
    data = base64.b64encode(bytes(7 * i & 255 for i in range(ACCOUNT_BYTES))).decode()
    return (
        '{"jsonrpc":"2.0","method":"accountNotification","params":{"result":{"context":{"slot":345678901},"value":'
        f'{{"lamports":{lamports},"data":["{data}","base64"],"owner":"CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C",'
        f'"executable":false,"rentEpoch":18446744073709551615,"space":{ACCOUNT_BYTES}}}}},"subscription":2}}}}'
    )


class PlainBot:
    """Builds every transaction from its instructions."""

    def __init__(self) -> None:
        self.wallet = Keypair.from_seed(bytes(32))
        self.blockhash = Hash.default()
        self.program = Key("CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C")
        others = (Pubkey(bytes([i]) * 32) for i in range(1, 13))
        self.accounts = [
            AccountMeta(self.wallet.pubkey(), True, True),
            *(AccountMeta(key, False, i > 2) for i, key in enumerate(others)),
        ]

    def quote(self, text: str | bytes) -> int:
        """The least output of the swap at the pool that a notification is about."""
        value = orjson.loads(text)["params"]["result"]["value"]
        data = base64.b64decode(value["data"][0])
        reserve_in, reserve_out = int.from_bytes(data[8:16], "little"), int.from_bytes(data[16:24], "little")
        amount = AMOUNT_IN - (AMOUNT_IN * FEE + SCALE - 1) // SCALE
        out = reserve_out * amount // (reserve_in + amount)
        return out - out * SLIPPAGE_BPS // 10_000

    def on_message(self, text: str | bytes) -> bytes:
        """A signed transaction for a notification."""
        arguments = AMOUNT_IN.to_bytes(8, "little") + self.quote(text).to_bytes(8, "little")
        instructions = [
            set_compute_unit_limit(120_000),
            set_compute_unit_price(10_000),
            Instruction(self.program, SWAP_BASE_INPUT + arguments, self.accounts),
        ]
        message = MessageV0.try_compile(self.wallet.pubkey(), instructions, [], self.blockhash)
        return bytes(VersionedTransaction(message, [self.wallet]))


class TunedBot(PlainBot):
    """Patches one message."""

    def __init__(self) -> None:
        super().__init__()
        transaction = VersionedTransaction.from_bytes(super().on_message(notification()))
        self.message = bytearray(to_bytes_versioned(transaction.message))
        self.least_at = self.message.index(SWAP_BASE_INPUT) + 16

    def on_message(self, text: str | bytes) -> bytes:
        self.message[self.least_at : self.least_at + 8] = self.quote(text).to_bytes(8, "little")
        message = bytes(self.message)
        return b"\x01" + bytes(self.wallet.sign_message(message)) + message


BOTS = {"plain": PlainBot, "tuned": TunedBot}


def from_memory(bot: PlainBot, count: int) -> Iterator[int]:
    """Nanoseconds of each turn."""
    texts = [notification(STAMP + i) for i in range(256)]
    for i in range(WARM_UP + count):
        begin = time.perf_counter_ns()
        bot.on_message(texts[i % 256])
        if i >= WARM_UP:
            yield time.perf_counter_ns() - begin


async def from_websocket(bot: PlainBot, url: str) -> list[int]:
    """Nanoseconds from each intended time."""
    found, tuned = [], isinstance(bot, TunedBot)
    async with websockets.connect(url, ping_interval=None if tuned else 20) as socket:
        while True:
            text = await socket.recv(decode=False if tuned else None)
            bot.on_message(text)
            now, parameters = time.monotonic_ns(), orjson.loads(text)["params"]
            if parameters["subscription"] == 2:
                found.append(now - parameters["result"]["value"]["lamports"] + STAMP)
            elif parameters["subscription"] > 2:
                return found


def main(name: str, how: str, what: str, authority: str = "") -> None:
    """Runs one bot on the last core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    bot = BOTS[name]()
    if bot.on_message(notification()) != PlainBot().on_message(notification()):
        raise ValueError("the bots disagree")
    if name == "tuned":
        gc.disable()
    if how == "memory":
        nanoseconds = list(from_memory(bot, int(what)))
    else:
        nanoseconds = (uvloop.run if name == "tuned" else asyncio.run)(from_websocket(bot, what))
    buckets = sorted(Histogram.of(nanoseconds).counts.items())
    print(json.dumps({"what": "latency", "case": f"{name} {how}", "buckets": buckets}))


if __name__ == "__main__":
    main(*sys.argv[1:])
