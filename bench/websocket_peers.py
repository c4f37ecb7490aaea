"""WebSocket clients of Python, as `bench websocket` runs them.

    python -m bench.websocket_peers picows|websockets|aiohttp URL CA

Each runs on uvloop on the last core, without compression, pings, limits of size or the garbage collector, asks for
bytes rather than text, and does with a notification what ours does: JSON (orjson), owner and account bytes (base64).
The notifications are those of `bench/c/websocket.c`, whose head says what their numbers mean. JSON lines on stdout.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import ssl
import sys
import time
from binascii import a2b_base64
from collections.abc import Awaitable, Callable

import orjson
import uvloop

from bench.harness.hdr import Histogram

STAMP = 1_000_000_000_000_000_000


class Taken:
    """What a client has received."""

    def __init__(self) -> None:
        self.latencies: list[int] = []
        self.stream, self.first, self.last = 0, 0, 0
        self.owner = b""

    def take(self, text: bytes | bytearray | memoryview | str) -> bool:
        """Takes a notification; True if it was the last."""
        parameters = orjson.loads(text)["params"]
        value = parameters["result"]["value"]
        if len(a2b_base64(value["data"][0])) != value["space"]:
            raise ValueError("not the account's bytes")
        self.owner = value["owner"]
        now, what = time.monotonic_ns(), parameters["subscription"]
        if what == 2:
            self.latencies.append(now - value["lamports"] + STAMP)
        elif what > 2:
            self.first = self.first or now
            self.last = now
            self.stream += 1
        return bool(what == 4)


async def picows_client(url: str, context: ssl.SSLContext | None, taken: Taken) -> None:
    """https://github.com/tarasko/picows: a callback for each frame, its bytes in place."""
    import picows

    done = asyncio.get_running_loop().create_future()

    class Listener(picows.WSListener):
        def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
            if frame.msg_type == picows.WSMsgType.TEXT and taken.take(frame.get_payload_as_memoryview()):
                done.set_result(None)

    transport, _ = await picows.ws_connect(Listener, url, ssl_context=context)
    await done
    transport.disconnect()


async def websockets_client(url: str, context: ssl.SSLContext | None, taken: Taken) -> None:
    """https://websockets.readthedocs.io: its asyncio client."""
    import websockets

    limits = {"compression": None, "max_size": None, "ping_interval": None}
    async with websockets.connect(url, ssl=context, **limits) as socket:  # type: ignore[arg-type]
        while not taken.take(await socket.recv(decode=False)):
            pass


async def aiohttp_client(url: str, context: ssl.SSLContext | None, taken: Taken) -> None:
    """https://docs.aiohttp.org: its WebSocket client."""
    import aiohttp

    session = aiohttp.ClientSession()
    async with session, session.ws_connect(url, ssl=context or True, max_msg_size=0, decode_text=False) as socket:
        async for message in socket:
            if taken.take(message.data):
                return


CLIENTS: dict[str, Callable[[str, ssl.SSLContext | None, Taken], Awaitable[None]]] = {
    "picows": picows_client,
    "websockets": websockets_client,
    "aiohttp": aiohttp_client,
}


def main(name: str, url: str, authority: str) -> None:
    """Runs one client until the server's last notification."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    context = ssl.create_default_context(cafile=authority) if authority else None
    taken = Taken()
    gc.disable()

    async def run() -> None:
        await CLIENTS[name](url, context, taken)

    uvloop.run(run())
    latencies = Histogram.of(taken.latencies)
    print(json.dumps({"what": "latency", "buckets": sorted(latencies.counts.items())}))
    print(json.dumps({"what": "stream", "per_second": (taken.stream - 1) * 1e9 / (taken.last - taken.first)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
