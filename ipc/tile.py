"""A tile in Python: the five hooks over one call of C a turn.

    class Printer(Tile):
        def init(self) -> None:
            self.seen = self.counter("pools_seen")

        def messages(self, source: int, batch: Batch) -> None:
            pools = batch.records("sf_pool_update_t")   # numpy, no copy
            self.seen.add(len(pools))

    with Instance.open("main") as instance:
        run([Printer(instance, "printer")])

C does the protocol (credits, cursors, heartbeat, waits) and hands out up to `batch_size` private
copies a turn; it never calls into Python.  The GIL is released while C runs or waits.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ipc._core import ffi, lib
from ipc.errors import CoreError, attached, check
from ipc.layout import dtype
from ipc.link import Message, payload_of
from ipc.table import Table
from ipc.views import Instance

_HEADER_BYTES: int = ffi.sizeof("sf_message_t")


class Batch:
    """Messages of one in-link, in order.  Valid until the hook returns: the next turn writes over it.

    Attributes:
        memory: the whole buffer; messages [first, end) of it are this batch's, `stride` bytes apart.
    """

    def __init__(self, buffer: Any, stride: int, capacity: int) -> None:
        self.memory = ffi.buffer(buffer, capacity * stride)
        self._buffer = buffer
        self._stride = stride
        self._capacity = capacity
        self._records: dict[str, npt.NDArray[np.void]] = {}
        self._structs: dict[str, list[Any]] = {}
        self.first = 0
        self.end = 0

    def __len__(self) -> int:
        return self.end - self.first

    def records(self, layout: str) -> npt.NDArray[np.void]:
        """Returns all payloads as a structured array of a layout (`sf_pool_update_t`, ...), without a copy.

        `sf_message_t` gives the headers instead: seq, kind, length, tag, t_origin, t_pub.
        """
        array = self._records.get(layout)
        if array is None:
            offset = self._offset(layout)
            array = np.ndarray((self._capacity,), dtype(layout), self.memory, offset, (self._stride,))
            self._records[layout] = array
        return array[self.first : self.end]

    def structs(self, layout: str) -> list[Any]:
        """Returns all payloads (or headers) as pointers to C structs: the fastest way to a few fields."""
        pointers = self._structs.get(layout)
        if pointers is None:
            offset = self._offset(layout)
            starts = (self._buffer + i * self._stride + offset for i in range(self._capacity))
            pointers = self._structs[layout] = [ffi.cast(f"{layout} *", start) for start in starts]
        return pointers[self.first : self.end]

    def __iter__(self) -> Iterator[Message]:
        """Copies each message out."""
        for index, header in enumerate(self.structs("sf_message_t"), self.first):
            start = self._buffer + index * self._stride + _HEADER_BYTES
            payload = ffi.buffer(start, header.length)[:]
            yield Message(header.seq, header.kind, header.tag, header.t_origin, header.t_pub, payload)

    def _offset(self, layout: str) -> int:
        """Returns where in a slot a layout begins, once it is known to fit."""
        if layout == "sf_message_t":
            return 0
        if ffi.sizeof(layout) > self._stride - _HEADER_BYTES:
            raise ValueError(f"no in-link has slots that hold a {layout}")
        return _HEADER_BYTES


class Counter:
    """A named word of the tile's page that only rises."""

    def __init__(self, tile: Any, index: int) -> None:
        self._tile = tile
        self._index = index

    def add(self, amount: int = 1) -> None:
        lib.sf_tile_count(self._tile, self._index, amount)


class Gauge:
    """A named word of the tile's page that is set."""

    def __init__(self, tile: Any, index: int) -> None:
        self._tile = tile
        self._index = index

    def set(self, value: int) -> None:
        lib.sf_tile_set(self._tile, self._index, value)


