"""Addresses of pools that have just been made or moved, from `programSubscribe`."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Collection, Iterable
from typing import Any

from solders.pubkey import Pubkey
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from sniperforge.discovery.anatomy import VENUES, Venue

_RETRY_S = (1.0, 30.0)
_CLOSE_S = 0.2  # what a node may take to say good-bye: a restart waits for it
_WAIT_S = 0.5
_MOST = 100_000


class Arrivals:
    """Follows the programs of some venues in a thread of its own, without account data.

    Every change of a pool is notified; only addresses not heard of before are kept, until `take`. What happens while
    there is no connection is missed: after each new one `connected` counts up, and the caller lists the pools anew.

    Args:
        url: ws or wss URL of the node.
        venues: names in `VENUES`.
        known: pools that are no news.
        ca_path: file with the certificates to trust for wss; empty = the system's.
    """

    def __init__(self, url: str, *, venues: Collection[str], known: Iterable[Pubkey] = (), ca_path: str = "") -> None:
        self.connected = 0
        self._url = url
        self._venues = [VENUES[name] for name in VENUES if name in venues]
        self._tls = ssl.create_default_context(cafile=ca_path or None) if url.startswith("wss:") else None
        self._known = {str(address) for address in known}
        self._new: list[str] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="arrivals", daemon=True)
        self._thread.start()

    def take(self, most: int) -> list[Pubkey]:
        """Up to `most` addresses not taken before, the oldest first."""
        with self._lock:
            taken, self._new = self._new[:most], self._new[most:]
        return [Pubkey.from_string(address) for address in taken]

    def forget(self, address: Pubkey) -> None:
        """Lets `address` be news again when it moves next."""
        with self._lock:
            self._known.discard(str(address))

    def close(self) -> None:
        """Ends the thread; one that is just connecting ends by itself a little later."""
        self._stop.set()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        pause, longest = _RETRY_S
        while not self._stop.is_set():
            begun = time.monotonic()
            with (
                contextlib.suppress(OSError, WebSocketException, ValueError, KeyError, TypeError),
                connect(self._url, ssl=self._tls, max_size=None, close_timeout=_CLOSE_S) as socket,
            ):
                self._follow(socket)
            pause = _RETRY_S[0] if time.monotonic() - begun > longest else min(2 * pause, longest)
            self._stop.wait(pause)

    def _follow(self, socket: ClientConnection) -> None:
        for number, venue in enumerate(self._venues):
            socket.send(json.dumps(_subscription(number, venue)))
        waiting = len(self._venues)
        while not self._stop.is_set():
            try:
                message: dict[str, Any] = json.loads(socket.recv(timeout=_WAIT_S))
            except TimeoutError:
                continue
            if "id" in message:  # a refusal too: another venue may still be followed
                waiting -= 1
                self.connected += not waiting
            else:
                self._heard(message["params"]["result"]["value"]["pubkey"])

    def _heard(self, address: str) -> None:
        with self._lock:
            if address not in self._known and len(self._new) < _MOST:
                self._known.add(address)
                self._new.append(address)


def _subscription(number: int, venue: Venue) -> dict[str, Any]:
    options = {
        "encoding": "base64",
        "commitment": "confirmed",
        "filters": list(venue.filters),
        "dataSlice": {"offset": 0, "length": 0},
    }
    return {"jsonrpc": "2.0", "id": number, "method": "programSubscribe", "params": [str(venue.program), options]}
