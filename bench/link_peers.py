"""What carries 64 bytes between two Python processes, as `bench link` measures it beside our links: half a round trip,
called from Python, each process on a core of its own.

ZeroMQ       PAIR sockets over ipc://, blocking
iceoryx2     publish-subscribe over shared memory, `send_copy` there, `receive` in a loop that never sleeps (it has no
             other way to wait without an event service beside it), and the payload copied out
Queue        multiprocessing.Queue: a thread that feeds a pipe, pickled
SimpleQueue  multiprocessing.SimpleQueue: the pipe alone
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib.util import find_spec
from multiprocessing.queues import Queue, SimpleQueue
from pathlib import Path

import zmq

from bench.harness.hdr import Histogram

BYTES, TRIPS, TRIPS_SHORT = 64, 2000, 60
PREPARE_S = 20.0
End = tuple[Callable[[bytes], object], Callable[[], bytes]]
"""To send with, and to receive with."""
Opener = Callable[[bool], AbstractContextManager[End]]
"""Opens the first or the other end."""


@contextmanager
def zmq_end(address: str, first: bool) -> Iterator[End]:
    """An end of a pair over ipc://."""
    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        (socket.bind if first else socket.connect)(address)
        yield socket.send, socket.recv


class Message(ctypes.Structure):
    """iceoryx2's payload."""

    _fields_ = (("bytes", ctypes.c_uint8 * BYTES),)


@contextmanager
def iceoryx2_end(prefix: str, directory: str, first: bool) -> Iterator[End]:
    """An end of two services, one each way; `prefix` begins the names of their files."""
    import iceoryx2

    iceoryx2.set_log_level(iceoryx2.LogLevel.Error)
    config = iceoryx2.config.default()
    config.global_cfg.prefix = iceoryx2.FileName.new(prefix)
    config.global_cfg.root_path = iceoryx2.Path.new(directory)
    node = iceoryx2.NodeBuilder.new().config(config).create(iceoryx2.ServiceType.Ipc)
    there, back = (
        node.service_builder(iceoryx2.ServiceName.new(name)).publish_subscribe(Message).open_or_create()
        for name in (("there", "back") if first else ("back", "there"))
    )
    subscriber = back.subscriber_builder().create()
    publisher = there.publisher_builder().create()
    until = time.monotonic() + PREPARE_S
    while not there.dynamic_config.number_of_subscribers or not back.dynamic_config.number_of_publishers:
        if time.monotonic() > until:
            raise TimeoutError("iceoryx2: the other end did not come")
        time.sleep(0.001)

    def send(payload: bytes) -> None:
        publisher.send_copy(Message.from_buffer_copy(payload))

    def receive() -> bytes:
        while (sample := subscriber.receive()) is None:
            pass
        payload = bytes(sample.payload().contents)
        sample.delete()
        return payload

    yield send, receive
    if not first:  # the last answer is read before its publisher goes
        while back.dynamic_config.number_of_publishers and time.monotonic() < until:
            time.sleep(0.001)
    publisher.delete()
    subscriber.delete()


@contextmanager
def queue_end(
    there: Queue[bytes] | SimpleQueue[bytes], back: Queue[bytes] | SimpleQueue[bytes], first: bool
) -> Iterator[End]:
    """An end of two queues."""
    yield (there.put, back.get) if first else (back.put, there.get)


def _answer(ends: Sequence[Opener], trips: int) -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for open_end in ends:
        with open_end(False) as (send, receive):
            for _ in range(trips):
                send(receive())


def _trips(open_end: Opener, trips: int) -> Histogram:
    """Half of each round trip in nanoseconds; the first tenth is warm-up."""
    halves = []
    with open_end(True) as (send, receive):
        for _ in range(trips):
            begin = time.perf_counter_ns()
            send(bytes(BYTES))
            receive()
            halves.append((time.perf_counter_ns() - begin) / 2)
    return Histogram.of(halves[trips // 10 :])


def measure(*, short: bool = False) -> tuple[dict[str, Histogram], list[str]]:
    """The half trips of each, and what is left out with its reason."""
    trips = TRIPS_SHORT if short else TRIPS
    context = multiprocessing.get_context("spawn")
    prefix, skipped = f"sf-bench-{os.getpid()}-", []
    with tempfile.TemporaryDirectory() as directory:
        ends: dict[str, Opener] = {
            "ZeroMQ ipc": partial(zmq_end, f"ipc://{directory}/link"),
            "multiprocessing Queue": partial(queue_end, context.Queue(), context.Queue()),
            "multiprocessing SimpleQueue": partial(queue_end, context.SimpleQueue(), context.SimpleQueue()),
        }
        if find_spec("iceoryx2"):
            ends["iceoryx2"] = partial(iceoryx2_end, prefix, directory)
        else:
            skipped.append("iceoryx2 is not installed (make deps-dev)")
        other = context.Process(target=_answer, args=(list(ends.values()), trips), daemon=True)
        cores = os.sched_getaffinity(0)
        other.start()
        os.sched_setaffinity(0, {min(cores)})
        try:
            found = {name: _trips(end, trips) for name, end in ends.items()}
            other.join(timeout=10)
            return found, skipped
        finally:
            os.sched_setaffinity(0, cores)
            other.kill()
            for left in Path("/dev/shm").glob(f"{prefix}*"):  # iceoryx2 keeps a file of all its nodes
                left.unlink(missing_ok=True)
