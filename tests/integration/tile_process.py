"""One C tile in its own process, the test being all tiles around it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ipc._core import ffi
from ipc.link import Message
from ipc.topology import Topology
from ipc.views import Instance

REPO = Path(__file__).resolve().parents[2]
GROUP = Path(os.environ.get("SF_GROUP", REPO / "ipc" / "bin" / "sf-group"))
SECONDS = 30.0


class TileProcess:
    """A running tile: what it published so far, its counters, its standard error."""

    def __init__(self, name: str, tile: str, topology: Topology, state: Path, output: str) -> None:
        self.tile = tile
        self.messages: list[Message] = []
        self._stack = ExitStack()
        self.instance: Instance = topology.create(name)
        self._stack.callback(self.instance.remove)
        for other in self.instance.tiles:
            if other != tile:
                self.instance.map_writable(other)
        self._consumer = self._stack.enter_context(self.instance.link(output).consume("test"))
        self.log = state / f"{tile}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen([GROUP, self.instance.directory, "group"], stderr=log)
        self._cnc = self.instance.cnc(tile)

    def counter(self, name: str) -> int:
        """A counter or gauge."""
        return self._cnc.value(name)

    def read(self) -> list[Message]:
        """Takes what has been published; returns all of it."""
        self.messages += self._consumer.receive()
        self._consumer.flush()
        return self.messages

    def wait(self, condition: Callable[[], Any], what: str, *, fails: bool = False) -> Any:
        """The first true value of `condition`, messages being taken meanwhile; fails after the deadline."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            self.read()
            value = condition()
            if value:
                return value
            if self.process.poll() is not None and not fails:
                raise AssertionError(f"the tile ended: {self.log.read_text()}")
            time.sleep(0.001)
        counters = {name: value for name, value in (self._cnc.counters() | self._cnc.gauges()).items() if value}
        raise AssertionError(f"not within {SECONDS} s: {what}; {counters}; {self.log.read_text()}")

    def wait_count(self, name: str, at_least: int = 1) -> None:
        """Waits until a counter or gauge has a value."""
        self.wait(lambda: self.counter(name) >= at_least, f"{name} >= {at_least}")

    def of_kind(self, kind: int, layout: str, first: int = 0) -> list[Any]:
        """The payloads of a kind among the messages from `first` on, as C structs."""
        found = [message for message in self.messages[first:] if message.kind == kind]
        return [ffi.from_buffer(f"{layout} *", message.payload)[0] for message in found]

    def end(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._stack.close()


P = TypeVar("P", bound=TileProcess)


@contextmanager
def running(process: P) -> Iterator[P]:
    """The tile until the block ends, then an orderly halt that must succeed."""
    try:
        yield process
        assert process.end() == 0, process.log.read_text()
    finally:
        process.close()
