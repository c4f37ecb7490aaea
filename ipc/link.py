"""A link as Python sees it: its figures, and reading and publishing for tests, tools and monitors.

Tiles do not use this: they have their links from the runner (`ipc.tile`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ipc._core import ffi, lib
from ipc.errors import CoreError, attached, check, text

if TYPE_CHECKING:
    from ipc.views import Instance

_HEADER_BYTES = ffi.sizeof("sf_message_t")
_KIND_AT = ffi.offsetof("sf_message_t", "kind")


class Message(NamedTuple):
    """One message, copied out of its slot."""

    seq: int
    kind: int
    """SF_MSG_*."""
    tag: int
    t_origin: int
    """Engine clock ns: when the outside bytes that caused this came in; 0 if nothing outside did."""
    t_pub: int
    """Engine clock ns: when it was published."""
    payload: bytes


@dataclass(frozen=True)
class Edge:
    """The figures of one consumer of a link at one moment."""

    consumer: str
    reliable: bool
    cursor: int
    lost: int
    sleeping: bool
    lag: int
    """Messages published that its cursor has not passed; both are written at latest once per housekeeping."""


class Link:
    """A fixed-slot ring with one producing tile and one or more consumers."""

    def __init__(self, instance: Instance, index: int) -> None:
        self._instance = instance
        self._record: Any = instance.pointer.topology.link[index]
        self.index = index
        self.name = text(self._record.name)
        self.depth = int(self._record.depth)
        self.slot_bytes = int(self._record.slot_bytes)
        self.producer = list(instance.tiles)[self._record.producer]
        self.broadcast = bool(self._record.flags & lib.SF_LINK_BROADCAST)
        self.pair = bool(self._record.flags & lib.SF_LINK_PAIR)

    @property
    def published(self) -> int:
        """The next seq, as of the producer's last housekeeping or later."""
        return int(lib.ipc_load(ffi.addressof(self._object(), "published")))

    @property
    def backpressure_turns(self) -> int:
        """Turns in which the producer had no credit."""
        return int(lib.ipc_load(ffi.addressof(self._object(), "backpressure_turns")))

    def edges(self) -> list[Edge]:
        """Returns the figures of all consumers."""
        published = self.published
        tiles = list(self._instance.tiles)
        found = []
        for index, record in self._edges():
            edge = self._edge(index)
            cursor = int(lib.ipc_load(ffi.addressof(edge, "cursor")))
            found.append(
                Edge(
                    consumer=tiles[record.consumer],
                    reliable=bool(record.reliable),
                    cursor=cursor,
                    lost=int(lib.ipc_load(ffi.addressof(edge, "lost"))),
                    sleeping=bool(lib.ipc_load(ffi.addressof(edge, "sleeping"))),
                    lag=max(published - cursor, 0),
                )
            )
        return found

    @contextmanager
    def produce(self) -> Iterator[Producer]:
        """Opens the producing end; the producer's workspace becomes writable in this process."""
        self._instance.map_writable(self.producer)
        handle = ffi.new("sf_producer_t *")
        check(lib.sf_instance_producer(self._instance.pointer, self.index, handle))
        try:
            yield Producer(handle)
        finally:
            lib.sf_producer_close(handle)

    @contextmanager
    def consume(self, tile: str) -> Iterator[Consumer]:
        """Opens a consumer's end; its workspace becomes writable in this process."""
        wanted = self._instance.tile(tile).index
        found = [index for index, record in self._edges() if record.consumer == wanted]
        if not found:
            raise KeyError(f"tile {tile} does not consume link {self.name}")
        self._instance.map_writable(tile)
        handle = ffi.new("sf_consumer_t *")
        check(lib.sf_instance_consumer(self._instance.pointer, found[0], handle))
        try:
            yield Consumer(handle, self.slot_bytes)
        finally:
            lib.sf_consumer_flush(handle)

    def observe(self) -> Consumer:
        """Returns a lossy reader that no one knows of; it begins at what is published now.

        Only for a link with lossy consumers: on any other the producer does not mark the slot that it
        is writing, and a reader that holds nobody back could see half a message.
        """
        if not self.broadcast:
            raise CoreError(lib.SF_ERR_ARG, f"link {self.name} has only reliable consumers: it cannot be observed")
        edge = ffi.new("sf_edge_t *")
        edge.link = self.index
        edge.cursor = self.published
        handle = ffi.new("sf_consumer_t *")
        check(lib.sf_consumer_open(handle, self._object(), edge))
        return Consumer(handle, self.slot_bytes, edge)

    def _object(self) -> Any:
        return attached(lib.sf_instance_link_at(self._instance.pointer, self.index))

    def _edge(self, index: int) -> Any:
        return attached(lib.sf_instance_edge_at(self._instance.pointer, index))

    def _edges(self) -> list[tuple[int, Any]]:
        topology = self._instance.pointer.topology
        records = ((index, topology.edge[index]) for index in range(topology.edge_cnt))
        return [(index, record) for index, record in records if record.link == self.index]