class Tile:
    """A single-threaded worker.  Subclasses override hooks; `run` drives them.

    A process that is a tile without a loop of its own (the supervisor) calls `boot`, then `turn(0)` at
    least every few milliseconds, publishes between, and `close`s at the end.
    """

    ordered: ClassVar[bool] = False
    """A bot: in-link 0 is primary, and the order of the others is published on out-link 0 for replay."""
    batch_size: ClassVar[int] = 128
    """Most messages a turn; at most 256."""
    wait_ns: ClassVar[int] = 1_000_000
    """Longest wait of a turn for a message: `poll` and `house` come at least this often."""

    def __init__(self, instance: Instance, name: str) -> None:
        self.instance = instance
        self.name = name
        box = ffi.new("sf_ptile_t **")
        flags = lib.SF_TILE_ORDERED if self.ordered else 0
        check(lib.sf_ptile_open(box, instance.pointer, name.encode(), flags))
        self._ptile: Any = box[0]
        self._tile: Any = lib.sf_ptile_tile(self._ptile)
        stride = lib.sf_ptile_stride(self._ptile)
        size = min(self.batch_size, lib.IPC_TURN_MAX)
        self._size = size
        self._memory: Any = ffi.new("uint64_t[]", max(size * stride // 8, 8))
        self._in: Any = ffi.new("uint16_t[]", size)
        self._turn: Any = ffi.new("ipc_turn_t *")
        self._batch = Batch(ffi.cast("char *", self._memory), stride, size) if stride else None
        self._polls = type(self).poll is not Tile.poll
        self._houses = type(self).house is not Tile.house
        self._started = False
        info = instance.tile(name)
        self._outputs = range(len(info.outputs))
        self._burst = info.burst

    # -- hooks ------------------------------------------------------------------------------------

    def init(self) -> None:
        """Called once, before state `run`.  An exception ends the tile in state `fail` with its text."""

    def poll(self) -> int:
        """Called every turn with `burst` credits on each out-link; does outside I/O, returns how much it did."""
        return 0

    def messages(self, source: int, batch: Batch) -> None:
        """Called with messages of in-link `source`; may publish `burst` messages for each of them."""

    def house(self, now_ns: int) -> None:
        """Called about every millisecond (engine clock in ns)."""

    def fini(self) -> None:
        """Called once on halt, if `init` succeeded.  No publishing."""

    # -- ports ------------------------------------------------------------------------------------

    def input(self, link: str) -> int:
        """Returns the number of an in-link.  Raises CoreError NOTFOUND."""
        return check(lib.sf_tile_in(self._tile, link.encode()))

    def output(self, link: str) -> int:
        """Returns the number of an out-link.  Raises CoreError NOTFOUND."""
        return check(lib.sf_tile_out(self._tile, link.encode()))

    def publish(self, output: int, kind: int, payload: Any, *, tag: int = 0, t_origin: int = 0) -> None:
        """Publishes one message now.  The payload is a pointer to a C struct or anything with a buffer.

        `t_origin` is that of the message that caused this one.  Raises CoreError: FULL without credit
        (never within the burst), ARG if the payload does not fit a slot.
        """
        data, length = payload_of(payload)
        check(lib.ipc_tile_publish(self._ptile, output, kind, tag, t_origin, data, length))

    def credit(self, output: int) -> int:
        """Returns how many messages may be published on an out-link now."""
        return int(lib.sf_tile_credit(self._tile, output))

    def next_seq(self, output: int) -> int:
        """Returns the seq the next message on an out-link gets."""
        return int(lib.sf_tile_seq(self._tile, output))

    def table(self, name: str) -> Table:
        """Returns a table: any may be read, only the tile's own may be written."""
        return Table(attached(lib.sf_tile_table(self._tile, name.encode())), name)

    def counter(self, name: str) -> Counter:
        """Registers a counter; in `init`."""
        return Counter(self._tile, check(lib.sf_tile_counter(self._tile, name.encode())))

    def gauge(self, name: str) -> Gauge:
        """Registers a gauge; in `init`."""
        return Gauge(self._tile, check(lib.sf_tile_gauge(self._tile, name.encode())))

    @property
    def params(self) -> dict[str, str]:
        """The tile's parameters."""
        return self.instance.params(self.name)

    @property
    def kill(self) -> int:
        """The kill word now: SF_KILL_*."""
        return int(lib.sf_tile_kill(self._tile))

    @property
    def pointer(self) -> Any:
        """The `sf_ptile_t *`, for functions of `lib`."""
        return self._ptile

    # -- life -------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Runs `init` and goes into state `run`."""
        self.init()
        check(lib.sf_ptile_start(self._ptile))
        self._started = True

    def turn(self, max_wait_ns: int) -> int:
        """Does one turn and returns how much was done, or -1 when the tile is to halt."""
        turn = self._turn
        count = lib.ipc_tile_turn(self._ptile, self._memory, self._in, self._size, max_wait_ns, turn)
        if count < 0:
            if count == lib.SF_ERR_STATE:
                return -1
            check(count)
        if turn.house and self._houses:
            self.house(lib.sf_clock_ns())
        if count:
            batch = self._batch
            assert batch is not None
            batch.end = 0
            for run in range(turn.run_cnt):
                batch.first = batch.end
                batch.end = turn.run_end[run]
                self.messages(turn.run_in[run], batch)
        if self._polls and all(lib.sf_tile_credit(self._tile, output) >= self._burst for output in self._outputs):
            count += self.poll()
        return int(count)

    def halt(self) -> None:
        """Asks the tile to halt; the next turn says so.  Any thread."""
        lib.sf_ptile_halt(self._ptile)

    def fail(self, sentence: str) -> None:
        """Ends in state `fail` with a sentence and raises the kill word to halt.  `close` comes after it."""
        lib.sf_ptile_fail(self._ptile, sentence.encode()[:255])

    def close(self) -> None:
        """Calls `fini` and gives everything back; state `done`, unless it failed.  Closing twice is allowed."""
        if self._ptile is None:
            return
        try:
            if self._started:
                self.fini()
        finally:
            lib.sf_ptile_close(self._ptile)
            self._ptile = self._tile = None


def run(tiles: Sequence[Tile]) -> None:
    """Runs the tiles of a group in this thread until all are halted.

    An exception of a hook ends its tile in state `fail` with a sentence, raises the kill word to halt,
    closes the others and comes out of here.
    """
    current = tiles[0]
    with ExitStack() as closing:
        for tile in tiles:
            closing.callback(tile.close)
        try:
            for current in tiles:
                current.boot()
            gc.collect()
            gc.freeze()  # what was made up to here lives as long as the group: do not look at it again
            running = list(tiles)
            while running:
                work = 0
                alone = len(running) == 1
                for current in tuple(running):
                    done = current.turn(current.wait_ns if alone else 0)
                    if done < 0:
                        running.remove(current)
                        current.close()
                    else:
                        work += done
                if not work and len(running) > 1:
                    pointers = [tile.pointer for tile in running]
                    lib.sf_ptile_wait(pointers, len(pointers), min(tile.wait_ns for tile in running))
        except BaseException as error:
            current.fail(sentence_of(error))
            raise


def sentence_of(error: BaseException) -> str:
    """Returns an exception as the sentence behind state `fail`."""
    return error.sentence if isinstance(error, CoreError) else f"{type(error).__name__}: {error}"


def halt_on_kill_signal(instance: Instance) -> None:
    """Makes SIGUSR1 raise the kill word to halt in this process, also while Python is stuck."""
    check(lib.ipc_kill_on_signal(instance.pointer.control))