class Producer:
    """The producing end of a link."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    @property
    def seq(self) -> int:
        """The seq the next message gets."""
        return int(self._handle.next)

    @property
    def credit(self) -> int:
        """How many messages may be published now."""
        return int(lib.sf_link_credit(self._handle))

    def send(self, kind: int, payload: Any, *, tag: int = 0, t_origin: int = 0) -> None:
        """Publishes one message.  Raises CoreError: FULL without credit, ARG if it does not fit."""
        data, length = payload_of(payload)
        check(lib.sf_link_send(self._handle, kind, tag, t_origin, data, length))
        lib.sf_producer_wake(self._handle)

    def publish_state(self) -> None:
        """Writes how many were published, which others read."""
        lib.sf_producer_publish_state(self._handle)


class Consumer:
    """A consuming end of a link."""

    def __init__(self, handle: Any, slot_bytes: int, edge: Any = None) -> None:
        self._handle = handle
        self._edge = edge
        self._stride = slot_bytes
        self._buffer: Any = None

    @property
    def seq(self) -> int:
        """The next seq this end reads."""
        return int(self._handle.next)

    @property
    def lost(self) -> int:
        """Messages it was overrun by and jumped over."""
        return int(self._handle.lost)

    def receive(self, most: int = 256) -> list[Message]:
        """Returns what is there, up to `most` messages.  Never waits; goes on behind a jump."""
        return [self._message(index) for index in range(self._take(most))]

    def skip(self, kind: int, most: int = 256) -> tuple[int, int]:
        """Takes what is there without a look at it: how many, up to `most`, and how many of them are of `kind`."""
        count = self._take(most)
        start = self._buffer + _KIND_AT
        kinds = np.ndarray((count,), np.uint16, ffi.buffer(start, most * self._stride - _KIND_AT), 0, (self._stride,))
        return count, int(np.count_nonzero(kinds == kind))

    def _take(self, most: int) -> int:
        """Messages that are in the buffer now."""
        if self._buffer is None or len(self._buffer) < most * self._stride:
            self._buffer = ffi.new("char[]", most * self._stride)
        return check(lib.ipc_link_receive(self._handle, self._buffer, self._stride, most))

    def flush(self) -> None:
        """Writes the cursor, which gives credit back."""
        lib.sf_consumer_flush(self._handle)

    def _message(self, index: int) -> Message:
        start = self._buffer + index * self._stride
        header = ffi.cast("sf_message_t *", start)
        payload = ffi.buffer(start + _HEADER_BYTES, header.length)[:]
        return Message(header.seq, header.kind, header.tag, header.t_origin, header.t_pub, payload)


def payload_of(payload: Any) -> tuple[Any, int]:
    """Returns memory and length of a payload: a pointer to a C struct, or anything with a buffer."""
    if isinstance(payload, bytes):
        return payload, len(payload)
    if isinstance(payload, ffi.CData):
        return payload, ffi.sizeof(ffi.typeof(payload).item)
    data = ffi.from_buffer(payload)
    return data, len(data)
